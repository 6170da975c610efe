"""Gumbel-Softmax: unbiased for the soft sample's own expectation."""

import numpy as np
import pytest
import torch
from scipy import special

import softdraw as sd

from ...statistics import assert_mean, assert_same_mean


def quadrature(cost, logits, tau, points=200_000):
    """E[f(y)] and its gradient for one binary variable: y = sigmoid((phi + L) / tau), L by its quantiles."""
    noise = torch.tensor(special.logit((np.arange(points) + 0.5) / points))
    leaf = logits.clone().requires_grad_()
    first = torch.sigmoid((leaf[0, 0] - leaf[0, 1] + noise) / tau)
    value = cost(torch.stack([first, 1 - first], -1).unsqueeze(-2)).mean()
    return value.detach(), torch.autograd.grad(value, leaf)[0]


@pytest.mark.parametrize("name", ["gumbel-softmax", "binary-concrete"])
@pytest.mark.parametrize("tau", [0.2, 1.0, 3.0])
def test_relaxed_target_by_quadrature(lab, name, tau):
    problem = lab.random_problem(1, 2, seed=8)
    cost = problem.cost
    value, gradient = quadrature(lambda y: cost(y, problem.parameter), problem.logits, tau)
    est = sd.estimators.get(name, tau=tau)
    assert est.target == "relaxed"
    assert est.unbiased
    values, gradients, _ = lab.draws_of(est, problem, 40_000, sd.Key(2))
    assert_mean(values, value)
    assert_mean(gradients, gradient, precise=0.2)


@pytest.mark.parametrize("classes", [3, 7])
def test_same_law_as_torch(lab, classes):
    """Value and gradient against torch's own noise and softmax, as two independent samples."""
    problem = lab.random_problem(2, classes, seed=8)
    values, gradients, _ = lab.draws_of(
        sd.estimators.get("gumbel-softmax", tau=0.7), problem, 20_000, sd.Key(4)
    )
    logits = problem.logits.expand(20_000, 2, classes).clone().requires_grad_()
    g = torch.Generator().manual_seed(1)
    noise = -torch.empty(logits.shape, dtype=torch.float64).exponential_(generator=g).log()
    cost = problem.cost(((logits + noise) / 0.7).softmax(-1), problem.parameter)
    assert_same_mean(values.unsqueeze(-1), cost.unsqueeze(-1))
    assert_same_mean(gradients, torch.autograd.grad(cost.sum(), logits)[0])


def test_is_the_function_of_the_same_name():
    logits = torch.randn(5, 3, 4, generator=torch.Generator().manual_seed(0))
    y = sd.estimators.get("gumbel-softmax", tau=0.6)(logits, key=sd.Key(8))
    assert torch.equal(y, sd.gumbel_softmax(logits, 0.6, key=sd.Key(8)))
