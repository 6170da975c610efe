"""Random problems and the yardsticks that the estimators' proofs share."""

import math
from types import SimpleNamespace

import pytest
import torch
from scipy import stats

#: how often one comparison of a mean with its exact value may fail by chance, all of its components together
FALSE_ALARM = 1e-6


def random_problem(variables, classes, seed=0, masked=False, padded=False):
    """A non-linear, non-separable cost with a parameter of its own, and logits it is measured at."""
    g = torch.Generator().manual_seed(1000 * seed + 10 * variables + classes)
    weight = torch.randn(variables, classes, 5, generator=g, dtype=torch.float64)
    mix = torch.randn(5, generator=g, dtype=torch.float64)
    logits = torch.randn(variables, classes, generator=g, dtype=torch.float64)
    mask = None
    if masked:
        mask = torch.rand(variables, classes, generator=g) < 0.6
        mask[torch.arange(variables), torch.randint(classes, (variables,), generator=g)] = True
        mask[0] = True  # one variable keeps all its classes, so that a gradient is left
        if padded:
            mask[-1] = False

    def cost(z, parameter):
        h = torch.einsum("...dc,dcm->...m", z, weight)
        return (torch.sin(h * parameter.unsqueeze(-1)) * mix).sum(-1) + 0.5 * h.square().mean(-1)

    return SimpleNamespace(
        cost=cost, logits=logits, mask=mask, parameter=torch.tensor(0.7, dtype=torch.float64)
    )


def draws_of(est, problem, count, key, cost=None):
    """Independent estimates: values ``[N]``, gradients ``[N, D, C]``, gradients to f's parameter ``[N]``."""
    cost = cost or problem.cost
    logits = problem.logits.expand(count, *problem.logits.shape).clone().requires_grad_()
    parameter = problem.parameter.expand(count).clone().requires_grad_()
    value = est.expectation(lambda z: cost(z, parameter), logits, mask=problem.mask, key=key)
    to_logits, to_parameter = torch.autograd.grad(value.sum(), [logits, parameter], allow_unused=True)
    return value.detach(), to_logits, to_parameter


def exact_of(problem, cost=None):
    """The same three, by enumeration."""
    import softdraw as sd

    cost = cost or problem.cost
    logits = problem.logits.clone().requires_grad_()
    parameter = problem.parameter.clone().requires_grad_()
    est = sd.estimators.get("enumeration")
    value = est.expectation(lambda z: cost(z, parameter), logits, mask=problem.mask)
    to_logits, to_parameter = torch.autograd.grad(value, [logits, parameter], allow_unused=True)
    return value.detach(), to_logits, to_parameter


def assert_mean(draws, exact, *, precise=None):
    """The mean of draws ``[N, ...]`` is ``exact`` within its standard error, at rate FALSE_ALARM over all
    components.

    ``precise``: the length of the standard error is at most this share of the exact value's length, or the
    comparison would show nothing.
    """
    draws = draws.detach().double().reshape(draws.shape[0], -1)
    exact = exact.detach().double().reshape(-1)
    error = draws.std(0) / draws.shape[0] ** 0.5
    limit = stats.norm.isf(FALSE_ALARM / (2 * exact.numel()))
    off = (draws.mean(0) - exact).abs()
    assert bool((off <= limit * error + 1e-9).all()), (off / error.clamp_min(1e-300), draws.mean(0), exact)
    if precise is not None:
        assert error.norm() <= precise * exact.norm(), (error.norm(), exact.norm())


def assert_same_mean(first, second):
    """Two independent sets of draws have the same mean, at rate FALSE_ALARM over all components."""
    first = first.detach().double().reshape(first.shape[0], -1)
    second = second.detach().double().reshape(second.shape[0], -1)
    error = (first.var(0) / first.shape[0] + second.var(0) / second.shape[0]).sqrt()
    limit = stats.norm.isf(FALSE_ALARM / (2 * first.shape[1]))
    off = (first.mean(0) - second.mean(0)).abs()
    assert bool((off <= limit * error + 1e-9).all()), (
        off / error.clamp_min(1e-300),
        first.mean(0),
        second.mean(0),
    )


@pytest.fixture(scope="session")
def lab():
    """The helpers of this folder under one name."""
    return SimpleNamespace(
        random_problem=random_problem,
        draws_of=draws_of,
        exact_of=exact_of,
        assert_mean=assert_mean,
        assert_same_mean=assert_same_mean,
        pi=math.pi,
    )
