"""No molecule is paid for twice, none beyond the budget, and none is lost with its process."""

import math
import os
from collections import Counter
from contextlib import suppress

import numpy as np
import pytest

from softdraw.molecules.chemistry.property import Property
from softdraw.molecules.errors import CheckpointError, OutputError
from softdraw.molecules.evaluating.evaluations import EVALUATIONS, Evaluated, read_evaluations
from softdraw.molecules.evaluating.evaluator import Evaluator
from softdraw.molecules.evaluating.ledger import Ledger
from softdraw.molecules.evaluating.watch import FAILING, STALE, Watch
from softdraw.molecules.runtime.remarks import MoleculeWarning

from ..full_disk import largest_file

CHAINS = ["C" * n for n in range(1, 40)]


OPEN = []


@pytest.fixture(autouse=True)
def _closed():
    yield
    while OPEN:
        OPEN.pop()._file.close()


def book(compute=lambda mol: mol.GetNumAtoms(), **options):
    """A ledger of one property, and how often each molecule was computed."""
    asked = Counter()

    def own(mol):
        value = compute(mol)
        asked[mol.GetNumAtoms()] += 1
        return value

    ledger = Ledger(["mine"], Evaluator([Property("mine", compute=own)]), **options)
    if ledger._file is not None:
        OPEN.append(ledger)
    return ledger, asked


def test_a_molecule_is_paid_for_once_and_the_budget_is_never_overrun():
    ledger, asked = book(limit=10)
    assert ledger.ask(["CC", "C", "CC", ""]).ravel().tolist()[:3] == [2, 1, 2]
    assert ledger.ask(["C", "CCC"], step=0).ravel().tolist() == [1, 3]
    assert (ledger.calls, ledger.left, ledger.labels, ledger.spent) == (3, 7, 2, False)
    found = ledger.ask(CHAINS, step=1)
    assert np.isfinite(found).sum() == 10
    assert ledger.knows(["", *CHAINS]).tolist() == [True] * 11 + [False] * 29
    assert (ledger.calls, ledger.left, ledger.spent) == (10, 0, True)
    assert sum(asked.values()) == 10
    assert max(asked.values()) == 1
    assert ledger.used == ["CC", "C", "CCC", *CHAINS[3:10]]


def test_without_a_limit_nothing_is_refused_or_kept(tmp_path):
    ledger, asked = book(folder=tmp_path)
    ledger.ask(CHAINS)
    assert np.isfinite(ledger.ask(CHAINS)).all()
    assert set(asked.values()) == {1}
    assert (ledger.left, ledger.spent, ledger.calls) == (None, False, 39)
    assert os.listdir(tmp_path) == []


def test_what_is_forgotten_is_the_oldest(monkeypatch):
    monkeypatch.setattr("softdraw.molecules.evaluating.ledger.REMEMBERED", 5)
    ledger, asked = book()
    assert ledger.ask(CHAINS[:8]).ravel().tolist() == list(range(1, 9))
    ledger.ask(CHAINS[3:8])
    ledger.ask(CHAINS[:3])
    assert asked == Counter({1: 2, 2: 2, 3: 2, **dict.fromkeys(range(4, 9), 1)})


def test_failures_are_counted_with_the_first_reason():
    ledger, _ = book(lambda mol: mol.GetNumAtoms() if mol.GetNumAtoms() % 2 else 1 / 0, limit=20)
    assert np.isnan(ledger.ask(CHAINS[:6])).sum() == 3
    ledger.ask(CHAINS[:6])
    assert (ledger.failed, ledger.calls) == (3, 6)
    assert ledger.reason == "CC: ZeroDivisionError: division by zero"
    assert ledger.evaluation(0, ["C", "CC"]).reason == "CC: ZeroDivisionError: division by zero"


@pytest.mark.parametrize("died", range(0, 13, 3))
@pytest.mark.parametrize("torn", [False, True])
def test_what_was_paid_for_outlives_the_process(tmp_path, died, torn):
    """It ends while it evaluates; the next one asks for the same batches, and both together pay once."""

    class KilledError(BaseException):
        pass

    def fragile(mol):
        if sum(before.values()) == died:
            raise KilledError
        return mol.GetNumAtoms() if mol.GetNumAtoms() != 4 else math.nan

    ledger, before = book(fragile, limit=12, folder=tmp_path)
    state = ledger.state_dict()
    with suppress(KilledError):
        for step, batch in enumerate((CHAINS[:5], CHAINS[2:9], CHAINS)):
            ledger.ask(batch, step or None)
            state = state if step else ledger.state_dict()
    assert sum(before.values()) == died
    path = tmp_path / EVALUATIONS
    if torn:
        path.write_bytes(path.read_bytes() + b"13,CCCC")
    options = {"limit": 12, "folder": tmp_path, "resume": True}
    if torn:
        with pytest.warns(MoleculeWarning, match="its last line was cut off"):
            again, after = book(**options)
    else:
        again, after = book(**options)
    again.load_state_dict(state)
    for step, batch in enumerate((CHAINS[:5], CHAINS[2:9], CHAINS)):
        again.ask(batch, step or None)
    assert again.calls == 12
    assert again.used == CHAINS[:12]
    assert before + after == Counter(range(1, 13))
    again.close()
    _, found = read_evaluations(tmp_path)
    assert list(found) == CHAINS[:12]
    assert [row.step for row in found.values()] == [None] * 5 + [1] * 4 + [2] * 3


