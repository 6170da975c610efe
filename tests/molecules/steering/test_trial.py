"""A target is tried on few molecules, and only one that cannot work is refused."""

import math

import pytest

from softdraw.molecules.chemistry.property import Property
from softdraw.molecules.errors import TargetError
from softdraw.molecules.steering.targets import Target
from softdraw.molecules.steering.trial import FEW, FEWEST, MANY, evenly_spaced, try_targets

CHAINS = ["C" * (1 + n % 40) + "O" * (1 + n // 40) for n in range(2000)]
"""Two thousand different molecules."""


def counted(compute, **options):
    """A property that counts the molecules it was asked about."""
    asked = []

    def own(mol):
        asked.append(mol)
        return compute(mol)

    return Property("mine", compute=own, **options), asked


def test_a_target_that_works_is_tried_on_few():
    own, asked = counted(lambda mol: mol.GetNumAtoms())
    assert try_targets([Target(own, 5)], CHAINS) == []
    assert len(asked) == FEW


def test_a_target_that_fails_for_all_is_refused_after_few():
    own, asked = counted(lambda mol: 1 / 0)
    with pytest.raises(
        TargetError, match=rf"target mine=max: .* 0 of {FEW} molecules tried \(.*ZeroDivision"
    ):
        try_targets([Target(own, "max")], CHAINS)
    assert len(asked) == FEW


def test_what_is_rare_is_looked_for_in_more():
    last = evenly_spaced(CHAINS, MANY)[500]
    own, asked = counted(lambda mol: 2.0 if mol.GetNumAtoms() == len(last) else 1.0)
    few = {len(one) for one in evenly_spaced(CHAINS, FEW)}
    if len(last) in few:
        pytest.skip("the rare size is among the few")
    assert try_targets([Target(own, "max")], CHAINS) == []
    assert FEW < len(asked) <= FEW + MANY


@pytest.mark.parametrize(("share", "refused"), [(0.1, True), (0.2, True), (0.42, False), (0.9, False)])
def test_a_property_that_most_molecules_lack_is_refused_and_a_gap_is_remarked_on(share, refused):
    own = Property("mine", compute=lambda mol: mol.GetNumAtoms() if _hash(mol) < share else math.nan)
    if refused:
        with pytest.raises(TargetError, match="expected a number for at least a quarter"):
            try_targets([Target(own, "max")], CHAINS)
    else:
        (remark,) = try_targets([Target(own, "max")], CHAINS)
        assert "molecules without it do not count" in remark


def _hash(mol):
    """A number from 0 to 1 that looks random and belongs to the molecule."""
    return (mol.GetNumAtoms() * 0.6180339887 + 0.37 * mol.GetNumBonds() ** 2) % 1


@pytest.mark.parametrize("value", [0.0, 3.0, -1e9, 0.1])
def test_a_constant_is_refused(value):
    with pytest.raises(TargetError, match="expected it to vary"):
        try_targets([Target(Property("mine", compute=lambda mol: value), "min")], CHAINS)


def test_every_target_is_tried():
    own = Property("mine", compute=lambda mol: 1.0)
    with pytest.raises(TargetError, match="mine=max"):
        try_targets([Target("logp", 2), Target(own, "max")], CHAINS)


@pytest.mark.parametrize(("goal", "far"), [(500, True), (-500, True), (20, False), ("max", False)])
def test_only_a_number_far_outside_the_data_is_remarked_on(goal, far):
    assert len(try_targets([Target("heavy_atoms", goal)], CHAINS)) == far


def test_evenly_spaced_entries_reach_both_ends():
    assert evenly_spaced(list("abcdefghij"), 4) == ["a", "d", "g", "j"]
    assert evenly_spaced(["a"], 4) == ["a"]


@pytest.mark.parametrize("goal", ["max", 500])
def test_a_known_spread_needs_no_molecule_that_varies_and_no_goal_is_far(goal):
    own, asked = counted(lambda mol: 0.0, spread=0.1)
    assert try_targets([Target(own, goal)], CHAINS) == []
    assert len(asked) == FEWEST


def test_a_known_spread_beside_one_that_is_not_is_tried_on_as_many():
    own, asked = counted(lambda mol: 0.0, spread=0.1)
    assert try_targets([Target("logp", 2), Target(own, "max")], CHAINS) == []
    assert len(asked) == FEW


def test_what_always_fails_is_refused_with_a_known_spread_too_after_a_second_look():
    own, asked = counted(lambda mol: 1 / 0, spread=0.1)
    with pytest.raises(TargetError, match=rf"0 of {FEW} molecules tried"):
        try_targets([Target(own, "max")], CHAINS)
    assert len(asked) == FEWEST + FEW


def test_a_known_spread_and_molecules_that_fail_at_first_are_looked_at_again():
    own, asked = counted(lambda mol: 1 / (20 < mol.GetNumAtoms() < 43), spread=0.1)
    assert not any(20 < len(one) < 43 for one in evenly_spaced(CHAINS, FEWEST))
    (remark,) = try_targets([Target(own, "max")], CHAINS)
    assert "molecules without it do not count" in remark
    assert len(asked) == FEWEST + FEW


@pytest.mark.parametrize(
    ("goal", "remarks"),
    [((500, None), 1), ((None, -300), 1), ("step(500)", 1), ((20, 25), 0), ((None, 500), 0), ("max", 0),
     ("sigmoid(500,-1)", 0), ("sigmoid(500,1)", 1)],
)  # fmt: skip
def test_what_no_molecule_comes_near_is_remarked_on(goal, remarks):
    found = try_targets([Target("heavy_atoms", goal)], CHAINS)
    assert len(found) == remarks
    assert all("standard deviations away from the data" in text for text in found)
