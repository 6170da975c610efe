import csv
import gzip
import io

import pytest
from rdkit import Chem

from softdraw.molecules.chemistry.properties import evaluate
from softdraw.molecules.data.files import read_rows
from softdraw.molecules.errors import TargetError
from softdraw.molecules.sampling import output
from softdraw.molecules.sampling.output import SHOWN, format_of, written_molecules
from softdraw.molecules.storage.atomic import write_pieces

SMILES = ["CCO", "", "c1ccccc1", "CC(=O)Nc1ccc(O)cc1", "C[N+](=O)[O-]"]


@pytest.mark.parametrize("ending", ["smi", "csv", "sdf", "smi.gz", "CSV.GZ", "sdf.gz"])
def test_what_is_written_is_read_back(tmp_path, ending, monkeypatch):
    monkeypatch.setattr(output, "_CHUNK", 2)
    path = tmp_path / f"drawn.{ending}"
    form = format_of(path)
    write_pieces(path, written_molecules(SMILES, form))
    back = [smiles for _, smiles in read_rows(path)]
    # of a table, readers leave out the row in which nothing stands
    assert back == (SMILES if form == "smi" else [one for one in SMILES if one])


def test_a_table_holds_the_properties():
    rows = list(csv.DictReader(io.StringIO("".join(written_molecules(SMILES, "csv")))))
    assert list(rows[0]) == ["smiles", *SHOWN]
    assert [row["smiles"] for row in rows] == SMILES
    for name in SHOWN:
        for row, value in zip(rows, evaluate(name, SMILES), strict=True):
            assert (row[name] == "") if value != value else float(row[name]) == pytest.approx(value, rel=1e-5)


def test_an_sd_file_holds_plane_coordinates_and_properties(monkeypatch):
    monkeypatch.setattr(output, "_CHUNK", 2)
    text = "".join(written_molecules(SMILES, "sdf", ["mw", "logp"]))
    supplier = Chem.SDMolSupplier()
    supplier.SetData(text)
    molecules = list(supplier)
    assert [mol.GetProp("_Name") for mol in molecules] == ["1", "3", "4", "5"]
    assert [Chem.MolToSmiles(mol) for mol in molecules] == [one for one in SMILES if one]
    for mol in molecules:
        assert set(mol.GetPropNames()) == {"SMILES", "mw", "logp"}
        assert float(mol.GetProp("mw")) == pytest.approx(evaluate("mw", [mol.GetProp("SMILES")])[0])
        assert not mol.GetConformer().Is3D()
        spread = mol.GetConformer().GetPositions()
        assert spread.std(axis=0)[:2].min() > 0.1


def test_the_same_molecules_give_the_same_gzipped_bytes(tmp_path):
    for name in ("a.smi.gz", "b.smi.gz"):
        write_pieces(tmp_path / name, written_molecules(SMILES))
    content = (tmp_path / "a.smi.gz").read_bytes()
    assert content == (tmp_path / "b.smi.gz").read_bytes()
    assert gzip.decompress(content).decode() == "".join(f"{one}\n" for one in SMILES)


def test_an_unknown_property_is_named():
    with pytest.raises(TargetError, match="got 'colour'"):
        list(written_molecules(SMILES, "csv", ["colour"]))
