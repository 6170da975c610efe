"""Each example runs once in a session of tests, whoever asks for it and whichever process does."""

import contextlib
import importlib.util
import io
import json
import os
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from filelock import FileLock

FOLDER = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))


class Run(NamedTuple):
    """What an example did with nothing but ``--out``: figures by name, its picture, what it printed."""

    figures: dict[str, float]
    picture: Path
    printed: str


def load(name):
    """The module of an example, which is no part of a package."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(name, folder):
    picture, stored = folder / f"{name}.png", folder / f"{name}.json"
    if not stored.exists():
        with torch.random.fork_rng(), contextlib.redirect_stdout(io.StringIO()) as printed:
            figures = load(name).main(["--out", str(picture)])
        stored.write_text(json.dumps([figures, printed.getvalue()]), encoding="utf-8")
    figures, printed = json.loads(stored.read_text(encoding="utf-8"))
    return Run(figures, picture, printed)


@pytest.fixture(scope="session")
def ran(tmp_path_factory):
    """``ran("digits_vae").figures``: the result of that example's only run."""
    base = tmp_path_factory.getbasetemp()
    # the folder above is common to all processes of pytest-xdist; without it, to other sessions too
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "examples"
    folder.mkdir(exist_ok=True)

    def once(name):
        with FileLock(folder / f"{name}.lock"):
            return run(name, folder)

    return once


@pytest.fixture
def example():
    """``example("digits_vae")``: the module, for tests of its parts."""
    return load
