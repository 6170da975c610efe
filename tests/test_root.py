"""The face of the package: its rooms are known to type checkers, and are imported when first touched."""

import subprocess
import sys
from pathlib import Path

import pytest

import softdraw as sd

SOURCE = Path(__file__).parent.parent / "src"
#: what only an extra brings, and what of torch's own a program without layers may do without
OPTIONAL = (
    "rdkit",
    "lightning",
    "pytorch_lightning",
    "matplotlib",
    "typer",
    "rich",
    "jinja2",
    "transformers",
    "pyro",
)
#: folders of src/softdraw that are no room of their own in ``sd``: a program, what reports are made with, and
#: what draws from DTensors
NO_ROOM = {"cli", "explore", "pages", "sharding"}

PROGRAM = """
import softdraw as sd
from softdraw import estimators, nn
from softdraw.integrations import lightning as pl

reveal_type(sd.nn.Choice)
reveal_type(sd.estimators.get("st"))
reveal_type(sd.distributions.RelaxedBernoulli)
reveal_type(sd.schedules.Cosine)
reveal_type(sd.diagnostics.compare)
reveal_type(sd.molecules.MoleculeGenerator)
reveal_type(sd.integrations.lightning.TemperatureCallback)
reveal_type(nn.GumbelSoftmax)
"""
ERRORS = (
    "sd.nn.NoSuchLayer",
    "sd.typo",
    "sd.molecules.NoSuch",
    "sd.integrations.nothing",
    "estimators.nothing",
)


def rooms():
    return {path.parent.name for path in (SOURCE / "softdraw").glob("*/__init__.py")} - NO_ROOM


def python(code, *flags):
    return subprocess.run([sys.executable, *flags, "-c", code], capture_output=True, text=True, check=False)


def test_every_room_is_a_public_name():
    assert rooms() <= set(sd.__all__)
    assert set(sd.__all__) <= set(dir(sd))
    for name in sd.__all__:
        assert getattr(sd, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    for module in (sd, sd.molecules, sd.integrations):
        with pytest.raises(AttributeError, match="has no attribute 'typo'"):
            module.typo  # noqa: B018


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """What mypy says of a user's file, line by line; torch and the extras are left unread, to save time."""
    pytest.importorskip("mypy")
    folder = tmp_path_factory.mktemp("mypy")
    program = folder / "program.py"
    program.write_text(PROGRAM + "".join(f"{name}\n" for name in ERRORS))
    outside = ",".join(f"{name}.*" for name in (*OPTIONAL, "torch", "numpy", "chemicals", "fcd"))
    (folder / "mypy.ini").write_text(
        "[mypy]\nstrict = True\nignore_missing_imports = True\n"
        f"[mypy-{outside}]\nfollow_imports = skip\n[mypy-softdraw.*]\nignore_errors = True\n"
    )
    words = ["--config-file", str(folder / "mypy.ini"), "--cache-dir", str(folder / "cache"), str(program)]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *words],
        capture_output=True,
        text=True,
        check=False,
        env={"MYPYPATH": str(SOURCE), "PATH": ""},
    )
    assert not done.stderr
    lines = program.read_text().splitlines()
    said = [line.split(":", 2)[1:] for line in done.stdout.splitlines() if line.startswith(str(program))]
    return [(lines[int(number) - 1], text) for number, text in said]


def test_a_type_checker_knows_the_rooms(checked):
    revealed = [(line, text) for line, text in checked if line.startswith("reveal_type")]
    assert len(revealed) == PROGRAM.count("reveal_type")
    for line, text in revealed:
        assert "softdraw." in text, (line, text)
        assert "Revealed type is" in text


def test_a_name_that_there_is_not_is_an_error_to_a_type_checker(checked):
    errors = {line for line, text in checked if "error" in text and "has no attribute" in text}
    assert errors == set(ERRORS)


def test_the_import_needs_torch_and_nothing_else():
    hidden = "; ".join(f"sys.modules[{name!r}] = None" for name in OPTIONAL)
    done = python(f"import sys; {hidden}; import softdraw as sd; sd.gumbel_max(sd.random.gumbel((3,)))")
    assert done.returncode == 0, done.stderr


def test_the_import_leaves_the_other_rooms_alone():
    done = python("import sys, softdraw; print(sorted(m for m in sys.modules if m.startswith('softdraw.')))")
    assert done.returncode == 0, done.stderr
    loaded = {name.split(".")[1] for name in eval(done.stdout)}
    assert loaded & rooms() == {"functional", "kernels", "random"}


@pytest.mark.parametrize("hide", [False, True], ids=["with the extras", "without"])
def test_a_star_import_brings_every_room_and_no_extra(hide):
    hidden = "; ".join(f"sys.modules[{name!r}] = None" for name in OPTIONAL) if hide else "pass"
    loaded = f"[m for m in {OPTIONAL} if sys.modules.get(m)]"
    done = python(f"import sys; {hidden}\nfrom softdraw import *\nassert nn and molecules\nprint({loaded})")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("missing", ["rdkit", "lightning"])
@pytest.mark.parametrize("name", ["MoleculeGenerator", "score"])
def test_molecules_without_its_extra_say_what_to_install(missing, name):
    # only a package that is imported for the name can be missed
    done = python(f"import sys; sys.modules[{missing!r}] = None; from softdraw.molecules import {name}")
    if (missing, name) == ("lightning", "score"):
        assert done.returncode == 0, done.stderr
    else:
        assert "pip install 'softdraw[molecules]'" in done.stderr
        assert f"softdraw.molecules needs {missing}" in done.stderr
