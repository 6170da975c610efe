"""Exact gradients, and the estimate that stands in where they are too many."""

import pytest
import torch

import softdraw as sd

from ..statistics import assert_estimate


def cost(z):
    return z[..., 0].prod(-1) * 3 + (z * torch.arange(3.0)).sum((-1, -2)).square()


def test_gradient_of_the_value_by_finite_differences():
    logits = torch.randn(2, 2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    gradient = sd.diagnostics.exact_gradient(cost, logits)
    assert gradient.shape == logits.shape
    for place in [(0, 0, 1), (1, 1, 2)]:
        shifted = []
        for step in (1e-5, -1e-5):
            moved = logits.clone()
            moved[place] += step
            shifted.append(sd.diagnostics.exact_value(cost, moved)[place[0]])
        torch.testing.assert_close(gradient[place], (shifted[0] - shifted[1]) / 2e-5, rtol=1e-6, atol=1e-8)


def test_masked_classes_do_not_count():
    logits = torch.zeros(2, 3)
    mask = torch.tensor([[True, True, False], [True, True, True]])
    value = sd.diagnostics.exact_value(lambda z: z[..., 0, 2] * 1e6 + z[..., 0, 0], logits, mask=mask)
    assert value.item() == 0.5
    gradient = sd.diagnostics.exact_gradient(lambda z: z[..., 0, 0], logits, mask=mask)
    torch.testing.assert_close(gradient, torch.tensor([[0.25, -0.25, 0.0], [0.0, 0.0, 0.0]]))


def test_too_many_states_are_refused_with_the_count_and_the_way_out():
    for exact in (sd.diagnostics.exact_gradient, sd.diagnostics.exact_value):
        with pytest.raises(
            sd.estimators.TooManyStatesError, match=r"4\^20 = 1099511627776 states.*reference_gradient"
        ):
            exact(cost, torch.zeros(20, 4))


def test_reference_agrees_with_enumeration():
    logits = torch.randn(2, 3, generator=torch.Generator().manual_seed(1))
    exact = sd.diagnostics.exact_gradient(cost, logits)
    estimate, error = sd.diagnostics.reference_gradient(cost, logits, draws=200_000, key=sd.Key(0))
    assert_estimate(estimate, error, exact, slack=1e-7)
    assert error.norm() < 0.02 * exact.norm()


def test_reference_needs_four_draws():
    with pytest.raises(ValueError, match="draws: got 3, expected an int >= 4"):
        sd.diagnostics.reference_gradient(cost, torch.zeros(2, 3), draws=3)
    with pytest.raises(ValueError, match="chunk: got 1, expected an int >= 2"):
        sd.diagnostics.reference_gradient(cost, torch.zeros(2, 3), chunk=1)


def test_parameters_of_f_get_no_gradient():
    scale = torch.tensor(2.0, requires_grad=True)
    sd.diagnostics.exact_gradient(lambda z: scale * z[..., 0, 0], torch.zeros(1, 2))
    assert scale.grad is None
