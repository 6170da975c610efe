"""What the commands around a model read and write: tables, SD files, likelihoods."""

import csv
import gzip
import io
import subprocess
import sys
from contextlib import nullcontext
from functools import partial

import pytest
from rdkit import Chem

import softdraw as sd
from softdraw.molecules import MoleculeGenerator

from . import molecules

MOLECULES = ["CCO", "CC=O", "CCN", "C#N", "CCC", "COC", "C1CC1", "NCC=O", "CC(C)O", "FCC", "CNC", "OCCO"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    MoleculeGenerator(width=16, layers=1).fit(MOLECULES, steps=20).save(folder)
    return folder


@pytest.fixture
def here(capsys):
    return partial(molecules.here, capsys)


def drawn(model, count):
    return MoleculeGenerator.load(model).sample(count, key=sd.Key(0))


def table(path):
    return list(csv.DictReader(io.StringIO(path.read_text())))


def test_a_table_by_the_name_of_the_file(model, here, tmp_path):
    out = tmp_path / "drawn.csv"
    assert here("sample", model, "-n", 9, "--out", out) == (0, "", "")
    rows = table(out)
    assert list(rows[0]) == ["smiles", "logp", "qed", "tpsa", "mw", "sa"]
    assert [row["smiles"] for row in rows] == drawn(model, 9)
    code, printed, _ = here("sample", model, "-n", 9, "--format", "csv")
    assert (code, printed) == (0, out.read_text())


def test_properties_are_asked_for_by_name(model, here, tmp_path):
    out = tmp_path / "drawn.sdf.gz"
    own = "rdkit.Chem.Lipinski:HeavyAtomCount"
    words = ["sample", model, "-n", 9, "--out", out, "--property", "QED", "--property", own]
    assert here(*words) == (0, "", "")
    molecules = list(Chem.ForwardSDMolSupplier(io.BytesIO(gzip.decompress(out.read_bytes()))))
    assert [Chem.MolToSmiles(mol) for mol in molecules] == drawn(model, 9)
    for mol in molecules:
        assert set(mol.GetPropNames()) == {"SMILES", "qed", own}
        assert int(mol.GetProp(own)) == mol.GetNumAtoms()
    code, _, err = here(*words)
    assert code == 1
    assert "exists already" in err
    assert here(*words, "--overwrite")[0] == 0


def test_what_is_no_molecule_is_said_where_a_format_has_no_place_for_it(model, here, tmp_path):
    words = ["sample", model, "-n", 50, "--no-mask"]
    lines = here(*words)[1].splitlines()
    empty = lines.count("")
    assert 0 < empty < 50
    for form, text in (("csv", "blank rows, which score skips"), ("sdf", "not in an SD file")):
        code, _, err = here(*words, "--format", form, "--out", tmp_path / form)
        assert (code, err) == (0, f"{empty} of 50 graphs are no molecule: {text}" + err.partition(text)[2])
    assert [row["smiles"] for row in table(tmp_path / "csv")] == lines
    assert (tmp_path / "sdf").read_text().count("$$$$") == 50 - empty


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--format", "xlsx"], "expected smi, csv, sdf"),
        (["--property", "logp"], "expected --format csv or sdf"),
        (["--format", "csv", "--property", "colour"], "got 'colour', expected one of"),
        (["--devices", "0"], "--devices"),
        (["--stage", "third"], "expected fitted or steered"),
    ],
)
def test_mistakes_are_2(model, here, words, message):
    code, out, err = here("sample", model, *words)
    assert (code, out) == (2, "")
    assert message in " ".join(err.replace("│", " ").split())


@pytest.fixture
def nitrogen(tmp_path):
    path = tmp_path / "nitrogen.smarts"
    path.write_text("# any\n[#7] nitrogen\n")
    return path


def test_what_is_drawn_is_held_to_patterns(model, here, nitrogen):
    words = ["sample", model, "-n", 40, "--key", 0]
    code, out, err = here(*words, "--forbid", nitrogen, "--forbid", "pains")
    lines = out.splitlines()
    assert code == 0
    assert len(lines) == 40
    assert not any("N" in one.upper() for one in lines)
    free = drawn(model, 200)
    assert lines == [one for one in free if "N" not in one.upper()][:40]
    looked_at = 1 + [i for i, one in enumerate(free) if "N" not in one.upper()][39]
    assert err == f"drawn {looked_at}, left out: {looked_at - 40} forbidden ({nitrogen}: {looked_at - 40})\n"
    _, out, err = here(*words, "--require", nitrogen)
    assert all("N" in one.upper() for one in out.splitlines())
    assert f"without what is required ({nitrogen}: " in err


