"""ReinMax-Rao: the conditional Jacobian against rejection sampling."""

import pytest
import torch

import softdraw as sd

from ...statistics import assert_same_mean


@pytest.mark.parametrize("tau", [0.7, 1.0])
def test_conditional_jacobian_by_rejection(lab, tau):
    """2 E[J(y) / tau | argmax = z] g - J(p) g / 2 at logits log((p + z) / 2), for every z.

    The conditional mean is taken over raced noise that z won; both sides are samples.
    """
    logits = torch.tensor([0.6, -0.4, 0.1], dtype=torch.float64)
    upstream = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    p = logits.softmax(-1)
    leaf = logits.expand(20_000, 3).clone().requires_grad_()
    y = sd.estimators.get("reinmax-rao", tau=tau, draws=4)(leaf, key=sd.Key(0))
    (y * upstream).sum().backward()
    g = torch.Generator().manual_seed(0)
    noise = -torch.empty(100_000, 3, dtype=torch.float64).exponential_(generator=g).log()
    for z in range(3):
        raced = (0.5 * (p + torch.eye(3, dtype=torch.float64)[z])).log() + noise
        soft = (raced[raced.argmax(-1) == z] / tau).softmax(-1)
        first = 2 * (soft * upstream - soft * (soft @ upstream).unsqueeze(-1)) / tau
        expected = first - 0.5 * (p * upstream - p * (p @ upstream))
        assert_same_mean(leaf.grad[y.argmax(-1) == z], expected)


def test_less_variance_than_reinmax(lab):
    problem = lab.random_problem(2, 3, seed=17)
    spread = {}
    for name in ("reinmax", "reinmax-rao"):
        _, gradients, _ = lab.draws_of(sd.estimators.get(name), problem, 10_000, sd.Key(1))
        spread[name] = float(gradients.var(0).sum())
    assert spread["reinmax-rao"] < spread["reinmax"]
