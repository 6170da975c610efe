"""The curve of the best molecules, and PMO's area under it, against cases done by hand."""

import math

import numpy as np
import pytest

from softdraw.molecules.steering.objectives import Objective
from softdraw.molecules.steering.progress import auc_top, best_so_far, progress_of, progress_text
from softdraw.molecules.steering.targets import Target


def test_the_area_of_a_case_done_by_hand():
    """Twelve molecules of 0.5 and then 288 of 1: the ten best are 0.5 for 12 calls and all 1 after 22."""
    scores = [0.5] * 12 + [1.0] * 288
    # at 100 calls the mean is 1: a triangle, then two rectangles, of 300 calls in all
    assert auc_top(scores, 300) == pytest.approx((50 + 100 + 100) / 300)
    # a budget of 1,000 keeps the last value for the other 700
    assert auc_top(scores, 1000) == pytest.approx((50 + 200 + 700) / 1000)
    # the last 50 of 250 calls are a shorter piece
    assert auc_top(scores[:250], 250) == pytest.approx((50 + 100 + 50) / 250)
    # calls beyond the budget do not count
    assert auc_top([0.1] * 100 + [1.0] * 900, 100) == pytest.approx(0.05)


def test_failed_calls_count_and_are_no_molecules():
    scores = [math.nan] * 100 + [0.8] * 100
    assert auc_top(scores, 200) == pytest.approx((0 + 40) / 200)
    assert best_so_far(scores, [10], 100) == {"calls": [100, 200], "10": [None, pytest.approx(0.8)]}
    assert auc_top([], 100) == 0.0


def test_random_scores_against_the_plain_definition():
    rng = np.random.default_rng(0)
    scores = rng.random(437)
    points = [*range(100, 437, 100), 437]
    means = [np.sort(scores[:n])[-10:].mean() for n in points]
    area = np.trapezoid([0.0, *means, means[-1]], [0, *points, 1000]) / 1000
    assert auc_top(scores.tolist(), 1000) == pytest.approx(area)


@pytest.mark.parametrize(
    ("target", "of", "better", "best"),
    [
        (Target("qed", "max"), "qed", "higher", 0.9),
        (Target("qed", "min"), "qed", "lower", 0.1),
        (Target("qed", 0.5), "distance", "lower", 0.5),
    ],
)
def test_the_curve_is_in_numbers_that_a_user_knows(target, of, better, best):
    values = np.array([[0.1], [0.9], [math.nan], [0.6]])
    found = progress_of(Objective((target,), ((0.5, 0.2),)), values, 100)
    assert (found["of"], found["better"]) == (of, better)
    assert found["calls"] == [1, 2, 3, 4]
    assert found["best"][-1] == pytest.approx(best)
    assert (found["auc_top10"] is None) is (target.goal != "max")


def test_several_targets_are_weighed():
    values = np.array([[1.0, 2.0]])
    objective = Objective((Target("logp", 0.0), Target("mw", 0.0, 3.0)), ((0.0, 1.0), (0.0, 2.0)))
    assert progress_of(objective, values, 100)["best"] == [pytest.approx((1 + 3 * 1) / 4)]


def test_without_a_budget_of_calls_there_is_nothing_to_say():
    assert progress_text({"calls": 7}) == ""
