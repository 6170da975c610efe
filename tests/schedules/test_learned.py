"""The learned temperature: bounds, gradient, and its place in modules and checkpoints."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from softdraw.schedules import Learned


@given(start=st.floats(0.11, 9.9), raw=st.floats(-200, 200))
def test_bounds_hold_for_every_parameter(start, raw):
    s = Learned(start, 0.1, 10.0)
    assert s.tau.item() == pytest.approx(start, rel=1e-5)
    with torch.no_grad():
        s.raw.fill_(raw)
    assert 0.1 * (1 - 1e-6) <= s.tau.item() <= 10.0 * (1 + 1e-6)


def test_gradient_is_the_closed_form():
    s = Learned(1.0, 0.1, 10.0)
    s.tau.backward()
    # d tau / d raw = tau · log(high / low) · σ(1 - σ), and σ = 1/2 at the geometric middle.
    assert s.raw.grad.item() == pytest.approx(torch.log(torch.tensor(100.0)).item() / 4, rel=1e-5)


def test_an_optimizer_finds_the_temperature():
    s = Learned(1.0, 0.1, 10.0)
    optimizer = torch.optim.Adam(s.parameters(), lr=0.05)
    logits = torch.tensor([2.0, 1.0, 0.0])
    target = torch.softmax(logits / 0.37, -1)
    for _ in range(300):
        optimizer.zero_grad()
        (torch.softmax(logits / s.tau, -1) - target).square().sum().backward()
        optimizer.step()
        s.step()
    assert s.value == pytest.approx(0.37, rel=1e-3)
    steps, taus = s.curve()
    assert steps[-1] == 300
    assert taus[-1] == s.value
    assert taus[0] == 1.0


def test_half_keeps_tau_in_float32_and_the_bounds_in_the_checkpoint():
    s = Learned(1.5, 0.1, 10.0).half()
    assert s.raw.dtype == torch.float16
    assert s.tau.dtype == torch.float32
    assert s.tau.item() == pytest.approx(1.5, rel=2e-3)
    Learned(1.0, 0.1, 10.0).load_state_dict(s.state_dict())


def test_a_module_registers_it():
    class Layer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.tau = Learned(2.0)

    layer = Layer()
    assert [n for n, _ in layer.named_parameters()] == ["tau.raw"]
    other = Layer()
    with torch.no_grad():
        layer.tau.raw.fill_(0.3)
    other.load_state_dict(layer.state_dict())
    assert other.tau.value == layer.tau.value


def test_reset_parameters_returns_to_start():
    s = Learned(2.0)
    with torch.no_grad():
        s.raw.fill_(3.0)
    s.reset_parameters()
    assert s.value == pytest.approx(2.0, rel=1e-6)


def test_other_bounds_are_refused():
    state = Learned(1.0, 0.1, 10.0).state_dict()
    for strict in (True, False):
        with pytest.raises(RuntimeError, match=r"bounds low=0\.1, high=10\.0.*has low=0\.2, high=10\.0"):
            Learned(1.0, 0.2, 10.0).load_state_dict(state, strict=strict)


@pytest.mark.parametrize("bounds", [(0.1, 0.1, 10.0), (10.0, 0.1, 10.0), (1.0, 2.0, 0.5)])
def test_start_lies_between(bounds):
    with pytest.raises(ValueError, match="start must lie between low and high"):
        Learned(*bounds)
