"""The comparisons themselves: they alarm falsely at their rate, and see a law that is off by a stated amount.

Every entry of ``COMPARISONS`` makes one comparison on fresh draws; ``off`` moves the law away from what it is
compared with.
"""

from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import torch

from . import statistics as s

PROBS = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)


def frequencies(g, off):
    """20,000 draws of three classes; ``off`` moves mass from the second class to the first."""
    probs = PROBS + off * torch.tensor([1.0, -1.0, 0.0])
    s.assert_frequencies(torch.multinomial(probs, 20_000, True, generator=g).bincount(minlength=3), PROBS)


def rare_frequencies(g, off):
    """20,000 draws of 1000 classes, most of them rare; ``off`` moves mass to the rare ones."""
    probs = torch.full((1000,), 1e-5, dtype=torch.float64)
    probs[:10] = 0.099
    moved = torch.where(torch.arange(1000) < 10, probs - off / 10, probs + off / 990)
    s.assert_frequencies(torch.multinomial(moved, 20_000, True, generator=g).bincount(minlength=1000), probs)


def share(g, off):
    """10,000 draws of a coin."""
    s.assert_share(int((torch.rand(10_000, generator=g) < 0.3 + off).sum()), 10_000, 0.3)


def rare(g, off):
    """A count of 30 expected events."""
    s.assert_rare(int(torch.poisson(torch.tensor(30.0 + off), generator=g)), 30.0)


def law(g, off):
    """10,000 normal draws."""
    s.assert_law(off + torch.randn(10_000, generator=g, dtype=torch.float64), "norm")


def same_law(g, off):
    """Twice 10,000 normal draws."""
    s.assert_same_law(off + torch.randn(10_000, generator=g), torch.randn(10_000, generator=g))


def mean(g, off):
    """2000 draws of four components, of which one is off."""
    draws = torch.randn(2000, 4, generator=g, dtype=torch.float64)
    s.assert_mean(draws + off * torch.tensor([0.0, 1.0, 0.0, 0.0]), torch.zeros(4))


def same_mean(g, off):
    """Twice 2000 draws of four components, of which one is off; the second set has twice the spread."""
    first, second = torch.randn(2, 2000, 4, generator=g, dtype=torch.float64)
    s.assert_same_mean(first + off * torch.tensor([0.0, 1.0, 0.0, 0.0]), 2 * second)


def estimate(g, off):
    """Three estimates of standard error 0.1."""
    s.assert_estimate(
        2 + off + 0.1 * torch.randn(3, generator=g, dtype=torch.float64), torch.full((3,), 0.1), 2.0
    )


#: comparison -> how far the law is moved where it must see it, at least 99 times in 100
COMPARISONS = {
    frequencies: 0.03,
    rare_frequencies: 0.01,
    share: 0.04,
    rare: 50.0,
    law: 0.15,
    same_law: 0.15,
    mean: 0.18,
    same_mean: 0.4,
    estimate: 0.8,
}
each = pytest.mark.parametrize("comparison", COMPARISONS, ids=lambda one: one.__name__)


def alarms(comparison, off, repeats):
    """How often the comparison fails over so many seeds."""
    count = 0
    for seed in range(repeats):
        try:
            comparison(torch.Generator().manual_seed(seed), off)
        except AssertionError:
            count += 1
    return count


@each
def test_the_false_alarm_rate_is_the_stated_one(comparison, monkeypatch):
    """At a rate of 5 %, where 300 repetitions count it; tests on whole numbers may stay below it."""
    monkeypatch.setattr(s, "FALSE_ALARM", 0.05)
    count = alarms(comparison, 0.0, 300)
    assert scipy.stats.binomtest(count, 300, 0.05, alternative="greater").pvalue > 1e-6
    assert count >= 3


@each
def test_a_law_that_is_off_is_seen(comparison):
    assert alarms(comparison, 0.0, 20) == 0
    assert alarms(comparison, COMPARISONS[comparison], 20) == 20


def test_a_class_that_cannot_be_is_seen_at_once():
    s.assert_frequencies([50, 50, 0], [0.5, 0.5, 0.0])
    with pytest.raises(AssertionError):
        s.assert_frequencies([50, 50, 1], [0.5, 0.5, 0.0])


def test_nothing_to_compare_is_an_error():
    with pytest.raises(ValueError, match="nothing to compare"):
        s.assert_frequencies([100, 0], [1.0, 0.0])
    with pytest.raises(ValueError, match="nothing to compare"):
        s.assert_frequencies([2, 2], [0.5, 0.5])


def test_a_comparison_without_power_is_seen():
    draws = torch.from_numpy(np.random.default_rng(0).normal(1.0, 1.0, (100, 1)))
    s.assert_mean(draws, torch.ones(1), precise=0.2)
    with pytest.raises(AssertionError):
        s.assert_mean(draws, torch.ones(1), precise=0.05)


def test_several_looks_at_one_claim_share_the_rate():
    p_value = s.FALSE_ALARM / 2
    s.assert_p_value(p_value, comparisons=3)
    with pytest.raises(AssertionError):
        s.assert_p_value(p_value)


def test_a_draw_without_spread_is_compared_up_to_rounding():
    s.assert_mean(torch.ones(10, 2), torch.ones(2))
    with pytest.raises(AssertionError):
        s.assert_mean(torch.ones(10, 2), torch.tensor([1.0, 1.0 + 1e-6]))


@pytest.mark.parametrize("name", ["chisquare", "kstest", "ks_2samp", "binomtest", "poisson", "norm.isf"])
def test_no_other_test_has_a_rate_of_its_own(name):
    here = Path(__file__)
    used = {path.name for path in here.parent.rglob("*.py") if f"stats.{name}" in path.read_text()}
    assert used <= {here.name, "statistics.py"}
