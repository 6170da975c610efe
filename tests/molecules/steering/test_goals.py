"""Goals as users write them, and how far values are from them."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from softdraw.molecules.errors import TargetError
from softdraw.molecules.steering.goal_text import goal_of, known_goal
from softdraw.molecules.steering.targets import Target, distance, parse_target, targets_from

NUMBERS = st.floats(-1e6, 1e6)
ENDS = st.tuples(NUMBERS | st.none(), NUMBERS | st.none()).filter(
    lambda ends: ends != (None, None) and (None in ends or ends[0] <= ends[1])
)
KINDS = (
    ENDS
    | st.builds("step({})".format, NUMBERS)
    | st.builds("step(<{})".format, NUMBERS)
    | st.builds("sigmoid({},{})".format, NUMBERS, NUMBERS.filter(bool))
)


def far(values, goal, mean=0.0, std=1.0, combine="sum"):
    return distance(np.array(values, dtype=float), Target("logp", goal), mean, std, combine).tolist()


@settings(deadline=None)  # machines are shared
@given(KINDS, st.sampled_from([1.0, 0.5, 3.0]))
def test_a_goal_is_written_as_it_is_read(goal, weight):
    target = Target("logp", goal, weight)
    assert parse_target(str(target)) == target
    assert Target("logp", target.goal, weight) == target
    assert targets_from({"logp": (target.goal, weight)}) == [target]
    # the summary of a run keeps it in JSON
    assert Target(**{"property": "logp", "goal": target.goal, "weight": weight}) == target


@pytest.mark.parametrize(
    ("text", "goal"),
    [
        ("logp=1..3", (1, 3)), ("logp = -1.5 .. 3", (-1.5, 3)), ("logp=..3", (None, 3)),
        ("logp=1..", (1, None)), ("logp<=3", (None, 3)), ("logp >= 1", (1, None)),
        ("logp=1e-3..2E3", (1e-3, 2e3)), ("logp=.5...75", (0.5, 0.75)), ("logp=STEP( < 5 )", "step(<5)"),
        ("logp=sigmoid(.6, -.1)", "sigmoid(0.6,-0.1)"),
    ],
)  # fmt: skip
def test_goals_on_the_command_line(text, goal):
    assert parse_target(text) == Target("logp", goal)
    assert parse_target(f"{text}@0.5") == Target("logp", goal, 0.5)


@pytest.mark.parametrize(
    ("text", "name", "goal"),
    [
        ("similarity:CC(=O)O=max@0.5", "similarity:CC(=O)O", "max"),
        ("smarts:[#6]=[#8]=max@0.5", "smarts:[#6]=[#8]", "max"),
        ("smarts:[C;X4]>=3@0.5", "smarts:[C;X4]", "3.."),
        ("similarity:C[C@@H](N)C(=O)O=step(0.6)@0.5", "similarity:C[C@@H](N)C(=O)O", "step(0.6)"),
        ("mine.module:f=..2@0.5", "mine.module:f", "..2"),
    ],
)
def test_a_property_may_hold_what_targets_are_parted_by(text, name, goal):
    assert parse_target(text) == Target(name, goal, 0.5)


@pytest.mark.parametrize(
    "text",
    [
        "logp=..", "logp=3..1", "logp=1..2..3", "logp=a..3", "logp=1..inf", "logp=nan..3", "logp=step()",
        "logp=step(1,2)", "logp=step(>1)", "logp=step(0.6", "logp=sigmoid(1)", "logp=sigmoid(1,0)",
        "logp=sigmoid(1,2,3)", "logp=sigmoid(1,inf)", "logp=>3", "logp>3", "logp<=max", "<=3", "logp=1..3@0",
        "logp=<=3", "logp=ramp(1)", "logp=1-3", "similarity:CC(=O)O",
    ],
)  # fmt: skip
def test_a_goal_that_cannot_be_understood_is_refused(text):
    with pytest.raises(TargetError, match="got"):
        parse_target(text)


@pytest.mark.parametrize("goal", [(1, 2, 3), (None, None), (3, 1), (1, "x"), (True, 3), [], None, "", " "])
def test_a_goal_in_python_that_cannot_be_understood_is_refused(goal):
    with pytest.raises(TargetError, match="got"):
        Target("logp", goal)
    assert known_goal(goal) is None


def test_a_pair_in_a_mapping_is_a_goal_and_its_weight():
    assert targets_from({"logp": (1, 3)}) == [Target("logp", 1.0, 3.0)]
    assert targets_from({"logp": "1..3"}) == targets_from({"logp": ("1..3", 1)}) == [Target("logp", (1, 3))]
    with pytest.raises(TargetError, match=r"a range is text, such as '1\.\.3'"):
        targets_from({"logp": (1, 3, 0.5)})


def test_a_range_is_met_inside_and_missed_by_the_way_to_the_nearer_end():
    assert far([0, 1, 2, 3, 5], (1, 3), std=0.5) == [2, 0, 0, 0, 4]
    assert far([0, 1, 99], (1, None), std=0.5) == [2, 0, 0]
    assert far([-99, 3, 5], (None, 3), std=0.5) == [0, 0, 4]
    assert far([1, 3], (2, 2)) == far([1, 3], 2)


@settings(deadline=None)  # machines are shared
@given(ENDS, st.floats(-1e6, 1e6), st.floats(0.1, 10))
def test_a_range_is_as_far_as_the_nearest_value_in_it(ends, value, std):
    nearest = np.clip(value, *(end for end in ends))
    assert far([value], ends, std=std)[0] == pytest.approx(far([value], float(nearest), std=std)[0])


def test_a_step_has_two_values_and_asks_for_no_scale():
    assert far([0.59, 0.6, 7], "step(0.6)", std=0.0) == [1, 0, 0]
    assert far([499, 500, 501], "step(<500)", std=math.nan) == [0, 1, 1]
    values = torch.tensor([0.0, 1.0], requires_grad=True)
    distance(values, Target("qed", "step(0.6)"), 0.0, 0.0).sum().backward()
    assert values.grad.tolist() == [0, 0]
    assert not goal_of("step(0.6)").has_gradient


@settings(deadline=None)  # machines are shared
@given(st.floats(-5, 5), st.floats(-5, 5), st.sampled_from([0.1, 1.0, -0.5]))
def test_a_sigmoid_is_a_smooth_step(value, middle, width):
    expected = 1 - 1 / (1 + math.exp(-(value - middle) / width))
    assert far([value], f"sigmoid({middle},{width})", std=0.0)[0] == pytest.approx(expected, abs=1e-12)


def test_a_sigmoid_of_far_values_has_neither_overflow_nor_nan():
    assert far([-1e300, 1e300], "sigmoid(0,0.1)") == [1, 0]
    values = torch.tensor([0.0], requires_grad=True)
    distance(values, Target("qed", "sigmoid(0,0.5)"), 0.0, 0.0).sum().backward()
    assert values.grad.item() == pytest.approx(-0.25 / 0.5)  # the slope of a logistic in its middle


@pytest.mark.parametrize(
    "goal", [2.0, "max", "min", (1, 3), (None, 3), "step(1)", "step(<1)", "sigmoid(1,2)"]
)
@pytest.mark.parametrize("combine", ["sum", "product"])
def test_nan_stays_nan_and_arrays_and_tensors_agree(goal, combine):
    values = np.array([np.nan, 0.3, 2.5])
    found = distance(values, Target("logp", goal), 0.5, 2.0, combine)
    assert np.isnan(found).tolist() == [True, False, False]
    other = distance(torch.from_numpy(values), Target("logp", goal), 0.5, 2.0, combine)
    assert np.array_equal(other.numpy(), found, equal_nan=True)


@pytest.mark.parametrize(("goal", "slope"), [((2, 4), -0.5), ((None, -1), 0.5), ((0, 2), 0.0)])
def test_gradients_lead_into_a_range(goal, slope):
    values = torch.tensor([1.0], requires_grad=True)
    distance(values, Target("logp", goal), 0.0, 2.0).sum().backward()
    assert values.grad.item() == slope


def test_a_desirability_is_one_where_a_target_is_met():
    for goal, met, missed in [(2, 2, 9), ((1, 3), 1, 9), ("step(1)", 1, 0), ("sigmoid(0,0.1)", 9, -9)]:
        best, worst = np.exp(-np.array(far([met, missed], goal, combine="product")))
        assert best == pytest.approx(1)
        least = 1e-3 - 1e-12 if isinstance(goal, str) else 1e-12
        assert least <= worst < 0.1
    # half at the mean of the data, and never 0 or 1
    assert np.exp(-np.array(far([0.0], "max", combine="product")))[0] == pytest.approx(0.5)
    assert far([3.0], "max", combine="product")[0] == pytest.approx(math.log1p(math.exp(-3)))


def test_goals_in_words():
    words = [goal_of(goal).words for goal in (2.0, "max", "1..3", "<=500", ">=1", "step(0.6)", "step(<5)")]
    assert words == [2.0, "max", "1 to 3", "at most 500", "at least 1", "at least 0.6", "less than 5"]
