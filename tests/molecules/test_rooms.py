"""What the rooms of the molecules say of themselves is true."""

import ast
import re
from pathlib import Path

import pytest

import softdraw.molecules

HOME = Path(softdraw.molecules.__file__).parent
ROOMS = sorted(path.parent.name for path in HOME.glob("*/__init__.py"))


def imported(room):
    """Rooms and modules of the molecules that a room imports, for type checkers only or not."""
    found = set()
    for path in (HOME / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            found |= {n.split(".")[2] for n in names if n.startswith("softdraw.molecules.")}
    return found - {room}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_what_it_says(room):
    said = ast.get_docstring(ast.parse((HOME / room / "__init__.py").read_text(encoding="utf-8")))
    allowed = set(re.findall(r"``(\w+)``", said.partition("May import")[2]))
    assert imported(room) <= allowed
    assert allowed <= {*ROOMS, "errors", "generator", "saving"}
