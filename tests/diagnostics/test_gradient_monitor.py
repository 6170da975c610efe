"""What the monitor sees while a layer trains."""

import math

import pytest
import torch
from torch import nn

import softdraw as sd


def train(monitor_of, steps=1, logits=None, upstream=None):
    layer = sd.estimators.get("st", tau=0.7)
    with monitor_of(layer) as monitor:
        for step in range(steps):
            leaf = (torch.zeros(6, 4) if logits is None else logits).clone().requires_grad_()
            y = layer(leaf, key=sd.Key(step))
            (y * (torch.arange(4.0) if upstream is None else upstream)).sum().backward()
    return monitor


def test_entropy_perplexity_and_gradient():
    logits = torch.tensor([[0.0, 0.0, -math.inf, -math.inf], [-math.inf, -math.inf, 0.0, 0.0]])
    record = train(sd.diagnostics.GradientMonitor, logits=logits).last
    assert record["step"] == 1
    assert record["tau"] == pytest.approx(0.7)
    assert record["entropy"] == pytest.approx(math.log(2))  # each row chooses between two
    assert record["perplexity"] == pytest.approx(4.0)  # together they use all four
    # J(p) g / tau for p = (1/2, 1/2) and slopes that differ by one: (-1, 1) / (4 tau) in each row
    assert record["gradient_norm"] == pytest.approx(2 / (4 * 0.7), rel=1e-5)


def test_dead_rows_and_padding():
    logits = torch.tensor([[0.0] * 4, [80.0, 0.0, 0.0, 0.0], [-math.inf] * 4])
    record = train(sd.diagnostics.GradientMonitor, logits=logits).last
    assert record["dead_rows"] == pytest.approx(0.5)  # one of two real rows; the padded one is no row


def test_signal_to_noise_of_known_gradients():
    """Gradients m + noise: the ratio tends to |m|^2 / trace of the covariance of the batch mean."""

    class Identity(nn.Module):
        def forward(self, x):
            return x

    layer, g = Identity(), torch.Generator().manual_seed(0)
    with sd.diagnostics.GradientMonitor(layer, decay=0.999) as monitor:
        for _ in range(4000):
            x = torch.zeros(1, 2, requires_grad=True)
            (layer(x) * (torch.tensor([3.0, 4.0]) + 5 * torch.randn(1, 2, generator=g))).sum().backward()
    assert monitor.last["signal_to_noise"] == pytest.approx(25 / 50, rel=0.25)


def test_every_and_close():
    monitor = train(lambda layer: sd.diagnostics.GradientMonitor(layer, every=3), steps=7)
    assert [record["step"] for record in monitor.records] == [1, 4, 7]
    layer = monitor.layer
    layer(torch.zeros(2, 4, requires_grad=True), key=sd.Key(0)).sum().backward()
    assert len(monitor.records) == 3


def test_tau_of_a_schedule():
    schedule = sd.schedules.Constant(0.3)
    monitor = train(lambda layer: sd.diagnostics.GradientMonitor(layer, schedule=schedule))
    assert monitor.last["tau"] == pytest.approx(0.3)


def test_silent_without_gradients():
    layer = sd.estimators.get("st")
    with sd.diagnostics.GradientMonitor(layer) as monitor, torch.no_grad():
        layer(torch.zeros(2, 4), key=sd.Key(0))
    assert monitor.records == []
    assert monitor.last == {}


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"every": 0}, ValueError),
        ({"every": 1.5}, TypeError),
        ({"decay": 1.0}, ValueError),
        ({"decay": "much"}, TypeError),
        ({"dead": -1.0}, ValueError),
        ({"layer": "choice"}, TypeError),
    ],
)
def test_options_are_checked(options, error):
    with pytest.raises(error, match=f"{next(iter(options))}: got .*, expected"):
        sd.diagnostics.GradientMonitor(**({"layer": nn.Identity()} | options))


def test_tau_of_a_schedule_that_the_layer_holds():
    layer = sd.nn.GumbelSoftmax(sd.schedules.Constant(0.3))
    with sd.diagnostics.GradientMonitor(layer) as monitor:
        layer(torch.zeros(6, 4, requires_grad=True), key=sd.Key(0)).square().sum().backward()
    assert monitor.last["tau"] == pytest.approx(0.3)
