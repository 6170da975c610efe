import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from softdraw.molecules.chemistry.property import Property
from softdraw.molecules.errors import MoleculeError, TargetError
from softdraw.molecules.steering.targets import Target, default_target, distance, parse_target, targets_from

NAMES = st.sampled_from(["logp", "qed", "tpsa", "mw", "sa", "my.module:function"])
GOALS = st.sampled_from(["max", "min"]) | st.integers(-(10**6), 10**6).map(lambda n: n / 1000)
WEIGHTS = st.integers(1, 10**6).map(lambda n: n / 1000)


@given(NAMES, GOALS, WEIGHTS)
def test_every_way_to_write_a_target_means_the_same(name, goal, weight):
    target = Target(name, goal, weight)
    assert parse_target(f"{name}={goal}@{weight}") == target
    assert targets_from({name: (goal, weight)}) == [target]
    assert targets_from([f"{name}={goal}@{weight}"]) == [target]
    assert (
        targets_from(f"{name}={goal}@{weight}") == targets_from(target) == targets_from([target]) == [target]
    )
    assert parse_target(f"{name}={goal}") == targets_from({name: goal})[0] == Target(name, goal)


@given(
    NAMES,
    GOALS.filter(lambda g: isinstance(g, str) or abs(g) < 1000),
    st.sampled_from([1.0, 0.5, 2.0, 0.125]),
)
def test_a_target_is_written_as_it_is_read(name, goal, weight):
    if not isinstance(goal, str):
        goal = round(goal, 2)
    assert parse_target(str(Target(name, goal, weight))) == Target(name, goal, weight)


def test_several_targets_keep_their_order():
    found = targets_from({"logp": 2.5, "qed": ("max", 0.5), "mw": np.float32(100)})
    assert [t.property for t in found] == ["logp", "qed", "mw"]
    assert found[2].goal == 100.0


@pytest.mark.parametrize(
    "text",
    [
        "", "logp", "logp=", "=3", "logp=high", "logp=2@", "logp=2@x", "logp=2@0", "logp=2@-1", "logp=nan",
        "logp=inf", "logp=2@inf", "solubility=2", "logp=2@1@1",
    ],
)  # fmt: skip
def test_a_target_that_cannot_be_understood_is_refused(text):
    with pytest.raises(TargetError, match="got") as caught:
        parse_target(text)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, MoleculeError)


@pytest.mark.parametrize(
    "targets",
    [{}, [], {"logp": None}, {"logp": (1, 2, 3)}, {"logp": "middle"}, {"logp": True}, {"logp": (2.5, "x")},
     ["logp=1", "logp=2"], 3.5, None, {"density": 1}, {"logp": float("nan")}, {"logp": (1.0, 0)}],
)  # fmt: skip
def test_targets_that_cannot_be_understood_are_refused(targets):
    with pytest.raises(TargetError, match=r"got|times"):
        targets_from(targets)


def test_the_default_is_one_and_a_half_deviations_above_the_mean():
    assert default_target(1.0, 2.0) == Target("logp", 4.0)
    with pytest.raises(TargetError, match="got nan"):
        default_target(math.nan, 1.0)


@given(st.floats(-50, 50), st.floats(-50, 50), st.floats(-50, 50), st.floats(0.1, 10))
def test_distances_are_in_standard_deviations(value, goal, mean, std):
    values = np.array([value])
    assert distance(values, Target("logp", goal), mean, std)[0] == pytest.approx(abs(value - goal) / std)
    up = distance(values, Target("logp", "max"), mean, std)
    down = distance(values, Target("logp", "min"), mean, std)
    assert up == -down
    better = distance(values + std, Target("logp", "max"), mean, std)
    assert up - better == pytest.approx(1.0)  # one standard deviation gained is a distance of 1 less
    assert distance(np.array([mean]), Target("logp", "max"), mean, std)[0] == 0


@pytest.mark.parametrize(("goal", "slope"), [(2.0, -0.5), ("max", -0.5), ("min", 0.5)])
def test_gradients_pass(goal, slope):
    values = torch.tensor([[1.0, 0.0]], requires_grad=True)
    found = distance(values, Target("logp", goal), 0.0, 2.0)
    assert found.shape == values.shape
    found.sum().backward()
    assert values.grad.tolist() == [[slope, slope]]


def test_nan_stays_nan():
    assert np.isnan(distance(np.array([np.nan, 1.0]), Target("qed", "max"), 0.0, 1.0)).tolist() == [
        True,
        False,
    ]


@pytest.mark.parametrize(("mean", "std"), [(0.0, 0.0), (0.0, -1.0), (0.0, math.nan), (math.inf, 1.0)])
def test_a_property_that_does_not_vary_is_refused(mean, std):
    with pytest.raises(TargetError, match="logp: the data has mean"):
        distance(np.zeros(1), Target("logp", 1.0), mean, std)


def rings(mol):
    return mol.GetRingInfo().NumRings()


@pytest.mark.parametrize("name", ["qed", "QED", "Qed"])
def test_case_does_not_matter_in_the_name_of_a_property(name):
    expected = [Target("qed", "max")]
    assert targets_from({name: "max"}) == targets_from(f"{name}=MAX") == [Target(name, "Max")] == expected


def test_a_function_is_a_target():
    (target,) = targets_from({rings: (2, 0.5)})
    assert (target.property, target.goal, target.weight) == (f"{__name__}:rings", 2.0, 0.5)
    assert target.record.label == "rings"
    assert target == Target(rings, 2, 0.5)
    assert target != Target(len, 2, 0.5)
    assert str(target) == f"{__name__}:rings=2@0.5"
    two = targets_from([Target(rings, "max"), "qed=max"])
    assert [one.record.name for one in two] == [f"{__name__}:rings", "qed"]
    with pytest.raises(TargetError, match="comes 2 times"):
        targets_from([Target(lambda mol: 1, 1), Target(lambda mol: 2, 1)])
    named = targets_from({Property("a", compute=len): 1, Property("b", compute=len): 2})
    assert [one.property for one in named] == ["a", "b"]


def test_a_property_of_ones_own_does_not_take_the_name_of_another():
    with pytest.raises(TargetError, match="one of your own called 'logp', expected another name"):
        Target(Property("logp", compute=len), 1)
    with pytest.raises(TargetError, match="got 3"):
        targets_from({3: 1.0})
