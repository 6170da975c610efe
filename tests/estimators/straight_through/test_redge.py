"""ReDGE: the law at the end of the diffusion, by quadrature over its one effective noise."""

import numpy as np
import pytest
import torch
from scipy import stats

import softdraw as sd

from ...statistics import assert_law, assert_mean


def last_prediction(phi, u, steps, t1):
    """First class's probability for two classes: only differences of logits and noise matter."""
    top, low = 1.0 - t1, min(1e-4, 1.0 - t1)
    alphas = np.linspace(low, top, steps) if steps > 1 else np.array([top])
    for i, alpha in enumerate(alphas):
        sigma = 1.0 - alpha
        first = torch.sigmoid(phi + alpha * u / sigma**2)
        if i == len(alphas) - 1:
            return first
        following = alphas[i + 1]
        noise = (u - alpha * (2 * first - 1)) / sigma
        u = following * (2 * first - 1) + (1.0 - following) * noise
    raise AssertionError


@pytest.mark.parametrize(("steps", "t1"), [(1, 0.5), (4, 0.5), (8, 0.9)])
def test_value_and_gradient_by_quadrature(lab, steps, t1):
    problem = lab.random_problem(1, 2, seed=18)
    # the difference of two standard normals, by its quantiles
    u = torch.tensor(2**0.5 * stats.norm.ppf((np.arange(200_000) + 0.5) / 200_000))
    leaf = problem.logits.clone().requires_grad_()
    first = last_prediction(leaf[0, 0] - leaf[0, 1], u, steps, t1)
    eye = torch.eye(2, dtype=torch.float64).unsqueeze(-2).requires_grad_()
    cost = problem.cost(eye, problem.parameter)
    (slope,) = torch.autograd.grad(cost.sum(), eye)
    chance = torch.stack([first, 1 - first], -1)
    value = (chance.detach() * cost.detach()).sum(-1).mean()
    # straight-through: the slope at the sample, times the derivative of the last prediction
    upstream = chance.detach() @ slope.squeeze(-2)
    (gradient,) = torch.autograd.grad((chance * upstream).sum(-1).mean(), leaf)
    est = sd.estimators.get("redge", steps=steps, t1=t1)
    assert est.target == "tempered"
    values, gradients, _ = lab.draws_of(est, problem, 30_000, sd.Key(1))
    assert_mean(values, value)
    assert_mean(gradients, gradient, precise=0.2)


def test_is_st_without_signal():
    g = torch.Generator().manual_seed(0)
    upstream = torch.randn(40, 3, generator=g, dtype=torch.float64)
    results = []
    for est in (sd.estimators.get("redge", steps=1, t1=1.0), sd.estimators.get("st")):
        leaf = torch.randn(
            40, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64
        ).requires_grad_()
        y = est(leaf, key=sd.Key(3))
        results.append((y.detach(), *torch.autograd.grad((y * upstream).sum(), leaf)))
    torch.testing.assert_close(results[0], results[1], rtol=1e-12, atol=1e-12)


def test_more_steps_near_the_noise_are_closer_to_the_law():
    logits = torch.tensor([1.2, 0.0, -0.5], dtype=torch.float64)
    p = logits.softmax(-1)
    off = {}
    for steps, t1 in ((1, 0.5), (30, 0.95)):
        y = sd.estimators.get("redge", steps=steps, t1=t1)(logits.expand(40_000, 3), key=sd.Key(0))
        off[steps] = float((y.mean(0) - p).abs().max())
    assert off[30] < 0.02 < off[1]


def test_starting_noise_is_normal():
    from softdraw.estimators._core.draws import Draws

    x = Draws(sd.Key(0), None, None).normal(torch.zeros(50_000, 2))
    assert_law(x, "norm")
    assert x.dtype == torch.float32
    assert bool(x.isfinite().all())


@pytest.mark.parametrize("options", [{"steps": 0}, {"t1": 0.0}, {"t1": 1.5}])
def test_options_are_checked(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        sd.estimators.get("redge", **options)
