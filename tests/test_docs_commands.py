"""The commands of `softdraw` on the pages run, one after another, in a folder with the files that they name.

Budgets become a step or two, numbers of samples and draws a few, and what asks for a network, for standard
input or for the training of the large model is left to the test that only reads it, in
``test_docs_examples.py``. Runs of molecules take 20 seconds each: those pages are among the slow tests.
"""

import gzip
import shlex
from pathlib import Path

import pytest
import torch

from .test_docs_examples import BLOCKS, MOLECULES, PAGES, commands, folder

__all__ = ["folder"]

#: options whose value is made small; None leaves out both
SMALL = {"--minutes": None, "--devices": None, "--strategy": None, "-n": "3", "--draws": "20"}
SMALL |= {"--calls": "40", "--steer-calls": "40"}
#: budgets in place of which a command may name another
INSTEAD = {("steer", "--steps"): "--calls", ("run", "--steer-steps"): "--steer-calls"}
#: a budget where none is given, and data instead of the embedded set, which takes seconds to read
BUDGETS = {
    "run": ["--steps", "1", "--steer-steps", "1", "--samples", "20"],
    "fit": ["--steps", "1"],
    "steer": ["--steps", "1", "--samples", "20"],
    "compare": ["--draws", "20", "--estimators", "st,rloo"],
    "temperature": ["--draws", "20"],
}
ELSEWHERE = {"qm9": "a download", "-": "standard input"}
FILES = {
    "reactive.smarts": "C(=O)Cl acyl chloride\n",
    "amide.smarts": "C any carbon\n",
    "parts.smi": "[*]c1ccncc1\n[*]C1CC1\n",
    "my_properties.py": "def rings(mol):\n    return mol.GetRingInfo().NumRings()\n",
    "mine.py": (
        "import torch\n\n\ndef problem():\n"
        "    return lambda z: (z * torch.arange(3.0)).sum((-1, -2)).square(), torch.zeros(2, 3)\n"
    ),
}
SETS = (
    "salts.csv",
    "train.smi",
    "heldout.smi",
    "drawn.smi",
    "train.csv.gz",
    "test.csv.gz",
    "test_scaffolds.csv.gz",
)


def small(words):
    """The command with small budgets, or None where it needs what a test has not."""
    if any(word in ELSEWHERE for word in words) or ("druglike" in words and {"steer", "fit"} & set(words)):
        return None  # a step of the large model follows minutes of preparation
    if "optimize" in words and "--list" not in words:
        return None  # tests/cli/test_optimize.py
    found, rest = [], list(words)
    while rest:
        word = rest.pop(0)
        if word in SMALL:
            rest.pop(0)
            found += [word, SMALL[word]] if SMALL[word] else []
        else:
            found.append(word)
    name = next((word for word in found if word in BUDGETS), None)
    for flag, value in zip(*[iter(BUDGETS.get(name, []))] * 2, strict=True):
        found += [flag, value] if not {flag, INSTEAD.get((name, flag), flag)} & set(found) else []
    if name == "run" and "--data" not in found:
        found += ["--data", "mine.smi"]
    if name in ("run", "fit", "steer"):
        found += ["--overwrite"]
    # ChemNet takes seconds to load, and has its own tests
    if name in ("run", "steer") or "score" in found:
        found += ["--no-fcd"]
    return found


def test_commands_are_made_small():
    assert small(shlex.split("molecules run --minutes 15 --devices 2")) == shlex.split(
        "molecules run --steps 1 --steer-steps 1 --samples 20 --data mine.smi --overwrite --no-fcd"
    )
    assert small(shlex.split("molecules sample druglike -n 100")) == shlex.split(
        "molecules sample druglike -n 3"
    )
    assert small(shlex.split("molecules run --data - --out runs/all")) is None


def of_softdraw(page):
    for block in BLOCKS:
        if block.page == page and block.language == "sh" and block.skipped is None and block.errors is None:
            for words in commands(block):
                if Path(words[0]).name == "softdraw":
                    yield words[1:]


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(
            page,
            id=page.stem,
            marks=[pytest.mark.slow] if any("molecules" in words for words in of_softdraw(page)) else [],
        )
        for page in PAGES
        if list(of_softdraw(page))
    ],
)
def test_commands_run(page, folder, monkeypatch):
    pytest.importorskip("rdkit")
    pytest.importorskip("typer")
    from softdraw.cli.entry import main

    monkeypatch.syspath_prepend(str(folder))
    for name, text in FILES.items():
        (folder / name).write_text(text)
    for name in SETS:
        text = "".join(f"{smiles}\n" for smiles in ["SMILES"] * (".csv" in name) + MOLECULES)
        (folder / name).write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    with torch.random.fork_rng():
        for words in of_softdraw(page):
            made = small(words)
            if made is not None:
                with pytest.raises(SystemExit) as ended:
                    main(made)
                assert ended.value.code == 0, shlex.join(made)
