"""Gapped ST: its mean gradient, in closed form, and the margin it promises."""

import numpy as np
import pytest
import torch

import softdraw as sd

from ...statistics import assert_mean


def moved(logits, z, gap):
    """The logits after the moves, written out for one variable."""
    logits = np.asarray(logits, dtype=float)
    p = np.exp(logits - logits.max())
    p /= p.sum()
    margin = -np.log1p(-p[z]) / p[z] if gap == "p" else gap
    out = logits.copy()
    for j in range(len(out)):
        out[j] = logits.max() if j == z else logits[j] - max(0.0, logits[j] - logits.max() + margin)
    return out


@pytest.mark.parametrize("gap", [0.3, 1.0, "p"])
@pytest.mark.parametrize("tau", [0.5, 1.0])
def test_mean_gradient_by_enumeration(lab, gap, tau):
    problem = lab.random_problem(1, 4, seed=13)
    points = torch.eye(4, dtype=torch.float64).unsqueeze(-2).requires_grad_()
    (slope,) = torch.autograd.grad(problem.cost(points, problem.parameter).sum(), points)
    p = problem.logits[0].softmax(-1)
    mean = torch.zeros(4, dtype=torch.float64)
    for z in range(4):
        q = (torch.tensor(moved(problem.logits[0].numpy(), z, gap)) / tau).softmax(-1)
        mean += p[z] * (torch.diag(q) - torch.outer(q, q)) @ slope[z, 0] / tau
    _, gradients, _ = lab.draws_of(
        sd.estimators.get("gapped-st", tau=tau, gap=gap), problem, 20_000, sd.Key(1)
    )
    assert_mean(gradients, mean, precise=0.1)


def test_certain_class_under_gap_p():
    """Where p rounds to 1 the gap grows without end; the gradient is finite."""
    logits = torch.tensor([[200.0, 0.0, 0.0]], requires_grad=True)
    y = sd.estimators.get("gapped-st", gap="p")(logits, key=sd.Key(0))
    (y * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert y.tolist() == [[1.0, 0.0, 0.0]]
    assert bool(logits.grad.isfinite().all())
