"""The two toy benchmarks of the literature, with their closed-form optima."""

import pytest
import torch

import softdraw as sd

OPTIMUM = {1.5: 0.30187, 2: 0.20250, 3: 0.09113}
ST_FIXED_POINT = {1.5: 0.35222, 2: 0.2475, 3: 0.12130}
START = {1.5: 0.35488, 2: 0.2525, 3: 0.12875}


def polynomial_programming(name, power, steps, rate, batch=64):
    """Minimise the mean of |z - 0.45|^p over 128 coins; returns the exact expected loss at the end."""
    g = torch.Generator().manual_seed(0)
    logits = (0.02 * torch.rand(128, 2, generator=g) - 0.01).requires_grad_()
    optimiser = torch.optim.Adam([logits], lr=rate)
    est = sd.estimators.get(name, tau=1.0)
    for step in range(steps):
        optimiser.zero_grad()
        y = est(logits.expand(batch, 128, 2), key=sd.Key(step))
        (y[..., 0] - 0.45).abs().pow(power).mean().backward()
        optimiser.step()
    p = logits.detach().double().softmax(-1)[:, 0]
    return float((p * 0.55**power + (1 - p) * 0.45**power).mean())


@pytest.mark.parametrize("power", [1.5, 2, 3])
def test_polynomial_programming(power):
    """ReinMax reaches the optimum, ST stalls at its fixed point; a larger rate and fewer steps than
    published."""
    gap = START[power] - OPTIMUM[power]
    assert polynomial_programming("reinmax", power, 1000, 0.05) - OPTIMUM[power] < 0.02 * gap
    assert abs(polynomial_programming("st", power, 1000, 0.02) - ST_FIXED_POINT[power]) < 0.02 * gap


@pytest.mark.slow
@pytest.mark.parametrize("power", [1.5, 2, 3])
def test_polynomial_programming_as_published(power):
    """Liu et al. 2023: Adam at 1e-3, batch 64, 40 x 200 steps, tau 1. ReinMax is close to the optimum by
    then."""
    gap = START[power] - OPTIMUM[power]
    assert polynomial_programming("reinmax", power, 8000, 1e-3) - OPTIMUM[power] < 0.08 * gap
    assert abs(polynomial_programming("st", power, 8000, 1e-3) - ST_FIXED_POINT[power]) < 0.005 * gap


def rebar_toy(est, target, steps=5000, rate=0.01, coins=16):
    """E(b - t)^2 from a fair coin, one estimate a step; 5000 steps of Adam at 0.01 as published; 16 coins at
    once.

    Returns the mean over the coins of the exact expected loss. Adam works on each logit alone, so the coins
    are runs of their own but for what the estimator learns.
    """
    logits = torch.zeros(coins, 1, 2, requires_grad=True)

    def cost(z):
        return (z[..., 0, 0] - target).square()

    est.expectation(cost, logits, key=sd.Key(-1))  # shapes what is lazily shaped
    own = list(est.parameters())
    optimisers = [torch.optim.Adam([logits], lr=rate), *([torch.optim.Adam(own, lr=0.01)] if own else [])]
    for step in range(steps):
        for optimiser in optimisers:
            optimiser.zero_grad()
        est.expectation(cost, logits, key=sd.Key(step)).sum().backward()
        for optimiser in optimisers:
            optimiser.step()
    p = logits.detach().double().softmax(-1)[:, 0, 0]
    return float((p * (1 - target) ** 2 + (1 - p) * target**2).mean())


TOY = [
    ("reinforce", {}),
    ("reinforce", {"baseline": "learned"}),
    ("rloo", {}),
    ("unordered-set", {}),
    ("indecater", {}),
    ("arm", {}),
    ("disarm", {}),
    ("arsm", {}),
    ("rodeo", {}),
    ("rebar", {}),
    ("relax", {}),
]


@pytest.mark.parametrize("name", ["reinforce", "rloo", "disarm", "rodeo"])
def test_rebar_toy_at_0499_in_short(name):
    """A gradient of 0.0005 is found with a baseline or a coupling, in fewer and larger steps than
    published."""
    torch.manual_seed(0)
    assert rebar_toy(sd.estimators.get(name), 0.499, steps=700, rate=0.05) - 0.249001 < 1e-4


def test_plain_reinforce_does_not_find_it():
    """Signal to noise 0.004: after the same steps the mean coin is still half way or worse."""
    plain = sd.estimators.get("reinforce", baseline="none")
    assert rebar_toy(plain, 0.499, steps=700, rate=0.05) - 0.249001 > 5e-4


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), TOY)
def test_rebar_toy_at_0499(name, options):
    torch.manual_seed(0)
    assert rebar_toy(sd.estimators.get(name, **options), 0.499) - 0.249001 < 1e-4


@pytest.mark.slow
def test_plain_reinforce_does_not_find_it_as_published():
    plain = sd.estimators.get("reinforce", baseline="none")
    assert rebar_toy(plain, 0.499) - 0.249001 > 5e-4


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), [("reinforce", {"baseline": "none"}), *TOY])
def test_rebar_toy_at_045(name, options):
    torch.manual_seed(0)
    assert abs(rebar_toy(sd.estimators.get(name, **options), 0.45) - 0.2025) < 3e-3
