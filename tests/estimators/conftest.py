"""Random problems that the estimators' proofs share."""

import math
from types import SimpleNamespace

import pytest
import torch


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


@pytest.fixture(scope="session")
def lab():
    """The helpers of this folder under one name."""
    return SimpleNamespace(
        random_problem=random_problem,
        draws_of=draws_of,
        exact_of=exact_of,
        pi=math.pi,
    )
