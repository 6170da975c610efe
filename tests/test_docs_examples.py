"""Every block of code in README and docs runs, or is marked and says why it does not.

A page's Python blocks run one after another in one namespace, in a folder with the files that the page names.
``<!-- setup ... -->`` before a block is Python that a reader does not see, and the marker
``<!-- not run: reason -->`` keeps it from running. Budgets in minutes become a few steps. The commands of
``sh`` blocks are read by the program that they call; ``test_docs_commands.py`` runs those of softdraw. A
block after ``<!-- errors -->`` shows messages under what raises them; ``test_docs_errors.py`` runs it.
"""

import re
import shlex
import warnings
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from softdraw.estimators._core import registry

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
#: a comment that stands directly before a block, the language of the block, and its text
BLOCK = re.compile(
    r"(?:<!--(?P<comment>(?:(?!-->).)*)-->\s*)?^```(?P<language>\w*)\n(?P<text>.*?)^```", re.S | re.M
)
#: blocks of other languages than these are refused; one without a language shows what is printed
LANGUAGES = {"python", "sh", ""}

MOLECULES = [
    f"{head}{middle}{tail}"
    for head in ("C", "N", "O", "FC")
    for middle in ("C", "CC", "C(C)C")
    for tail in ("C", "O", "C#N", "C1CC1")
]


def _readme(names):
    assert names["logits"].softmax(0)[3] > 0.9
    assert len(names["generator"].sample(10)) == 10


def _first_layer(names):
    assert names["loss"] < 0.02
    assert round(names["tau"].value, 2) == 0.3
    assert len(names["chosen"].unique()) == 3
    assert names["logits"].grad.abs().sum() > 0


def _discrete_vae(names):
    assert round(names["tau"].value, 2) == 0.55
    # a model that has learned nothing but the pixels' mean loses 35 nats
    assert names["loss"] < 30
    assert names["perplexity"] > 3
    assert names["images"].shape == (16, 8, 8)


def _steer_your_own(names):
    assert len(names["steered"]) == 100
    assert names["generator"].steer_summary["targets"][0]["property"].endswith(":rings")


def _diagnostics(names):
    f, logits = names["problem"]()
    assert names["sd"].diagnostics.exact_gradient(f, logits).norm() > 0


def _tricks(names):
    assert names["dead"] > 0.5
    assert [round(names["tau"].at(step), 1) for step in (0, 500, 3000)] == [1.0, 1.0, 0.4]


#: what a page says of its own code
CLAIMS = {
    "README": _readme,
    "diagnostics": _diagnostics,
    "discrete-vae": _discrete_vae,
    "first-layer": _first_layer,
    "steer-your-own": _steer_your_own,
    "tricks": _tricks,
}


class Block(NamedTuple):
    """A block of code on a page."""

    page: Path
    line: int
    language: str
    text: str
    setup: str
    skipped: str | None
    errors: str | None


def blocks_of(page):
    text = page.read_text(encoding="utf-8")
    for found in BLOCK.finditer(text):
        comment = (found["comment"] or "").strip()
        setup = comment.removeprefix("setup") if comment.startswith("setup") else ""
        skipped = comment.removeprefix("not run:").strip() if comment.startswith("not run:") else None
        errors = comment.removeprefix("errors").strip(" :") if comment.startswith("errors") else None
        line = text.count("\n", 0, found.start("text")) + 1
        yield Block(page, line, found["language"], found["text"], setup, skipped, errors)


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def name_of(block):
    return f"{block.page.stem}:{block.line}"


