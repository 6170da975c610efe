"""The reference has every public name, and nothing that is not there."""

import ast
import importlib
import re
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

import softdraw as sd

ROOT = Path(__file__).parent.parent
SOURCE, DOCS = ROOT / "src" / "softdraw", ROOT / "docs"
#: the command line is a program, explained by --help, pages is what our reports are made with, and sharding
#: what functions do with DTensors
NO_REFERENCE = {"cli", "explore", "pages", "sharding"}
ROOMS = sorted({path.parent.name for path in SOURCE.glob("*/__init__.py")} - NO_REFERENCE)


#: modules inside a room whose names are all for users
WHOLE = [
    "softdraw.diagnostics.problems",
    "softdraw.molecules.chemistry.patterns",
    "softdraw.molecules.data.dataset",
    "softdraw.molecules.scoring.moses",
    "softdraw.molecules.scoring.scores",
]


def entries(page):
    return re.findall(r"^::: (\S+)$", page.read_text(encoding="utf-8"), re.MULTILINE)


ENTRIES = [entry for page in sorted((DOCS / "reference").glob("*.md")) for entry in entries(page)]


def thing_of(path):
    """What a dotted name leads to; what hangs on a class or a function counts as that."""
    thing = sd
    for name in path.split(".")[1:]:
        if isinstance(thing, ModuleType):
            try:
                thing = getattr(thing, name)
            except AttributeError:
                thing = importlib.import_module(f"{thing.__name__}.{name}")
        else:
            assert hasattr(thing, name), path
            return thing
    return thing


@cache
def known():
    """What the reference has; of a module that has an entry, what it offers."""
    found = [thing_of(entry) for entry in ENTRIES]
    return found + [
        getattr(one, name) for one in found if isinstance(one, ModuleType) for name in one.__all__
    ]


def is_known(path):
    thing = thing_of(path)
    return any(thing is one for one in known())


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
    assert len(found) == len(set(found))
    # what stands deeper in the room than its public names comes from a module that offers it
    for entry in set(found) - set(at_root) - set(at_root.values()):
        module, _, name = entry.rpartition(".")
        assert module.startswith(f"softdraw.{room}."), entry
        assert name in importlib.import_module(module).__all__, entry


@pytest.mark.parametrize("module", WHOLE)
def test_every_name_of_an_inner_module_has_an_entry(module):
    pytest.importorskip("rdkit")
    for name in importlib.import_module(module).__all__:
        assert is_known(f"{module}.{name}"), name


def test_every_estimator_has_an_entry():
    for name in sd.estimators.names():
        assert type(sd.estimators.get(name)) in known(), name


def names_on_pages():
    """What the pages import, and what they name between backticks, with the page."""
    for page in [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]:
        text = page.read_text(encoding="utf-8")
        for block in re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            for node in ast.walk(ast.parse(block)):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("softdraw"):
                    yield from ((page.name, f"{node.module}.{alias.name}") for alias in node.names)
        prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        for path in re.findall(r"`(?:softdraw|sd)((?:\.[A-Za-z_]\w*)+)", prose):
            yield page.name, f"softdraw{path}"


@pytest.mark.parametrize(("page", "path"), sorted(set(names_on_pages())))
def test_what_a_page_names_is_in_the_reference(page, path):
    """A reader who looks it up finds it; modules and rooms are named for whoever reads the code."""
    pytest.importorskip("rdkit")
    assert isinstance(thing_of(path), ModuleType) or is_known(path)


def test_every_name_of_the_root_has_an_entry():
    pages = [DOCS / "reference" / f"{room}.md" for room in ("functional", "random")]
    found = {entry.rpartition(".")[2] for page in pages for entry in entries(page)}
    assert set(sd.__all__) - set(ROOMS) <= found


@pytest.mark.parametrize("entry", ENTRIES)
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
