"""Several targets as one cost: a sum, and a product of desirabilities."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from softdraw.molecules.steering.objectives import COMBINED, Objective
from softdraw.molecules.steering.outcome import mean_distance, unit_of, weighted_distance
from softdraw.molecules.steering.progress import progress_of
from softdraw.molecules.steering.targets import Target

TARGETS = (
    Target("logp", 2.0, 3.0),
    Target("qed", "max", 0.5),
    Target("mw", (100, 200)),
    Target("tpsa", "sigmoid(50,-10)", 2.0),
    Target("sa", "step(<4)"),
)
SCALE = ((1.0, 0.5), (0.6, 0.1), (150.0, 30.0), (40.0, 20.0), (3.0, 0.5))
VALUES = arrays(float, (4, 5), elements=st.floats(-20, 220))


def desirability(value, target, mean, std):
    """Written down once more, in another way."""
    if target.goal == "max":
        return 1 / (1 + np.exp((mean - value) / std))
    if target.goal == 2.0:
        return np.exp(-abs(value - 2.0) / std)
    if target.goal == "100..200":
        return np.exp(-max(100 - value, value - 200, 0) / std)
    met = float(value < 4) if target.property == "sa" else 1 / (1 + np.exp((value - 50) / 10))
    return 0.001 + 0.999 * met


@settings(deadline=None)  # machines are shared
@given(VALUES)
def test_the_sum_is_the_weighted_mean_of_the_distances(values):
    objective = Objective(TARGETS, SCALE)
    weights = np.array([target.weight for target in TARGETS])
    expected = objective.distances(values) @ weights / weights.sum()
    assert objective.costs(values) == pytest.approx(expected)


@settings(deadline=None)  # machines are shared
@given(VALUES)
def test_the_product_is_minus_the_log_of_a_weighted_geometric_mean(values):
    objective = Objective(TARGETS, SCALE, "product")
    weights = np.array([target.weight for target in TARGETS])
    for row, cost in zip(values, objective.costs(values), strict=True):
        each = [desirability(v, t, *s) for v, t, s in zip(row, TARGETS, SCALE, strict=True)]
        mean = np.prod(np.array(each) ** (weights / weights.sum()))
        assert np.exp(-cost) == pytest.approx(mean)
        assert cost >= -1e-12


@settings(deadline=None)  # machines are shared
@given(VALUES, st.sampled_from(COMBINED))
def test_arrays_and_tensors_take_one_way(values, combine):
    objective = Objective(TARGETS, SCALE, combine)
    assert np.array_equal(objective.costs(values), objective.cost(torch.from_numpy(values)).numpy())
    single = objective.cost(torch.from_numpy(values).float())
    assert single.dtype == torch.float32
    assert single.numpy() == pytest.approx(objective.costs(values), rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("combine", COMBINED)
def test_the_gradient_is_that_of_small_differences(combine):
    smooth, scale = TARGETS[:4], SCALE[:4]
    objective = Objective(smooth, scale, combine)
    values = torch.tensor([[1.0, 0.4, 90.0, 55.0], [3.0, 0.9, 150.0, 20.0]], dtype=torch.float64)
    assert torch.autograd.gradcheck(objective.cost, values.requires_grad_())


def test_a_missed_target_has_a_gradient_in_a_product():
    objective = Objective((Target("qed", "sigmoid(0.6,0.1)"),), ((0.5, 0.1),), "product")
    values = torch.tensor([[0.0]], requires_grad=True)
    objective.cost(values).sum().backward()
    assert values.grad.item() < -1


def test_what_one_target_loses_another_cannot_gain_in_a_product():
    both = (Target("logp", "step(1)"), Target("qed", "step(1)"))
    scale = ((0.0, 1.0), (0.0, 1.0))
    values = np.array([[1.0, 0.0], [0.0, 0.0]])
    one, none = Objective(both, scale).costs(values)
    assert (one, none) == (0.5, 1.0)
    one, none = np.exp(-Objective(both, scale, "product").costs(values))
    assert one == pytest.approx(0.001**0.5)
    assert none == pytest.approx(0.001)


def test_nan_of_one_property_is_the_nan_of_the_molecule():
    values = np.array([[2.0, np.nan], [2.0, 0.5]])
    for combine in COMBINED:
        objective = Objective(TARGETS[:2], SCALE[:2], combine)
        assert np.isnan(objective.costs(values)).tolist() == [True, False]
        assert np.isnan(objective.distances(values)).tolist() == [[False, True], [False, False]]


def test_another_way_to_combine_is_refused():
    with pytest.raises(ValueError, match="combine: got 'mean', expected one of 'sum', 'product'"):
        Objective(TARGETS[:1], SCALE[:1], "mean")
    assert Objective(TARGETS[:1], SCALE[:1]).text == ["logp=2@3"]
    assert Objective(TARGETS[:1], SCALE[:1], "product").text == ["logp=2@3", "product"]


@pytest.mark.parametrize("combine", COMBINED)
def test_distances_of_an_outcome_add_up_to_the_cost(combine):
    values = np.array([[2.0, 0.9, 150.0, 40.0, 3.0], [1.0, 0.2, 300.0, 70.0, 5.0]])
    objective = Objective(TARGETS, SCALE, combine)
    each = [
        {
            "weight": t.weight,
            "distance_after": mean_distance(values[:, k], t, SCALE[k], combine),
        }
        for k, t in enumerate(TARGETS)
    ]
    assert weighted_distance(each, "distance_after") == pytest.approx(objective.costs(values).mean())


@pytest.mark.parametrize("combine", COMBINED)
def test_the_curves_of_several_targets_are_of_the_cost(combine):
    objective = Objective(TARGETS[:2], SCALE[:2], combine)
    values = np.array([[1.0, 0.5], [2.0, 0.9], [2.0, np.nan], [0.0, 0.1]])
    curve = progress_of(objective, values, 4)
    costs = objective.costs(values)
    assert (curve["of"], curve["better"], curve["auc_top10"]) == ("distance", "lower", None)
    assert curve["best"] == pytest.approx([costs[0], costs[1], costs[1], costs[1]])
    assert curve["top10"][-1] == pytest.approx(np.nanmean(costs))


def test_the_curves_of_a_range_are_of_its_distance():
    objective = Objective((Target("logp", (1, 3)),), ((0.0, 2.0),))
    curve = progress_of(objective, np.array([[0.0], [2.0]]), 2)
    assert (curve["of"], curve["best"]) == ("distance", [0.5, 0.0])


def test_an_objective_knows_its_unit():
    assert Objective(TARGETS[:3], SCALE[:3]).unit == "standard deviations"
    assert Objective(TARGETS[:3], SCALE[:3], "product").unit == ""
    assert Objective(TARGETS, SCALE).unit == ""


def test_distances_have_a_unit_where_all_are_in_deviations():
    def steer(*goals, **more):
        return {"targets": [{"property": "logp", "goal": goal} for goal in goals], **more}

    assert unit_of(steer(2.0, "max", "1..3")) == "standard deviations"
    assert unit_of(steer(2.0, "step(1)")) == ""
    assert unit_of(steer(2.0, combine="product")) == ""
    assert unit_of({}) == "standard deviations"
