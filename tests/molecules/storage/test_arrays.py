import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softdraw.molecules.errors import DataError, OutputError
from softdraw.molecules.storage import arrays as storage


@given(st.text(st.characters(codec="utf-8")))
def test_text_comes_back(text):
    assert storage.as_text(storage.as_bytes(text)) == text


def test_arrays_come_back(tmp_path):
    arrays = {"a": np.arange(6).reshape(2, 3), "b": np.zeros(0), "c": storage.as_bytes("äöü")}
    storage.write_arrays(tmp_path / "x.npz", arrays)
    found = storage.read_arrays(tmp_path / "x.npz")
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_a_failed_write_keeps_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "x.npz"
    storage.write_arrays(path, {"a": np.ones(3)})
    before = path.read_bytes()

    def full_disk(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", full_disk)
    with pytest.raises(OutputError, match=r"x\.npz: cannot be written \(No space left on device\)"):
        storage.write_arrays(path, {"a": np.zeros(3)})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_objects_are_neither_written_nor_read(tmp_path):
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        storage.write_arrays(tmp_path / "x.npz", {"a": np.array([object()])})
    assert list(tmp_path.iterdir()) == []
    np.savez(tmp_path / "y.npz", a=np.array([{}]))
    with pytest.raises(DataError, match=r"y\.npz: cannot be read"):
        storage.read_arrays(tmp_path / "y.npz")
