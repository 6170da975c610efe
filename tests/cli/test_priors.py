"""What the package brings along, as a user runs it: no fit, no network, no folder needed."""

import errno
import os

import pytest
from rdkit import Chem

from softdraw.molecules.sampling import stand_ins
from softdraw.molecules.storage.run_folder import RunFolder

from .molecules import here


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


def test_druglike_is_steered_into_a_folder_of_its_own(capsys, tmp_path, few):
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


QUICK = ("--steps", 1, "--samples", 10, "--no-fcd")


@pytest.fixture
def few(monkeypatch):
    """Few molecules stand for those that the prior learned from."""
    monkeypatch.setattr(stand_ins, "WANTED", 300)
    monkeypatch.setattr(stand_ins, "SPAN", 512)


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def message(err):
    """What stands in the frame of a mistake, in one line."""
    return " ".join(err.replace("│", " ").split())


def test_out_belongs_to_priors(capsys, tmp_path):
    code, _, err = here(capsys, "steer", tmp_path, "--out", tmp_path / "elsewhere")
    assert code == 2
    assert "Invalid value: --out: got" in message(err)
    assert "expected it for a prior alone" in message(err)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("--target", "heteroatms=9"), 2, "heteroatms"),
        (("--target", "no_such_module:f=max"), 2, "cannot import"),
        (("--target", "properties_of_a_user:constant=max"), 1, "expected it to vary"),
        (("--estimator", "magic"), 2, "st-gumbel-softmax"),
        (("--minutes", -1), 2, "expected a positive number"),
        (("--forbid", "missing.smarts"), 1, "missing.smarts"),
        (("--resume",), 2, "expected one of them"),
    ],
)
def test_a_mistake_in_steering_a_prior_costs_nothing(capsys, tmp_path, monkeypatch, few, words, code, why):
    (tmp_path / "properties_of_a_user.py").write_text("def constant(mol):\n    return 3.0\n")
    monkeypatch.chdir(tmp_path)
    held = tmp_path / "held"
    RunFolder(held).claim()
    RunFolder(held).write_config({"options": {"data": "mine.smi"}})
    (held / "samples.smi").write_text("C\n")
    before = contents(held)
    steps = () if "--minutes" in words else ("--steps", 1)
    left, _, err = here(capsys, "steer", "druglike", *words, *steps, "--out", held, "--overwrite")
    assert (left, why in message(err)) == (code, True), err
    assert contents(held) == before
    if "--resume" not in words:
        assert here(capsys, "steer", "druglike", *words, *steps, "--out", tmp_path / "new")[0] == code
        assert not (tmp_path / "new").exists()


def test_another_run_is_neither_replaced_nor_gone_on_with(capsys, tmp_path, few):
    held = RunFolder(tmp_path / "held")
    held.claim()
    (held.path / "samples.smi").write_text("C\n")
    before = contents(held.path)
    words = ("steer", "druglike", *QUICK, "--out", held.path)
    for more, why in (((), "already holds samples.smi"), (("--resume",), "holds no druglike to go on with")):
        code, _, err = here(capsys, *words, *more)
        assert (code, why in err) == (1, True), err
    assert contents(held.path) == before
    held.update_stage("fit", {"data": "0123", "seed": 0, "steps": 5}, complete=True)
    code, _, err = here(capsys, *words, "--resume")
    assert (code, "other data" in err) == (1, True)


def test_an_adoption_that_was_cut_off_goes_on(capsys, tmp_path, monkeypatch, few):
    """One file after the other cannot be written."""
    out = tmp_path / "run"
    words = ("steer", "druglike", "--target", "heteroatoms=9", *QUICK, "--out", out)
    replace, more = os.replace, ()
    for name in ("config.json", "model.safetensors", "generator.json", "metrics.json"):

        def refuse(source, target, name=name):
            if str(target).endswith(name):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            replace(source, target)

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", refuse)
            code, _, err = here(capsys, *words, *more)
        assert (code, f"{name}: cannot be written (No space left" in err) == (1, True), err
        assert not RunFolder(out).stages["fit"]["complete"]
        more = ("--resume",)
    code, said, err = here(capsys, *words, "--resume")
    assert code == 0, err
    assert "steered to heteroatoms=9" in said
    assert RunFolder(out).stages["fit"]["complete"]


def test_a_start_that_cannot_be_used_costs_nothing(capsys, tmp_path):
    data = tmp_path / "own.smi"
    data.write_text("".join(f"{'C' * n}O\n" for n in range(1, 9)))
    out = tmp_path / "run"
    words = ("fit", "--data", data, "--steps", 1, "--out", out)
    assert here(capsys, *words)[0] == 0
    before = contents(out)
    for start, why in (
        (("druglik",), "druglik: no such folder"),
        (
            ("druglike", "--network", "small"),
            "--network: got small, expected none: --from druglike brings its own",
        ),
    ):
        code, _, err = here(capsys, *words, "--overwrite", "--from", *start)
        assert (code, why in err) == (1, True), err
    assert contents(out) == before
    # the folder that is replaced may be where the fit starts
    assert here(capsys, *words, "--overwrite", "--from", out)[0] == 0


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
