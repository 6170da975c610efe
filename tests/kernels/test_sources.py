"""The C files: who includes whom is what their README draws, and all of them are built and shipped."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src/softdraw/kernels/cpu/src"
FILES = sorted(path for path in SOURCES.rglob("*.[ch]"))


def name(path):
    return path.resolve().relative_to(SOURCES.resolve()).as_posix()


def includes(path):
    return [name(path.parent / one) for one in re.findall(r'^#include "(.+)"', path.read_text(), re.M)]


def drawn():
    """Who includes whom, as the README has it: indented lists under ``Who includes whom``."""
    text = (SOURCES / "README.md").read_text()
    section = text.split("## Who includes whom")[1].split("## ")[0]
    tree, above = {}, []
    for line in re.findall(r"^ {4}.+", section, re.M):
        depth = (len(line) - len(line.lstrip())) // 2 - 2
        one = line.split()[0]
        tree.setdefault(one, [])
        above = [*above[:depth], one]
        if depth:
            tree[above[depth - 1]].append(one)
    return tree


def test_the_readme_draws_the_includes():
    expected = {name(path): list(dict.fromkeys(includes(path))) for path in FILES}
    found = drawn()
    assert found.keys() == expected.keys()
    for file, included in expected.items():
        assert sorted(set(found[file])) == sorted(included), file


def test_a_folder_has_at_most_sixteen_files():
    for folder in [SOURCES, *(path for path in SOURCES.iterdir() if path.is_dir())]:
        assert len([path for path in folder.iterdir() if path.suffix in (".c", ".h")]) <= 16, folder


@pytest.mark.skipif(not (ROOT / "setup.py").exists(), reason="needs the repository")
def test_all_are_built(monkeypatch):
    pytest.importorskip("setuptools")
    built = {}
    monkeypatch.setattr("setuptools.setup", lambda **options: built.update(options))
    monkeypatch.chdir(ROOT)
    runpy.run_path("setup.py")
    (extension,) = built["ext_modules"]
    assert sorted(name(Path(path)) for path in extension.sources + extension.depends) == sorted(
        map(name, FILES)
    )


@pytest.mark.skipif(not (ROOT / "setup.py").exists(), reason="needs the repository")
def test_all_are_in_the_source_distribution(tmp_path):
    pytest.importorskip("setuptools")
    command = [sys.executable, "setup.py", "-q", "egg_info", "--egg-base", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    shipped = set((tmp_path / "softdraw.egg-info/SOURCES.txt").read_text().split())
    promised = [*FILES, SOURCES / "README.md", SOURCES.parent / "_native.pyi"]
    assert {path.relative_to(ROOT).as_posix() for path in promised} <= shipped
