"""One cache folder for everything, where each system has it."""

import sys

import pytest

from softdraw.files import cache_folder


@pytest.mark.parametrize(
    ("system", "variable", "below"),
    [
        ("linux", "XDG_CACHE_HOME", "softdraw"),
        ("linux", "HOME", ".cache/softdraw"),
        ("win32", "LOCALAPPDATA", "softdraw/Cache"),
        ("darwin", "HOME", "Library/Caches/softdraw"),
    ],
)
def test_the_cache_is_where_the_system_has_it(monkeypatch, tmp_path, system, variable, below):
    monkeypatch.delenv("SOFTDRAW_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setattr(sys, "platform", system)
    assert cache_folder() == tmp_path / below
    monkeypatch.setenv("SOFTDRAW_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"


def test_it_is_the_folder_that_other_packages_find(monkeypatch):
    """Those who have no need of a bare installation ask platformdirs, through pooch."""
    pooch = pytest.importorskip("pooch")
    monkeypatch.delenv("SOFTDRAW_CACHE", raising=False)
    assert cache_folder() == pooch.os_cache("softdraw")
