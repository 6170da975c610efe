import pytest
from rdkit import Chem

from softdraw.molecules.chemistry.scaffold import read_scaffold, read_scaffolds
from softdraw.molecules.errors import DataError


def open_atoms(text):
    """Symbols of the atoms that may be bonded further, in the order of the canonical SMILES."""
    scaffold = read_scaffold(text)
    mol = Chem.MolFromSmiles(scaffold.record[0])
    return [atom.GetSymbol() for atom, free in zip(mol.GetAtoms(), scaffold.open_places, strict=True) if free]


def test_without_attachment_points_every_atom_is_open():
    assert open_atoms("c1ccncc1") == list("CCCNCC")


@pytest.mark.parametrize("text", ["[*]c1ccncc1", "c1cc([*:1])ncc1", "*c1ccncc1", "[1*]c1ccncc1"])
def test_an_attachment_point_opens_its_atom_alone(text):
    assert open_atoms(text) == ["C"]
    assert read_scaffold(text).record[0] == "c1ccncc1"


def test_an_attachment_point_may_stand_on_an_aromatic_nitrogen():
    assert read_scaffold("[*]n1cccc1").record[0] == "c1cc[nH]c1"
    assert open_atoms("[*]n1cccc1") == ["N"]


def test_two_attachment_points():
    assert open_atoms("[*]OCCN[*]") == ["N", "O"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("C1CC", "can read"),
        ("CC.O", "several fragments"),
        ("[*]", "at least one atom"),
        ("", "at least one"),
        ("[*]=CC", r"a hydrogen for every \[\*\]"),
        ("C[*]C", r"a hydrogen for every \[\*\]"),
    ],
)
def test_what_is_no_scaffold_is_refused(text, why):
    with pytest.raises(DataError, match=why):
        read_scaffold(text)


def test_a_file_holds_one_a_line_and_a_bad_line_is_named(tmp_path):
    file = tmp_path / "parts.smi"
    file.write_text("# parts\nc1ccccc1 benzene\n\n[*]C1CC1\n")
    assert [one.record[0] for one in read_scaffolds(file)] == ["c1ccccc1", "C1CC1"]
    file.write_text("c1ccccc1\nC1C(\n")
    with pytest.raises(DataError, match=r"parts\.smi, line 2: scaffold: got 'C1C\('"):
        read_scaffolds(str(file))
    file.write_text("\n")
    with pytest.raises(DataError, match="holds no scaffold"):
        read_scaffolds(file)


def test_whether_a_molecule_holds_it():
    scaffold = read_scaffold("[*]c1ccncc1")
    assert scaffold.is_in("CCc1ccncc1")
    assert not scaffold.is_in("CCc1ccccc1")