def test_patterns_that_cannot_be_met_or_read(model, here, tmp_path, nitrogen):
    out = tmp_path / "drawn.smi"
    code, printed, err = here("sample", model, "--forbid", "nowhere.smarts", "--out", out)
    assert (code, printed) == (1, "")
    assert "nowhere.smarts: no such file, expected a file of SMARTS or one of moses" in err
    code, _, err = here("sample", model, "-n", 3, "--forbid", nitrogen, "--require", nitrogen, "--out", out)
    assert code == 1
    assert "error: forbid, require: nothing that is drawn passes them: drawn 10,000, left out: " in err
    assert not out.exists()


@pytest.mark.slow
def test_processes_of_torchrun_draw_what_one_draws(model, here, nitrogen, tmp_path):
    words = ["sample", model, "-n", 2000, "--forbid", nitrogen]
    _, out, err = here(*words)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "softdraw"]
    ended = subprocess.run(
        [*launcher, "molecules", *map(str, words), "--out", str(tmp_path / "two.smi")],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "two.smi").read_text() == out
    assert ended.stderr.count(err) == 1
    assert ended.stdout == ""
    assert here(*words, "--devices", 2) == (0, out, err)


def test_a_table_of_likelihoods(model, here, tmp_path):
    file, out = tmp_path / "mine.csv", tmp_path / "nats.csv"
    file.write_text("id,SMILES\n1,OCC\n2,C[C@H](N)O\n3,CCS\n4,C(\n5,\n6,C.C\n")
    code, printed, err = here("likelihood", model, file)
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert [row["smiles"] for row in rows] == ["OCC", "C[C@H](N)O", "CCS", "C(", "", "C.C"]
    assert [row["atoms"] for row in rows] == ["3", "4", "", "", "", ""]
    nats = MoleculeGenerator.load(model).likelihood(["CCO", "CC(N)O"])
    assert [float(row["nats"]) for row in rows[:2]] == pytest.approx(nats, abs=1e-3)
    assert all(row["nats"] == "" for row in rows[2:])
    assert err == (
        f"likelihood: {file} (SMILES in column 2 'SMILES', separated by commas): 2 of 6 molecules have one, "
        f"{nats.mean():.2f} nats on average; without one: 1 no SMILES, 1 unreadable, 1 several fragments, "
        "1 atom type that is not drawn; 1 had stereo marks, which are dropped\n"
    )
    assert here("likelihood", model, file, "--out", out)[:2] == (0, "")
    assert out.read_text() == printed
    assert "exists already" in here("likelihood", model, file, "--out", out)[2]
    file.write_bytes(file.read_bytes().decode().encode("cp500"))
    assert here("likelihood", model, file, "--encoding", "cp500")[:2] == (0, printed)


def test_of_several_processes_the_first_tells_likelihoods(model, here, tmp_path, monkeypatch):
    """The others, which torchrun started with the same words, neither print nor write."""
    file, out = tmp_path / "mine.smi", tmp_path / "nats.csv"
    file.write_text("CCO\n")

    class Group:
        place = 0

        def rank(self):
            return self.place

    group = Group()
    launched = "softdraw.molecules.runtime.processes.launched_group"
    monkeypatch.setattr(launched, lambda: nullcontext(group))
    alone = here("likelihood", model, file)
    assert alone[0] == 0
    assert alone[1]
    group.place = 1
    assert here("likelihood", model, file, "--out", out) == (0, "", "")
    assert not out.exists()


@pytest.mark.slow
def test_processes_of_torchrun_tell_likelihoods_once(model, here, tmp_path):
    file, out = tmp_path / "mine.smi", tmp_path / "nats.csv"
    file.write_text("CCO\nCCN\n")
    words = ["likelihood", model, file]
    _, printed, err = here(*words)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "softdraw"]
    for more in ([], ["--out", out]):
        ended = subprocess.run(
            [*launcher, "molecules", *map(str, [*words, *more])],
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout == ("" if more else printed)
        assert ended.stderr.count(err) == 1
    assert out.read_text() == printed


def test_likelihoods_of_nothing_that_is_there(model, here, tmp_path):
    code, out, err = here("likelihood", model, tmp_path / "missing.smi")
    assert (code, out) == (1, "")
    assert "no such file" in err
    assert "no such folder" in here("likelihood", tmp_path / "missing", "chemicals")[2]
