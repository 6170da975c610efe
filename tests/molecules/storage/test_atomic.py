"""Files are whole or not there, whatever the disk does."""

import errno
import json
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from softdraw.molecules.errors import OutputError
from softdraw.molecules.storage import atomic as writing
from softdraw.molecules.storage.atomic import make_folder, write_bytes, write_json, write_text


def full_disk(*_arguments, **_options):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_write_replaces_and_leaves_nothing_beside_the_target(tmp_path):
    target = tmp_path / "a.txt"
    write_text(target, "old")
    write_text(target, "new ü")
    assert target.read_text(encoding="utf-8") == "new ü"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("step", ["fsync", "replace", "fdopen"])
def test_full_disk_at_any_step_keeps_the_old_file(tmp_path, monkeypatch, step):
    target = tmp_path / "a.txt"
    write_text(target, "old")
    monkeypatch.setattr(writing.os, step, full_disk)
    with pytest.raises(OutputError, match=r"a\.txt: cannot be written \(No space left on device\)"):
        write_text(target, "new")
    monkeypatch.undo()
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_write_is_renamed_into_place_only_when_all_of_it_is_on_disk(tmp_path, monkeypatch):
    synced = []
    real = os.fsync
    monkeypatch.setattr(writing.os, "fsync", lambda fd: (synced.append(os.fstat(fd).st_size), real(fd)))
    rename = os.replace

    def replace(source, target):
        assert synced == [5]
        rename(source, target)

    monkeypatch.setattr(writing.os, "replace", replace)
    write_bytes(tmp_path / "a", b"whole")
    assert (tmp_path / "a").read_bytes() == b"whole"


def test_a_file_where_a_folder_should_be_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file/run: cannot be written"):
        make_folder(tmp_path / "file" / "run")
    with pytest.raises(OutputError, match=r"missing/a: cannot be written \(No such file"):
        write_text(tmp_path / "missing" / "a", "")


def test_folder_without_permission(monkeypatch):
    # pytest's own folders are closed to others, and root may write anywhere
    with tempfile.TemporaryDirectory(dir="/tmp") as outer:
        os.chmod(outer, 0o755)
        locked = Path(outer) / "locked"
        locked.mkdir(mode=0o555)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)
        try:
            with pytest.raises(OutputError, match=r"locked: cannot be written \(Permission denied\)"):
                make_folder(locked)
            with pytest.raises(OutputError, match=r"locked/a: cannot be written \(Permission denied\)"):
                write_text(locked / "a", "x")
        finally:
            if root:
                os.seteuid(0)


def test_make_folder_notices_a_full_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(writing.os, "fsync", full_disk)
    with pytest.raises(OutputError, match="No space left on device"):
        make_folder(tmp_path / "run")
    assert os.listdir(tmp_path / "run") == []


def test_json_is_strict_and_plain(tmp_path):
    value = {
        "nan": float("nan"),
        "inf": np.inf,
        "np": np.float64(0.5),
        "array": np.array([1, 2]),
        "tuple": (1, None),
        "path": tmp_path,
        3: True,
        "nested": [{"x": float("-inf")}],
        "text": "<ü>",
    }
    write_json(tmp_path / "a.json", value)

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    found = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert found == {
        "nan": None,
        "inf": None,
        "np": 0.5,
        "array": [1, 2],
        "tuple": [1, None],
        "path": str(tmp_path),
        "3": True,
        "nested": [{"x": None}],
        "text": "<ü>",
    }
