"""One process or several, molecule by molecule or in lists: the values are the same."""

import math

import pytest

from softdraw.molecules.chemistry.computing import LIST
from softdraw.molecules.chemistry.properties import evaluation
from softdraw.molecules.chemistry.property import Property
from softdraw.molecules.errors import MoleculeError, TargetError
from softdraw.molecules.evaluating.evaluator import Evaluator

from . import counting

CHAINS = ["C" * n + end for n in range(2, 40) for end in ("O", "N", "F")]
SIZES = [float(n + 1) for n in range(2, 40) for _ in "ONF"]


def values(which, smiles, workers=1):
    with Evaluator(which, workers) as evaluate:
        found = dict(evaluate(smiles))
    return [found[place] for place in range(len(smiles))]


def test_workers_change_nothing_but_the_time():
    own = Property.of(counting.picky)
    smiles = [*CHAINS[:20], "N", "O", "NO", "FN(F)F", "not a molecule"]
    one = values([own, "heavy_atoms"], smiles)
    several = values([own, "heavy_atoms"], smiles, workers=2)
    assert repr(several) == repr(one)
    assert [row[0][0] for row in one[:20]] == SIZES[:20]
    assert [math.isnan(row[0][0]) for row in one[20:]] == [True] * 5
    assert "ZeroDivisionError" in repr(one)
    assert one[-1][1] == "no molecule"


def test_a_function_of_lists_gets_lists_and_fails_for_the_whole_of_one():
    asked = []

    def own(mols):
        asked.append(len(mols))
        return counting.sizes(mols)

    own.batched = True
    assert [row[0][0] for row in values([Property.of(own)], CHAINS)] == SIZES
    assert asked == [LIST, len(CHAINS) - LIST]
    failed = values([Property.of(own)], [*CHAINS[:LIST], "C", *CHAINS[LIST:80]])
    assert [math.isnan(row[0][0]) for row in failed] == [False] * LIST + [True] * (81 - LIST)
    assert failed[-1][1] == "ValueError: a single atom"
    short = Property("short", compute=lambda mols: [1.0], batched=True)
    assert values([short], ["CC", "CCC"])[0][1] == "ValueError: got 1 values for a list of 2 molecules"
    odd = Property("odd", compute=lambda mols: [None, "x", 2], batched=True)
    assert [math.isnan(row[0][0]) for row in values([odd], ["CC", "CCC", "CO"])] == [True, True, False]


def test_the_rule_for_lists_is_an_attribute():
    assert Property.of(counting.sizes).batched
    assert not Property.of(counting.size).batched
    found = evaluation(f"{counting.__name__}:sizes", ["CC", "", "CCC"])
    assert found.values.tolist()[::2] == [2.0, 3.0]
    assert found.molecules == 2


def test_what_other_processes_cannot_import_is_refused():
    def inside(mol):
        return 1.0

    for own in (inside, lambda mol: 1.0):
        with pytest.raises(TargetError, match=r"workers: got more than 1 for .*expected a function"):
            Evaluator([Property.of(own)], 2)
    main = Property("mine", compute=counting.size)
    counting.size.__module__, before = "__main__", counting.size.__module__
    try:
        with pytest.raises(TargetError, match="main program"):
            Evaluator([main], 2)
    finally:
        counting.size.__module__ = before
    with pytest.raises(ValueError, match="workers: got 0"):
        Evaluator(["logp"], 0)


def test_a_process_that_ends_is_an_error_that_says_so():
    with pytest.raises(MoleculeError, match="workers: one of 2 processes ended"):
        values([f"{counting.__name__}:ending"], ["CC", "CCC"], workers=2)
