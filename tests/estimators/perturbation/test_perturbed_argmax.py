"""Perturbed argmax with Gumbel noise: a Monte Carlo Jacobian of softmax."""

import pytest
import torch

import softdraw as sd

from ...statistics import assert_mean


@pytest.mark.parametrize("draws", [2, 16])
def test_mean_gradient_is_that_of_st(lab, draws):
    """E[J g(z)] with J independent of z: sum over z of p(z) J(p) grad f(z), which is ST at tau 1."""
    problem = lab.random_problem(1, 4, seed=20)
    eye = torch.eye(4, dtype=torch.float64).unsqueeze(-2).requires_grad_()
    (slope,) = torch.autograd.grad(problem.cost(eye, problem.parameter).sum(), eye)
    p = problem.logits[0].softmax(-1)
    mean = (torch.diag(p) - torch.outer(p, p)) @ (p @ slope.squeeze(-2))
    _, gradients, _ = lab.draws_of(
        sd.estimators.get("perturbed-argmax", draws=draws), problem, 40_000, sd.Key(1)
    )
    assert_mean(gradients, mean, precise=0.2)


def test_more_draws_less_variance(lab):
    problem = lab.random_problem(2, 3, seed=21)
    spread = []
    for draws in (2, 64):
        _, gradients, _ = lab.draws_of(
            sd.estimators.get("perturbed-argmax", draws=draws), problem, 5000, sd.Key(1)
        )
        spread.append(float(gradients.var(0).sum()))
    assert spread[1] < 0.5 * spread[0]
