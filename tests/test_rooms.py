"""A newcomer can hold a room in mind: its ``__init__`` says what lives there, and it is not wide."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "softdraw"
PACKAGES = sorted(path.parent for path in SOURCE.rglob("__init__.py"))
WIDEST = 16


def name_of(package):
    return ".".join(package.relative_to(SOURCE.parent).parts)


@pytest.mark.parametrize("package", PACKAGES, ids=name_of)
def test_a_room_says_what_lives_there_and_what_it_may_import(package):
    said = ast.get_docstring(ast.parse((package / "__init__.py").read_text(encoding="utf-8"))) or ""
    summary, _, rest = said.partition("\n")
    assert summary.strip()
    assert "May import" in " ".join(rest.split()), f"{name_of(package)}: {said!r}"


@pytest.mark.parametrize("package", PACKAGES, ids=name_of)
def test_a_room_is_not_wide(package):
    modules = [path.name for path in package.glob("*.py") if path.name != "__init__.py"]
    assert len(modules) <= WIDEST, sorted(modules)


def test_every_folder_with_modules_is_a_room():
    assert {path.parent for path in SOURCE.rglob("*.py")} == set(PACKAGES)
