"""Bias and variance over temperature."""

import pytest
import torch

import softdraw as sd


def cubic(z):
    weight = torch.linspace(-1.0, 1.5, z.shape[-2] * z.shape[-1]).view(z.shape[-2:])
    return (z * weight).sum((-1, -2)).pow(3)


def test_the_trade_off_that_theory_promises():
    """Gumbel-Softmax: bias falls and variance rises as tau falls."""
    taus = [0.1, 0.5, 2.0]
    sweep = sd.diagnostics.temperature_sweep(
        cubic, torch.tensor([[0.3, -0.2, 0.5]] * 2), "gumbel-softmax", taus, draws=20_000, key=sd.Key(0)
    )
    assert sweep.taus == tuple(taus)
    cold, warm, hot = sweep.rows
    assert cold.bias + 3 * cold.bias_error < hot.bias - 3 * hot.bias_error
    assert warm.bias + 3 * warm.bias_error < hot.bias - 3 * hot.bias_error
    assert cold.variance > warm.variance > hot.variance
    assert sweep.best.mse == min(row.mse for row in sweep)
    assert str(sweep).count("least error") == 1
    assert len(sweep.to_csv().splitlines()) == 4


def test_the_temperature_of_a_control_variate():
    sweep = sd.diagnostics.temperature_sweep(
        cubic, torch.zeros(2, 3), "rebar", [0.2, 1.0], draws=200, key=sd.Key(0)
    )
    assert sweep.taus == (pytest.approx(0.2), pytest.approx(1.0))
    assert sweep.rows[0].variance != sweep.rows[1].variance


def test_refusals():
    with pytest.raises(ValueError, match="taus: got none, expected one"):
        sd.diagnostics.temperature_sweep(cubic, torch.zeros(2, 3), "st", [])
    with pytest.raises(ValueError, match="estimator: got 'rloo', expected one that has a temperature"):
        sd.diagnostics.temperature_sweep(cubic, torch.zeros(2, 3), "rloo", [1.0])
    with pytest.raises(ValueError, match=r"taus: got -1.0, expected a number >= 0"):
        sd.diagnostics.temperature_sweep(cubic, torch.zeros(2, 3), "st", [1.0, -1])
    with pytest.raises(ValueError, match="binary-concrete cannot serve here"):
        sd.diagnostics.temperature_sweep(cubic, torch.zeros(2, 3), "binary-concrete", [1.0], draws=5)
