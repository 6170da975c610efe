"""Binary Concrete: Gumbel-Softmax of two classes from one logistic."""

import numpy as np
import pytest
import torch
from scipy import special

import softdraw as sd

from ...statistics import assert_mean, assert_same_law


def test_relaxed_target_by_quadrature(lab):
    """Two variables, so two logistics: the midpoint rule over their quantiles."""
    problem = lab.random_problem(2, 2, seed=9)
    noise = torch.tensor(special.logit((np.arange(1000) + 0.5) / 1000))
    noise = torch.stack(torch.meshgrid(noise, noise, indexing="ij"), -1).flatten(0, 1)
    leaf = problem.logits.clone().requires_grad_()
    first = torch.sigmoid((leaf[:, 0] - leaf[:, 1] + noise) / 0.8)
    value = problem.cost(torch.stack([first, 1 - first], -1), problem.parameter).mean()
    (gradient,) = torch.autograd.grad(value, leaf)
    values, gradients, _ = lab.draws_of(
        sd.estimators.get("binary-concrete", tau=0.8), problem, 40_000, sd.Key(3)
    )
    assert_mean(values, value)
    assert_mean(gradients, gradient, precise=0.2)


@pytest.mark.parametrize("samples", [1, 3])
def test_same_law_as_gumbel_softmax(samples):
    """For one sample and for several."""
    logits = torch.tensor([[0.7, -0.4]], dtype=torch.float64).expand(8000, 1, 2)
    seen = []
    for name in ("binary-concrete", "gumbel-softmax"):
        est = sd.estimators.get(name, tau=0.6, samples=samples)
        kept = []
        est.expectation(
            lambda z, kept=kept: kept.append(z[..., 0, 0].flatten()) or z.sum((-1, -2)), logits, key=sd.Key(5)
        )
        seen.append(kept[0])
    assert_same_law(*seen)


def test_one_class_left():
    logits = torch.zeros(3, 2, requires_grad=True)
    mask = torch.tensor([[True, False], [False, True], [False, False]])
    y = sd.estimators.get("binary-concrete")(logits, mask=mask, key=sd.Key(0))
    assert y.tolist() == [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]
    (y * torch.tensor([2.0, -3.0])).sum().backward()
    assert bool((logits.grad == 0).all())
