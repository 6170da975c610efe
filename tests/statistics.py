# ruff: noqa: A005  (a module of this folder, which never stands on the path)
"""The statistical comparisons that all tests make, at one false-alarm rate.

Each call of an ``assert_`` function is one comparison, all of its components together: over random keys it
fails a correct program at most once in ``1 / FALSE_ALARM`` times. A test that looks several times at one
claim (at each entry of a gradient, say) tells how often with ``comparisons=``. Keys are fixed, so a pass is
a pass for good; with all keys changed the suite, which makes fewer than 2000 comparisons, would fail a
correct program at a rate of less than 0.2 %. What each comparison detects is tested in
``test_statistics.py``.
"""

from collections.abc import Callable
from typing import Any

import scipy.stats
import torch
from torch import Tensor

#: how often one comparison may fail a correct program by chance
FALSE_ALARM = 1e-6


def standard_errors(components: int = 1) -> float:
    """How many standard errors a normal estimate may be off: by FALSE_ALARM over all components together."""
    return float(scipy.stats.norm.isf(FALSE_ALARM / (2 * components)))


def assert_p_value(p_value: float, *, comparisons: int = 1, detail: object = "") -> None:
    """The p-value of any exact test is no smaller than chance makes it."""
    assert p_value > FALSE_ALARM / comparisons, (p_value, detail)


def assert_frequencies(counts: Any, probs: Any, *, comparisons: int = 1) -> None:
    """Chi-square of counts ``[K]`` against probabilities ``[K]`` up to a factor.

    Classes of probability 0 have no counts. Classes that expect fewer than 5 are taken together, since
    chi-square is the law of large counts.
    """
    counts, probs = (torch.as_tensor(values).detach().double().cpu() for values in (counts, probs))
    expected = counts.sum() * probs / probs.sum()
    assert bool((counts[probs == 0] == 0).all()), counts
    order = expected.argsort()
    order = order[expected[order] > 0]
    observed, theory = counts[order], expected[order]
    few = int((theory < 5).sum())
    while few and few < len(theory) and theory[:few].sum() < 5:
        few += 1
    if few > 1:
        observed, theory = (
            torch.cat([values[:few].sum(0, keepdim=True), values[few:]]) for values in (observed, theory)
        )
    if len(theory) < 2:
        raise ValueError(f"counts {counts} and probabilities {probs} leave nothing to compare")
    p_value = scipy.stats.chisquare(observed.numpy(), theory.numpy()).pvalue
    assert_p_value(p_value, comparisons=comparisons, detail=(observed, theory))


def assert_share(count: int, draws: int, probability: float, *, comparisons: int = 1) -> None:
    """Binomial test, exact at every size, of how many of the draws have a property."""
    probability = float(torch.as_tensor(probability).detach())
    p_value = scipy.stats.binomtest(int(count), draws, probability).pvalue
    assert_p_value(p_value, comparisons=comparisons, detail=(int(count) / draws, probability))


def assert_rare(count: int, mean: float, *, comparisons: int = 1) -> None:
    """Poisson test, two-sided, of a count of rare events."""
    tail = min(scipy.stats.poisson.cdf(count, mean), scipy.stats.poisson.sf(count - 1, mean))
    assert_p_value(2 * tail, comparisons=comparisons, detail=(count, mean))


def assert_law(draws: Tensor, cdf: Callable[..., Any] | str, *, comparisons: int = 1) -> None:
    """Kolmogorov-Smirnov test of draws against a distribution function, or one that ``scipy.stats`` names."""
    p_value = scipy.stats.kstest(draws.detach().double().flatten().numpy(), cdf).pvalue
    assert_p_value(p_value, comparisons=comparisons)


def assert_same_law(first: Tensor, second: Tensor, *, comparisons: int = 1) -> None:
    """Two-sample Kolmogorov-Smirnov test of independent draws."""
    left, right = (draws.detach().double().flatten().numpy() for draws in (first, second))
    assert_p_value(scipy.stats.ks_2samp(left, right).pvalue, comparisons=comparisons)


def assert_estimate(estimate: Tensor, error: Tensor, exact: Tensor | float, *, slack: float = 1e-9) -> None:
    """Normal estimates are within their standard errors of the exact values, all components together.

    ``slack``: what rounding may add, which matters where the error is 0.
    """
    estimate, error = estimate.detach().double(), error.detach().double()
    off = (estimate - torch.as_tensor(exact).detach().double()).abs()
    limit = standard_errors(off.numel())
    assert bool((off <= limit * error + slack).all()), (off / error.clamp_min(1e-300), estimate, exact)


def assert_mean(draws: Tensor, exact: Tensor | float, *, precise: float | None = None) -> None:
    """The mean of draws ``[N, ...]`` over dim 0 is ``exact``, within its standard error.

    ``precise``: the length of the standard error is at most this share of the exact value's length, or the
    comparison would show nothing.
    """
    draws = draws.detach().double().reshape(draws.shape[0], -1)
    exact = torch.as_tensor(exact).detach().double().reshape(-1)
    error = draws.std(0) / draws.shape[0] ** 0.5
    assert_estimate(draws.mean(0), error, exact)
    if precise is not None:
        assert error.norm() <= precise * exact.norm(), (error.norm(), exact.norm())


def assert_same_mean(first: Tensor, second: Tensor) -> None:
    """Two independent sets of draws ``[N, ...]`` and ``[M, ...]`` have the same mean over dim 0."""
    first, second = (draws.detach().double().reshape(draws.shape[0], -1) for draws in (first, second))
    error = (first.var(0) / first.shape[0] + second.var(0) / second.shape[0]).sqrt()
    assert_estimate(first.mean(0), error, second.mean(0))
