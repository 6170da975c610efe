"""The network of two layers of draws: its likelihood against a sum, and that every method learns."""

import pytest
import torch


@pytest.mark.parametrize("method", ["score function", "st", "gumbel-softmax", "st-gumbel-softmax", "reinmax"])
def test_every_method_learns_through_both_layers(mnist, method):
    from benchmarks.structured_prediction import METHODS, HalfNetwork, read_halves, train

    data, test = read_halves(mnist, "train"), read_halves(mnist, "t10k")
    assert data[0].shape == (60, 392)
    assert set(data[0].unique().tolist()) == {0.0, 1.0}
    found = train(method, data, test, 0, 60, draws=20)
    assert found["test"] < 392 * 0.6931 - 60
    network, one, two = HalfNetwork(), METHODS[method](), METHODS[method]()
    network.loss(one, two, data[0][:8], data[1][:8]).sum().backward()
    assert all(bool(weight.grad.abs().sum() > 0) for weight in network.parameters())


def test_the_likelihood_is_the_mean_over_codes(monkeypatch):
    """Two choices among two: 16 pairs of codes are summed over."""
    import itertools

    from benchmarks import structured_prediction as halves

    monkeypatch.setattr(halves, "CHOICES", 1)
    monkeypatch.setattr(halves, "CLASSES", 2)
    torch.manual_seed(0)
    network = halves.HalfNetwork()
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(3)
    upper, lower = torch.rand(2, 392).round(), torch.rand(2, 392).round()
    eye, likely = torch.eye(2).unsqueeze(1), torch.zeros(2, dtype=torch.double)
    with torch.no_grad():
        first = network.logits(network.first, upper).softmax(-1)[:, 0]
        for one, two in itertools.product(range(2), repeat=2):
            second = network.logits(network.second, eye[one].expand(2, 1, 2)).softmax(-1)[:, 0]
            cost = network.cost(eye[two].expand(2, 1, 2), lower)
            likely += (first[:, one] * second[:, two]).double() * (-cost.double()).exp()
    exact = float(-likely.log().mean())
    assert network.nats(upper, lower, 20_000, seed=0) == pytest.approx(exact, abs=0.1)
