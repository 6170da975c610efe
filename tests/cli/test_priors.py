"""What the package brings along, as a user runs it: no fit, no network, no folder needed."""

import pytest
from rdkit import Chem

from softdraw.cli import main
from softdraw.molecules.sampling import stand_ins
from softdraw.molecules.storage.run_folder import RunFolder


def here(capsys, *words):
    with pytest.raises(SystemExit) as left:
        main(["molecules", *map(str, words)])
    captured = capsys.readouterr()
    return left.value.code, captured.out, captured.err


def test_druglike_molecules_at_once(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = here(capsys, "sample", "druglike", "-n", 20)
    assert code == 0
    assert all(Chem.MolFromSmiles(line) for line in out.splitlines())
    assert len(out.splitlines()) == 20
    assert list(tmp_path.iterdir()) == []


def test_molecules_of_a_scaffold(capsys, tmp_path):
    file = tmp_path / "parts.smi"
    file.write_text("c1ccc2[nH]ccc2c1 indole\n[*]N1CCOCC1 morpholine\n")
    code, out, err = here(capsys, "sample", "druglike", "-n", 30, "--scaffold", file)
    assert code == 0
    assert "drawn" in err
    parts = [Chem.MolFromSmiles(one) for one in ("c1ccc2[nH]ccc2c1", "C1COCCN1")]
    molecules = [Chem.MolFromSmiles(line) for line in out.splitlines()]
    assert len(molecules) == 30
    assert all(any(mol.HasSubstructMatch(part) for part in parts) for mol in molecules)
    assert all(any(mol.HasSubstructMatch(part) for mol in molecules) for part in parts)


@pytest.mark.parametrize(
    ("part", "why"), [("C1CC", "can read"), ("[Si]C", "Si"), ("C" * 27, "fewer than 27")]
)
def test_a_scaffold_that_cannot_be_used_is_said(capsys, part, why):
    code, out, err = here(capsys, "sample", "druglike", "-n", 3, "--scaffold", part)
    assert (code, out) == (1, "")
    assert why in err


def test_druglike_is_steered_into_a_folder_of_its_own(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(stand_ins, "WANTED", 300)
    out = tmp_path / "steered"
    words = ("steer", "druglike", "--target", "heteroatoms=9", "--steps", 2, "--samples", 20, "--no-fcd")
    code, said, _ = here(capsys, *words, "--out", out)
    assert code == 0
    assert "steered to heteroatoms=9" in said
    folder = RunFolder(out)
    assert (out / "report.html").exists()
    assert folder.metrics["data"]["description"].startswith("MOSES")
    assert len((out / "steered.smi").read_text().splitlines()) == 20
    code, _, err = here(capsys, *words, "--out", out)
    assert code == 1
    assert "--overwrite" in err
    again = ("--target", "heteroatoms=2", "--steps", 1, "--samples", 10, "--no-fcd", "--overwrite")
    code, _, _ = here(capsys, "steer", out, *again)
    assert code == 0


def test_out_belongs_to_priors(capsys, tmp_path):
    code, _, err = here(capsys, "steer", tmp_path, "--out", tmp_path / "elsewhere")
    assert code == 2
    assert "expected it for a" in " ".join(err.split())


def test_a_fit_goes_on_from_druglike_and_the_run_says_so(capsys, tmp_path):
    data = tmp_path / "own.smi"
    data.write_text("".join(f"{'C' * n}c1ccccc1{end}\n" for n in range(1, 9) for end in ("Br", "P", "O")))
    out = tmp_path / "run"
    code, said, _ = here(capsys, "fit", "--data", data, "--from", "druglike", "--steps", 2, "--out", out)
    assert code == 0
    assert "large network" in said
    assert "--from druglike" in RunFolder(out).config["command"]
    code, _, err = here(capsys, "fit", "--data", data, "--steps", 3, "--out", out, "--resume")
    assert code == 1
    assert "start druglike" in err
