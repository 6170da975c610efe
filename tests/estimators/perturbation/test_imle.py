"""I-MLE: what a difference of two argmaxes estimates."""

import pytest
import torch

import softdraw as sd

from ...statistics import assert_mean


def linear_problem(lab):
    problem = lab.random_problem(2, 4, seed=19)
    weight = torch.randn(2, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    return problem, weight, lambda z, parameter: (z * weight).sum((-1, -2)) * parameter


@pytest.mark.parametrize("step", [0.5, 3.0])
@pytest.mark.parametrize("symmetric", [False, True])
def test_mean_gradient_for_linear_costs(lab, step, symmetric):
    """(softmax(logits) - softmax(logits - step g)) / step: Gumbel noise makes the mean of an argmax a
    softmax."""
    problem, weight, cost = linear_problem(lab)
    slope = weight * problem.parameter
    lowered = (problem.logits - step * slope).softmax(-1)
    if symmetric:
        mean = ((problem.logits + step * slope).softmax(-1) - lowered) / (2 * step)
    else:
        mean = (problem.logits.softmax(-1) - lowered) / step
    est = sd.estimators.get("imle", step=step, symmetric=symmetric)
    _, gradients, _ = lab.draws_of(est, problem, 20_000, sd.Key(1), cost)
    assert_mean(gradients, mean, precise=0.1)


def test_bias_falls_and_variance_rises_with_a_smaller_step(lab):
    problem, _, cost = linear_problem(lab)
    _, exact, _ = lab.exact_of(problem, cost)
    bias, spread = [], []
    for step in (4.0, 1.0, 0.25):
        _, gradients, _ = lab.draws_of(sd.estimators.get("imle", step=step), problem, 20_000, sd.Key(1), cost)
        bias.append(float((gradients.mean(0) - exact).norm()))
        spread.append(float(gradients.var(0).sum()))
    assert bias[0] > bias[1] > bias[2]
    assert spread[0] < spread[1] < spread[2]


def test_adaptive_step_reaches_its_target_count():
    """beta rises from zero until a backward changes about as many entries as asked for."""
    est = sd.estimators.get("imle", adaptive=True, rate=0.02, target_count=0.6)
    g = torch.Generator().manual_seed(0)
    logits = torch.randn(256, 6, generator=g)
    upstream = torch.randn(256, 6, generator=g)
    counts = []
    for call in range(300):
        leaf = logits.clone().requires_grad_()
        (est(leaf, key=sd.Key(call)) * upstream).sum().backward()
        counts.append(float((leaf.grad != 0).sum() / 256))
    assert counts[0] == 0.0
    assert abs(sum(counts[-100:]) / 100 - 0.6) < 0.1
    saved = est.state_dict()
    assert set(saved) == {"beta", "count"}
    est.eval()
    before = est.beta.clone()
    leaf = logits.clone().requires_grad_()
    (est(leaf, key=sd.Key(0)) * upstream).sum().backward()
    assert torch.equal(est.beta, before)


@pytest.mark.parametrize("option", ["step", "rate", "target_count"])
def test_options_are_checked(option):
    with pytest.raises(ValueError, match=option):
        sd.estimators.get("imle", **{option: 0.0})
