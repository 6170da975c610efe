"""Decoupled ST Gumbel-Softmax: the forward temperature changes the law, the backward one the slope."""

import pytest
import torch

import softdraw as sd

from ...statistics import assert_mean, assert_share


@pytest.mark.parametrize("forward_tau", [0.3, 2.0])
def test_value_is_that_of_the_tempered_law(lab, forward_tau):
    problem = lab.random_problem(2, 3, seed=12)
    est = sd.estimators.get("decoupled-st-gumbel-softmax", tau=0.8, forward_tau=forward_tau)
    assert est.target == "tempered"
    values, _, own = lab.draws_of(est, problem, 20_000, sd.Key(1))
    problem.logits = problem.logits / forward_tau
    value, _, to_parameter = lab.exact_of(problem)
    assert_mean(values, value)
    assert_mean(own, to_parameter)


def test_the_forward_temperature_is_not_inert():
    """Dividing after the noise, as others have it, could not change a single sample."""
    logits = torch.tensor([1.0, 0.0, -1.0]).expand(5000, 3)
    for forward_tau in (0.05, 20.0):
        y = sd.estimators.get("decoupled-st-gumbel-softmax", forward_tau=forward_tau)(logits, key=sd.Key(0))
        # the first class is all but certain at 0.05, and has probability 0.350 at 20
        assert_share(y[:, 0].sum(), 5000, (logits[0] / forward_tau).softmax(-1)[0], comparisons=2)


@pytest.mark.parametrize("tau", [0.4, 1.5])
def test_equals_st_gumbel_softmax_at_forward_tau_one(tau):
    g = torch.Generator().manual_seed(0)
    upstream = torch.randn(9, 4, generator=g)
    results = []
    for est in (
        sd.estimators.get("decoupled-st-gumbel-softmax", tau=tau, forward_tau=1.0),
        sd.estimators.get("st-gumbel-softmax", tau=tau),
    ):
        logits = torch.randn(9, 4, generator=torch.Generator().manual_seed(1)).requires_grad_()
        y = est(logits, key=sd.Key(2))
        results.append((y.detach(), *torch.autograd.grad((y * upstream).sum(), logits)))
    torch.testing.assert_close(results[0], results[1])


def test_gradient_is_that_of_the_soft_sample():
    g = torch.Generator().manual_seed(0)
    logits = torch.randn(32, 5, generator=g, dtype=torch.float64).requires_grad_()
    upstream = torch.randn(32, 5, generator=g, dtype=torch.float64)
    y = sd.estimators.get("decoupled-st-gumbel-softmax", tau=0.9, forward_tau=0.5)(logits, key=sd.Key(4))
    (got,) = torch.autograd.grad((y * upstream).sum(), logits)
    noise = sd.random.gumbel((32, 5), key=sd.Key(4), dtype=torch.float64)
    soft = ((logits / 0.5 + noise) / 0.9).softmax(-1)
    (expected,) = torch.autograd.grad((soft * upstream).sum(), logits)
    torch.testing.assert_close(got, expected, rtol=1e-8, atol=1e-10)


def test_zero_forward_temperature_is_refused():
    with pytest.raises(ValueError, match="forward_tau"):
        sd.estimators.get("decoupled-st-gumbel-softmax", forward_tau=0.0)
