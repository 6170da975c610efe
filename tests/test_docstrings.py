"""Docstrings of one form: sections of one name everywhere, and every public name explained."""

import ast
import dataclasses
import importlib
import inspect
import re
from pathlib import Path

import pytest

import softdraw as sd

SOURCE = Path(sd.__file__).parent
SECTIONS = {"Args", "Attributes", "Example", "Raises", "Reference", "Returns", "Shapes", "Yields"}
#: rooms whose names a user may import
ROOMS = (
    "distributions",
    "estimators",
    "filters",
    "functional",
    "kernels",
    "nn",
    "random",
    "schedules",
    "structured",
    "vocabulary",
    "diagnostics",
    "molecules",
)
#: classes that are there to be derived from
BASES = {"Estimator", "Resumable", "Schedule", "Structured", "TemperedEstimator", "TensorEstimator"}


def docstrings(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield getattr(node, "name", path.name), text


@pytest.mark.parametrize(
    "path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE).with_suffix(""))
)
def test_sections_have_one_name_each(path):
    for name, text in docstrings(path):
        found = re.findall(r"^([A-Z][a-z]+):(?:\s*$| [A-Z])", text, re.MULTILINE)
        assert set(found) <= SECTIONS, name
        assert len(found) == len(set(found)), name


def public(room):
    module = importlib.import_module(f"softdraw.{room}")
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.isclass(value) or inspect.isroutine(value):
            yield pytest.param(value, id=f"{room}.{name}")


@pytest.mark.parametrize("value", [value for room in ROOMS for value in public(room)])
def test_a_public_name_is_explained(value):
    """What a user calls has an example; what he is given says what is in it."""
    text = value.__doc__ or ""
    summary, *rest = text.splitlines()
    assert summary.endswith((".", ")", "]"))
    # a summary that runs on is cut in lists of names, and a formula in two cannot be read
    assert not rest or not rest[0].strip(), summary
    if inspect.isclass(value) and issubclass(value, Exception):
        return
    if inspect.isclass(value) and (dataclasses.is_dataclass(value) or issubclass(value, tuple)):
        assert "Attributes:" in text or "Example:" in text
    elif value.__name__ not in BASES:
        assert "Example:" in text
        assert ">>> " in text


def entries(text, section):
    """Names that a section explains: ``name: ...``, or ``first, second: ...``."""
    found = re.search(rf"^{section}:\s*\n((?:[ ]{{4}}.*\n|\s*\n)*)", text + "\n", re.MULTILINE)
    lines = found[1].splitlines() if found else []
    heads = [re.match(r" {4}(\*{0,2}\w+(?:, \*{0,2}\w+)*)(?: \([^)]*\))?:", line) for line in lines]
    return [name.strip("* ") for head in heads if head for name in head[1].split(",")]


def explained_and_real(path):
    """For each docstring with a section of names: where it stands, what it explains, what there is."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        text = ast.get_docstring(node) if isinstance(node, ast.ClassDef | ast.FunctionDef) else None
        if not text:
            continue
        if isinstance(node, ast.FunctionDef):
            function = node
        else:
            function = next(
                (one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"),
                None,
            )
            fields = [
                one.target.id
                for one in node.body
                if isinstance(one, ast.AnnAssign) and "ClassVar" not in ast.unparse(one.annotation)
            ]
            if re.search(r"^Attributes:", text, re.MULTILINE) and function is None and fields:
                yield node.name, entries(text, "Attributes"), [f for f in fields if not f.startswith("_")]
        if function is not None and re.search(r"^Args:", text, re.MULTILINE):
            arguments = function.args
            names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
            names += [a.arg for a in (arguments.vararg, arguments.kwarg) if a is not None]
            yield node.name, entries(text, "Args"), [n for n in names if n not in ("self", "cls")]


@pytest.mark.parametrize(
    "path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE).with_suffix(""))
)
def test_arguments_and_attributes_are_explained_one_an_entry(path):
    for name, explained, real in explained_and_real(path):
        # the standard error of a figure is explained once for all of them
        own = [one for one in real if one.removesuffix("_error") not in explained or one in explained]
        assert sorted(explained) == sorted(own), name
