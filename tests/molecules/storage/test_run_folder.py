"""The folder of a run protects its results and reads back what it wrote."""

import os

import pytest

from softdraw.molecules.errors import CheckpointError, DataError, OutputError
from softdraw.molecules.storage.run_folder import RunFolder


@pytest.fixture
def folder(tmp_path):
    made = RunFolder(tmp_path / "run")
    made.claim()
    made.write_config({"options": {"seed": 3}})
    return made


def test_claim_makes_parents(tmp_path):
    RunFolder(tmp_path / "a" / "b").claim()
    assert (tmp_path / "a" / "b").is_dir()


def test_results_are_not_replaced_unless_asked(folder):
    with pytest.raises(OutputError, match=r"already holds config\.json.*--resume.*--overwrite.*--out"):
        folder.claim()
    folder.claim(resume=True)
    assert folder.config["options"] == {"seed": 3}


def test_overwrite_removes_the_run_and_nothing_else(folder):
    (folder.path / "notes.txt").write_text("mine")
    (folder.path / "checkpoints" / "fitted").mkdir(parents=True)
    folder.write_smiles("samples.smi", ["C"])
    folder.claim(overwrite=True)
    assert os.listdir(folder.path) == ["notes.txt"]


def test_overwrite_does_not_follow_a_link(folder, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_text("x")
    (folder.path / "checkpoints").symlink_to(elsewhere)
    folder.claim(overwrite=True)
    assert (elsewhere / "precious").read_text() == "x"


def test_a_foreign_file_of_the_same_name_is_kept(tmp_path):
    (tmp_path / "report.html").write_text("thesis")
    with pytest.raises(OutputError, match=r"report\.html"):
        RunFolder(tmp_path).claim()
    assert (tmp_path / "report.html").read_text() == "thesis"


def test_sections_are_replaced_one_by_one(folder):
    folder.update_metrics(fit={"loss": 1.0}, data={"read": 3})
    folder.update_metrics(fit={"loss": 0.5})
    assert folder.metrics == {"fit": {"loss": 0.5}, "data": {"read": 3}}
    folder.update_stage("fit", {"seed": 1}, complete=True)
    folder.update_stage("steer", {}, complete=False)
    folder.forget_stage("steer")
    assert folder.stages == {"fit": {"options": {"seed": 1}, "complete": True}}


def test_smiles_keep_their_lines_and_empty_ones(folder):
    smiles = ["CCO", "", "", "C"]
    folder.write_smiles("samples.smi", smiles)
    assert (folder.path / "samples.smi").read_text() == "CCO\n\n\nC\n"
    assert folder.read_smiles("samples.smi") == smiles
    folder.write_smiles("samples.smi", [])
    assert folder.read_smiles("samples.smi") == []
    assert folder.read_smiles("steered.smi") == []


@pytest.mark.parametrize("content", [b"{", b"[1, 2]", b"\xff\xfe\x00", b"[" * 100_000])
def test_damaged_json_is_named(folder, content):
    (folder.path / "metrics.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"metrics\.json: damaged"):
        folder.metrics  # noqa: B018


def test_binary_smiles_are_named(folder):
    (folder.path / "samples.smi").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"samples\.smi: not a text file"):
        folder.read_smiles("samples.smi")


def test_a_later_format_is_refused(folder):
    (folder.path / "config.json").write_text('{"format": 99}')
    with pytest.raises(CheckpointError, match="format 99, expected 1"):
        folder.config  # noqa: B018


def test_require(tmp_path, folder):
    folder.require()
    with pytest.raises(DataError, match="no such folder"):
        RunFolder(tmp_path / "missing").require()
    with pytest.raises(DataError, match=r"holds no config\.json"):
        RunFolder(tmp_path).require()
