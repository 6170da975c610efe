"""The reference has every public name, and nothing that is not there."""

import ast
import importlib
import re
from pathlib import Path

import pytest

import softdraw as sd

ROOT = Path(__file__).parent.parent
SOURCE, DOCS = ROOT / "src" / "softdraw", ROOT / "docs"
#: the command line is a program, explained by --help, pages is what our reports are made with, and sharding
#: what functions do with DTensors
NO_REFERENCE = {"cli", "pages", "sharding"}
ROOMS = sorted({path.parent.name for path in SOURCE.glob("*/__init__.py")} - NO_REFERENCE)


def entries(page):
    return re.findall(r"^::: (\S+)$", page.read_text(encoding="utf-8"), re.MULTILINE)


def public(room):
    """Where the public names of a room stand: in the room, or in the modules that it imports late."""
    names = {f"softdraw.{room}.{name}" for name in importlib.import_module(f"softdraw.{room}").__all__}
    if room == "integrations":
        for path in (SOURCE / room).glob("[a-z]*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for node in tree.body:
                if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                    names |= {f"softdraw.{room}.{path.stem}.{name}" for name in ast.literal_eval(node.value)}
    return names


def test_there_is_a_page_for_every_room():
    assert {page.stem for page in (DOCS / "reference").glob("*.md")} == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_has_an_entry(room):
    found = entries(DOCS / "reference" / f"{room}.md")
    # what stands in the root too is found there by most
    at_root = {name: name.replace(f".{room}.", ".") for name in public(room)}
    missing = {name for name, short in at_root.items() if name not in found and short not in found}
    assert not missing
    assert len(found) == len(set(found)) == len(at_root)


def test_every_name_of_the_root_has_an_entry():
    pages = [DOCS / "reference" / f"{room}.md" for room in ("functional", "random")]
    found = {entry.rpartition(".")[2] for page in pages for entry in entries(page)}
    assert set(sd.__all__) - set(ROOMS) <= found


@pytest.mark.parametrize("entry", [e for page in sorted(DOCS.rglob("*.md")) for e in entries(page)])
def test_an_entry_is_a_name_that_is_there(entry):
    module, name = entry.rsplit(".", 1)
    if module.startswith("softdraw.integrations."):
        pytest.importorskip(module.rpartition(".")[2])
    assert hasattr(importlib.import_module(module), name)


def test_every_page_is_in_the_navigation():
    listed = set(re.findall(r": (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE))
    assert listed == {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}


@pytest.mark.parametrize(
    "page",
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))],
    ids=lambda page: page.name,
)
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        file, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        goal = (page.parent / file).resolve() if file else page
        assert goal.exists(), target
        if anchor:
            heads = re.findall(r"^#+ (.+)$", goal.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[\s]+", "-", re.sub(r"[^\w\s-]", "", head.lower()).strip()) for head in heads}
            assert anchor in slugs, target
