"""ReinMax-Rao: the conditional Jacobian against rejection sampling."""

import pytest
import torch

import softdraw as sd


@pytest.mark.parametrize("tau", [0.7, 1.0])
def test_conditional_jacobian_by_rejection(tau):
    """2 E[J(y) / tau | argmax = z] g - J(p) g / 2 at logits log((p + z) / 2), the mean over raced noise that
    z won.

    The estimator's side has 100,000 draws and so has the race; six standard errors apart at most.
    """
    logits = torch.tensor([0.6, -0.4, 0.1], dtype=torch.float64)
    upstream = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    p = logits.softmax(-1)
    for seed in range(4):
        leaf = logits.clone().requires_grad_()
        y = sd.estimators.get("reinmax-rao", tau=tau, draws=100_000)(leaf, key=sd.Key(seed))
        (y * upstream).sum().backward()
        z = int(y.argmax())
        q = 0.5 * (p + y.detach())
        g = torch.Generator().manual_seed(seed)
        noise = -torch.empty(100_000, 3, dtype=torch.float64).exponential_(generator=g).log()
        raced = q.log() + noise
        raced = raced[raced.argmax(-1) == z]
        soft = (raced / tau).softmax(-1)
        each = 2 * (soft * upstream - soft * (soft @ upstream).unsqueeze(-1)) / tau
        expected = each.mean(0) - 0.5 * (p * upstream - p * (p @ upstream))
        error = each.std(0) / len(each) ** 0.5
        assert bool(((leaf.grad - expected).abs() < 6 * 2**0.5 * error).all())


def test_less_variance_than_reinmax(lab):
    problem = lab.random_problem(2, 3, seed=17)
    spread = {}
    for name in ("reinmax", "reinmax-rao"):
        _, gradients, _ = lab.draws_of(sd.estimators.get(name), problem, 10_000, sd.Key(1))
        spread[name] = float(gradients.var(0).sum())
    assert spread["reinmax-rao"] < spread["reinmax"]
