import math

import pytest
import scipy.stats
import torch

import softdraw as sd

from ..statistics import assert_law, assert_share

KEY = sd.Key(12)


def formula(logits, tau, key):
    noise = sd.random.logistic(logits.shape, key=key, dtype=logits.dtype)
    return torch.sigmoid((logits + noise) / tau)


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("tau", [0.2, 1.0, 3.0])
def test_value_and_gradient_are_those_of_the_formula(tau, hard):
    logits = torch.randn(20, 6, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(20, 6, dtype=torch.float64)
    y, expected = sd.gumbel_sigmoid(logits, tau, hard, key=KEY), formula(logits, tau, KEY)
    torch.testing.assert_close(y, (expected > 0.5).double() if hard else expected)
    grads = [torch.autograd.grad(value, logits, weight)[0] for value in (y, expected)]
    torch.testing.assert_close(*grads)


def test_gradcheck():
    logits, noise = (torch.randn(3, 4, dtype=torch.float64, requires_grad=True) for _ in range(2))
    tau = torch.rand(3, 1, dtype=torch.float64, requires_grad=True)

    def call(x, t, n):
        return sd.gumbel_sigmoid(x, t + 0.5, noise=n)

    assert torch.autograd.gradcheck(call, (logits, tau, noise))
    assert torch.autograd.gradgradcheck(call, (logits, tau, noise))


@pytest.mark.parametrize("tau", [0.1, 0.5, 1.0, 5.0])
def test_soft_draws_follow_the_binary_concrete_law(tau):
    y = sd.gumbel_sigmoid(torch.full((100_000,), -0.6, dtype=torch.float64), tau, key=KEY)
    # logit(y) is Logistic(logits / tau, 1 / tau): Maddison et al., appendix B. 1 - y loses what is beyond 30.
    ratio = y.log() - (-y).log1p()
    short = ratio[ratio < 30]
    law = scipy.stats.logistic(-0.6 / tau, 1 / tau)
    assert_law(short, lambda v: law.cdf(v) / law.cdf(30))


def test_hard_draws_are_bernoulli():
    logits = torch.tensor([-3.0, 0.0, 1.0])
    ones = sd.gumbel_sigmoid(logits.expand(100_000, 3), hard=True, key=KEY).sum(0)
    for count, p in zip(ones.int().tolist(), logits.sigmoid().tolist(), strict=True):
        assert_share(count, 100_000, p, comparisons=3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_ends_and_masks(dtype):
    inf = math.inf
    big = torch.finfo(dtype).max
    logits = torch.tensor([-inf, inf, math.nan, big, -big, 0.0], dtype=dtype, requires_grad=True)
    for tau in (0.0, 1e-40, 1.0, inf):
        for hard in (False, True):
            y = sd.gumbel_sigmoid(logits, tau, hard, key=KEY)
            assert y.dtype == dtype
            assert y[:2].tolist() == [0, 1]
            assert bool(y[2].isnan())
            assert bool(torch.isfinite(y[3:]).all())
            (grad,) = torch.autograd.grad(y[3:].sum() + y[:2].sum(), logits)
            assert bool(torch.isfinite(grad).all())
    mask = torch.tensor([True, False, False, True, True, False])
    y = sd.gumbel_sigmoid(logits, mask=mask, key=KEY)
    assert bool((y[~mask] == 0).all())
    assert bool((torch.autograd.grad(y.sum(), logits)[0][~mask] == 0).all())


def test_limits():
    logits = torch.randn(50)
    step = sd.gumbel_sigmoid(logits, hard=True, key=KEY)
    assert torch.equal(sd.gumbel_sigmoid(logits, 0.0, key=KEY), step)
    torch.testing.assert_close(sd.gumbel_sigmoid(logits, math.inf, key=KEY), torch.full((50,), 0.5))


def test_scalars_rows_and_temperatures():
    assert sd.gumbel_sigmoid(torch.tensor(0.3), key=KEY).shape == ()
    logits = torch.randn(3, 4)
    for tau in (torch.rand(3) + 0.1, torch.rand(3, 1) + 0.1, torch.tensor(0.5)):
        column = tau.unsqueeze(-1) if tau.dim() == 1 else tau
        torch.testing.assert_close(sd.gumbel_sigmoid(logits, tau, key=KEY), formula(logits, column, KEY))
    with pytest.raises(ValueError, match="tau: got a tensor of shape"):
        sd.gumbel_sigmoid(logits, torch.ones(4))
    assert sd.gumbel_sigmoid(torch.zeros(0, 3)).shape == (0, 3)
    assert sd.gumbel_sigmoid(torch.zeros(3, 0)).shape == (3, 0)
