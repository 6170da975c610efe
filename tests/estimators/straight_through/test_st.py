"""Straight-through: its mean gradient, in closed form for any cost."""

import pytest
import torch

import softdraw as sd

from ...statistics import assert_mean


def slopes(problem, classes):
    """grad f at every one-hot of a single variable, ``[C, C]``, and the probabilities."""
    z = torch.eye(classes, dtype=torch.float64).unsqueeze(-2).requires_grad_()
    (slope,) = torch.autograd.grad(problem.cost(z, problem.parameter).sum(), z)
    return slope.squeeze(-2), problem.logits[0].softmax(-1)


def jacobian(q):
    return torch.diag(q) - torch.outer(q, q)


@pytest.mark.parametrize("tau", [0.5, 1.0, 1.4])
@pytest.mark.parametrize("classes", [2, 5])
def test_mean_gradient_by_enumeration(lab, tau, classes):
    """sum over z of p(z) J(softmax(logits / tau)) grad f(z) / tau."""
    problem = lab.random_problem(1, classes, seed=10)
    slope, p = slopes(problem, classes)
    tempered = (problem.logits[0] / tau).softmax(-1)
    mean = jacobian(tempered) @ (p @ slope) / tau
    _, gradients, _ = lab.draws_of(sd.estimators.get("st", tau=tau), problem, 20_000, sd.Key(1))
    assert_mean(gradients, mean, precise=0.1)


def test_exact_for_linear_costs_sample_by_sample(lab):
    problem = lab.random_problem(3, 4, seed=11)
    weight = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def linear(z, parameter):
        return (z * weight).sum((-1, -2)) * parameter

    _, exact, _ = lab.exact_of(problem, linear)
    _, gradients, _ = lab.draws_of(sd.estimators.get("st"), problem, 50, sd.Key(1), linear)
    torch.testing.assert_close(gradients, exact.expand_as(gradients), rtol=1e-10, atol=1e-12)


def test_forward_is_gumbel_max():
    logits = torch.randn(6, 2, 5, generator=torch.Generator().manual_seed(0))
    y = sd.estimators.get("st")(logits, key=sd.Key(3))
    assert torch.equal(y.argmax(-1), sd.gumbel_max(logits, key=sd.Key(3)))
    assert set(y.unique().tolist()) == {0.0, 1.0}


def test_gradient_reaches_tau():
    tau = torch.tensor(1.3, requires_grad=True, dtype=torch.float64)
    logits = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    weight = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    (sd.estimators.get("st", tau=tau)(logits, key=sd.Key(0)) * weight).sum().backward()
    other = torch.tensor(1.3, requires_grad=True, dtype=torch.float64)
    ((logits / other).softmax(-1) * weight).sum().backward()
    torch.testing.assert_close(tau.grad, other.grad)