def test_the_table_says_what_was_paid_for_line_by_line(tmp_path):
    def strange(mol):
        if mol.GetNumAtoms() == 2:
            raise ValueError('a "comma, and\na line" of no text \udcff')
        return mol.GetNumAtoms() / 3

    ledger, _ = book(strange, limit=10, folder=tmp_path)
    ledger.ask(["C"])
    ledger.ask(["CC", "CCC"], step=7)
    text = (tmp_path / EVALUATIONS).read_text()
    assert text.splitlines() == [
        "number,smiles,mine,step,failed",
        f"1,C,{1 / 3!r},,",
        '2,CC,,7,"ValueError: a ""comma, and a line"" of no text \\udcff"',
        "3,CCC,1.0,7,",
    ]
    names, found = read_evaluations(tmp_path)
    assert names == ("mine",)
    assert found["C"] == Evaluated((1 / 3,))
    assert found["CC"].failed


def test_a_table_of_other_properties_or_a_damaged_one_is_refused(tmp_path):
    path = tmp_path / EVALUATIONS
    path.write_text("number,smiles,other,step,failed\n1,C,1.0,,\n")
    with pytest.raises(CheckpointError, match="holds values of other, and mine was asked for"):
        book(limit=9, folder=tmp_path, resume=True)
    for damage, message in (
        ("number,smiles,mine,step,failed\n1,C,one,,\n", "line 2: damaged"),
        ("number,smiles,mine,step,failed\n1,C,1.0\n", "line 2: damaged .3 fields"),
        ("SMILES\nC\n", "line 1: got 'SMILES', expected the heading"),
    ):
        path.write_text(damage)
        with pytest.raises(CheckpointError, match=message):
            book(limit=9, folder=tmp_path, resume=True)
    path.write_bytes(b"\xff\xfe\n")
    with pytest.raises(CheckpointError, match="not UTF-8"):
        book(limit=9, folder=tmp_path, resume=True)
    book(limit=9, folder=tmp_path)
    assert path.read_text() == "number,smiles,mine,step,failed\n"


def test_what_was_paid_for_is_not_overwritten(tmp_path):
    ledger, _ = book(limit=9, folder=tmp_path)
    ledger.ask(["C", "CC"])
    before = (tmp_path / EVALUATIONS).read_bytes()
    with pytest.raises(
        OutputError, match="holds 2 evaluations that were paid for; go on from them with resume"
    ):
        book(limit=9, folder=tmp_path)
    assert (tmp_path / EVALUATIONS).read_bytes() == before


def test_a_state_whose_table_is_gone_is_refused(tmp_path):
    ledger, _ = book(limit=9, folder=tmp_path)
    ledger.ask(["C", "CC"])
    with pytest.raises(ValueError, match="lacks 2 of the molecules"):
        book(limit=9)[0].load_state_dict(ledger.state_dict())
    with pytest.raises(ValueError, match="its budget is in calls"):
        book()[0].load_state_dict(ledger.state_dict())
    with pytest.raises(ValueError, match="its budget is not in calls"):
        ledger.load_state_dict(book()[0].state_dict())


def test_a_full_disk_is_named_and_leaves_whole_lines(tmp_path):
    ledger, asked = book(limit=39, folder=tmp_path)
    with (
        largest_file(100),
        pytest.raises(OutputError, match=rf"{EVALUATIONS}: cannot be written \(File too large\)"),
    ):
        ledger.ask(CHAINS)
    _, found = read_evaluations(tmp_path)
    assert 0 < len(found) == sum(asked.values()) - 1
    assert (tmp_path / EVALUATIONS).stat().st_size <= 100
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        book(limit=9, folder=tmp_path / "file")


def test_a_collapse_and_a_broken_property_are_noticed():
    ledger, _ = book(lambda mol: 1 / 0 if mol.GetNumAtoms() > 3 else 1.0, limit=10_000)
    watch = Watch(ledger)
    for step in range(STALE):
        assert not watch.collapsed
        ledger.ask(["C", "CC"], step)
        watch.look()
    assert not watch.collapsed  # the first step had paid
    ledger.ask(["C"], STALE)
    watch.look()
    assert watch.collapsed
    assert "drew only molecules that were known" in watch.remarks()[0]
    for n in range(4, 4 + FAILING):
        assert not watch.broken
        ledger.ask(["C" * n], n)
        watch.look()
    assert watch.broken
    assert "all failed" in watch.remarks()[0]
    ledger.ask(["CCC"])
    watch.look()
    assert not watch.broken
