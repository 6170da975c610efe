"""What every writer promises: whole or not there, readable as any other file, errors that name the file."""

import os
import stat
from contextlib import contextmanager

import numpy as np
import pytest
import torch

import softdraw.molecules.scoring.frechet as frechet
from softdraw import files
from softdraw.molecules import MoleculeGenerator
from softdraw.molecules.data.dataset import load
from softdraw.molecules.errors import OutputError
from softdraw.molecules.fitting.trainer import CheckpointFiles
from softdraw.molecules.report import write_report
from softdraw.molecules.storage.arrays import write_arrays
from softdraw.molecules.storage.atomic import atomic, write_bytes, write_json, write_pieces, write_text
from softdraw.molecules.storage.run_folder import RunFolder
from softdraw.molecules.storage.tensors import write_state, write_tensors

from ..full_disk import largest_file
from ..small import MOLECULES, SIZES

NUMBERS = torch.arange(1000.0)


def write_atomically(path):
    with atomic(path) as file:
        file.write(b"x" * 1000)


WRITERS = {
    "atomic": write_atomically,
    "bytes": lambda path: write_bytes(path, b"x" * 1000),
    "text": lambda path: write_text(path, "x" * 1000),
    "pieces": lambda path: write_pieces(path, ["x" * 500] * 2),
    "json": lambda path: write_json(path, {"numbers": NUMBERS.tolist()}),
    "npz": lambda path: write_arrays(path, {"numbers": np.random.default_rng(0).random(1000)}),
    "safetensors": lambda path: write_tensors(path, {"numbers": NUMBERS}),
    "torch": lambda path: write_state(path, {"numbers": NUMBERS}),
    "Lightning": lambda path: CheckpointFiles().save_checkpoint({"numbers": NUMBERS}, path),
    "SMILES": lambda path: RunFolder(path.parent).write_smiles(path.name, ["CCO"] * 1000),
}


@contextmanager
def umask(value):
    before = os.umask(value)
    try:
        yield
    finally:
        os.umask(before)


def modes(folder):
    return {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
@pytest.mark.parametrize("name", WRITERS)
def test_a_file_has_the_mode_of_any_other_file_of_the_user(tmp_path, name, mask, mode):
    with umask(mask):
        WRITERS[name](tmp_path / "a")
    assert modes(tmp_path) == {mode}
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_is_on_disk_before_it_takes_its_place(tmp_path, monkeypatch, name):
    events = []
    sync, rename = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (events.append(("sync", os.fstat(fd).st_ino)), sync(fd)))
    monkeypatch.setattr(os, "replace", lambda a, b: (events.append(("rename", str(b))), rename(a, b)))
    WRITERS[name](tmp_path / "a")
    place = events.index(("rename", str(tmp_path / "a")))
    assert ("sync", (tmp_path / "a").stat().st_ino) in events[:place]
    assert ("sync", tmp_path.stat().st_ino) in events[place:]


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_keeps_the_old_file_and_is_named(tmp_path, monkeypatch, name):
    (tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr("softdraw.molecules.storage.tensors.make_folder", lambda folder: folder)
    with largest_file(64), pytest.raises(OutputError, match=r"/a: cannot be written \(File too large\)"):
        WRITERS[name](tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("name", WRITERS)
def test_a_folder_where_the_file_should_be_is_named(tmp_path, name):
    (tmp_path / "a").mkdir()
    with pytest.raises(OutputError, match=r"/a: cannot be written \(Is a directory\)"):
        WRITERS[name](tmp_path / "a")
    assert os.listdir(tmp_path / "a") == []


def test_everything_that_is_left_of_a_fit_can_be_read_by_colleagues(tmp_path, monkeypatch):
    """Checkpoints, log, saved generator, caches, report, with real content."""
    monkeypatch.setattr(frechet, "activations", lambda smiles: np.eye(len(smiles), 512, dtype=np.float32))
    with umask(0o022):
        generator = MoleculeGenerator(**SIZES).fit(MOLECULES, steps=1, folder=tmp_path / "fit")
        generator.steer({"heteroatoms": 1}, steps=1, batch_size=4, folder=tmp_path / "steer")
        generator.save(tmp_path / "saved")
        load(MOLECULES, cache=tmp_path / "encoded")
        frechet.reference_statistics(MOLECULES, tmp_path / "scores")
        run = RunFolder(tmp_path / "run")
        run.claim()
        run.write_config({"options": {}})
        write_report(run)
    names = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    expected = {
        "fit.ckpt",
        "steer.ckpt",
        "model.safetensors",
        "molecules.npz",
        "generator.json",
        "config.json",
    }
    assert expected | {"report.html"} <= names
    assert list((tmp_path / "encoded").iterdir())
    assert list((tmp_path / "scores").iterdir())
    assert modes(tmp_path) == {0o644}


def test_a_device_is_written_to_and_stays_a_device():
    with files.atomic("/dev/null") as file:
        file.write(b"x")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@pytest.mark.parametrize("writer", [atomic, files.atomic])
@pytest.mark.parametrize("error", [KeyError, RuntimeError])
def test_an_error_of_the_body_keeps_the_old_file(tmp_path, writer, error):
    (tmp_path / "a").write_text("old")

    def half():
        with writer(tmp_path / "a") as file:
            file.write(b"half")
            raise error("mine")

    with pytest.raises(error, match="mine"):
        half()
    assert (tmp_path / "a").read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


def test_a_long_name_leaves_room_for_the_unfinished_file(tmp_path):
    with files.atomic(tmp_path / ("n" * 255)) as file:
        file.write(b"x")
    assert os.listdir(tmp_path) == ["n" * 255]