def test_every_fence_is_found():
    """Two fences a block: none is hidden from these tests by its form."""
    for page in PAGES:
        fences = re.findall(r"^ *```", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert len(fences) == 2 * len(list(blocks_of(page))), page.name
    assert {block.language for block in BLOCKS} <= LANGUAGES


def test_a_block_that_does_not_run_says_why():
    for block in BLOCKS:
        assert block.skipped is None or len(block.skipped) > 15, name_of(block)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with the files that the pages name."""
    for name in ("my_molecules.smi", "mine.smi", "samples.smi"):
        (tmp_path / name).write_text("".join(f"{smiles}\n" for smiles in MOLECULES))
    for name, text in {
        "empty.smi": "",
        "words.smi": "hello\nworld\nfriends\n",
        "notes.pdf": "%PDF",
        "names.csv": "id,name\n1,ethanol\n2,propane\n",
        "runs/old/config.json": "{}",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for name in ("mine.csv", "table.csv"):
        rows = "".join(f"{number},{smiles}\n" for number, smiles in enumerate(MOLECULES))
        (tmp_path / name).write_text(f"id,{'drawn' if name == 'table.csv' else 'SMILES'}\n{rows}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOFTDRAW_CACHE", str(tmp_path / "cache"))
    return tmp_path


def shortened(code):
    """Seconds instead of minutes."""
    code = re.sub(r"(steer\([^\n]*)minutes=[\d.]+", r"\1steps=2, property_steps=2", code)
    return re.sub(r"minutes=[\d.]+", "steps=2", code)


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if any(block.language == "python" for block in blocks_of(page))],
    ids=lambda page: page.stem,
)
def test_python_blocks_run(page, folder, monkeypatch):
    # a page that registers an estimator does so for itself alone
    monkeypatch.setattr(registry, "_TABLE", dict(registry._TABLE))
    names: dict[str, object] = {"__name__": page.stem}
    with torch.random.fork_rng(), warnings.catch_warnings():
        torch.manual_seed(0)
        # Pyro, imported by one of them, uses deprecated parts of torch
        warnings.simplefilter("ignore")
        for block in blocks_of(page):
            if block.language == "python" and block.skipped is None and block.errors is None:
                # line numbers of the page, for a traceback that leads there
                code = (
                    block.setup + "\n" + "\n" * max(0, block.line - block.setup.count("\n") - 2) + block.text
                )
                exec(compile(shortened(code), str(page), "exec"), names)

    if page.stem in CLAIMS:
        CLAIMS[page.stem](names)


def commands(block):
    for line in re.sub(r"\\\n", " ", block.text).splitlines():
        words = shlex.split(line, comments=True)
        while words:
            end = words.index("|") if "|" in words else len(words)
            if words[0] != "zcat":  # what a command reads from it is the user's
                yield words[:end]
            words = words[end + 1 :]


@pytest.mark.parametrize(
    "block",
    [b for b in BLOCKS if b.language == "sh" and b.skipped is None and b.errors is None],
    ids=name_of,
)
def test_commands_are_understood(block):
    for words in commands(block):
        program, *rest = words
        if Path(program).name == "softdraw":
            parse(rest)
        elif program == "make":
            targets = (word for word in rest if "=" not in word)
            makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
            assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets), rest
        elif rest[:1] == ["-m"] and rest[1].startswith("benchmarks."):
            path = ROOT / rest[1].replace(".", "/")
            assert path.with_suffix(".py").exists() or (path / "__main__.py").exists()
        elif rest[:1] == ["-m"] and rest[1].startswith("examples."):
            text = (ROOT / rest[1].replace(".", "/") / "__main__.py").read_text(encoding="utf-8")
            assert all(f'"{word}"' in text for word in rest if word.startswith("--")), rest
        elif program == "python" and rest[0].startswith("examples/"):
            text = (ROOT / rest[0]).read_text(encoding="utf-8")
            assert all(f'"{word}"' in text for word in rest if word.startswith("--")), rest
        else:
            raise AssertionError(f"{words}: mark the block, or teach this test the command")


def parse(words):
    """Read a command line of ``softdraw`` to its end, without running anything."""
    typer_main = pytest.importorskip("typer.main")
    from softdraw.cli.app import build

    command = typer_main.get_command(build())
    context = command.make_context("softdraw", list(words))
    while hasattr(command, "resolve_command"):
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, rest, parent=context)


def test_a_command_that_is_not_there_is_found():
    for words in (
        ["molecules", "nothing"],
        ["compare", "--nothing"],
        ["molecules", "run", "--minutes", "many"],
    ):
        with pytest.raises(Exception, match=r"No such|unable to parse|not a valid"):
            parse(words)
