"""The front of several targets, against a comparison of all with all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from softdraw.molecules.steering.front import non_dominated

FEW_VALUES = st.sampled_from([0.0, 1.0, 2.0, 3.0, -1.5, np.inf, np.nan])
TABLES = array_shapes(min_dims=2, max_dims=2, max_side=12).flatmap(
    lambda shape: arrays(float, (shape[0], 1 + shape[1] % 4), elements=FEW_VALUES)
)


def brute(costs):
    def beats(one, other):
        return (one <= other).all() and (one < other).any()

    rows = [row for row in costs if not np.isnan(row).any()]
    return [not np.isnan(row).any() and not any(beats(other, row) for other in rows) for row in costs]


@settings(deadline=None)  # machines are shared
@given(TABLES)
def test_it_is_what_no_other_one_beats(costs):
    assert non_dominated(costs).tolist() == brute(costs)


@pytest.mark.parametrize("targets", [2, 3])
def test_it_is_what_no_other_one_beats_among_many(targets):
    costs = np.random.default_rng(0).normal(size=(300, targets)).round(1)
    assert non_dominated(costs).tolist() == brute(costs)
    assert 1 < non_dominated(costs).sum() < 300


def test_it_does_not_depend_on_the_order():
    rng = np.random.default_rng(1)
    costs = rng.integers(0, 9, (200, 2)).astype(float)
    order = rng.permutation(200)
    assert (non_dominated(costs[order]) == non_dominated(costs)[order]).all()


def test_of_nothing_it_is_nothing():
    assert non_dominated(np.zeros((0, 2))).tolist() == []
    assert non_dominated(np.full((2, 2), np.nan)).tolist() == [False, False]
