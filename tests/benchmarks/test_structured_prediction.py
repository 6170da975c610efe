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


def test_the_upper_half_is_given_and_grey_is_a_probability(monkeypatch, tmp_path):
    from benchmarks import structured_prediction as halves

    grey = torch.zeros(200, 28, 28, dtype=torch.uint8)
    grey[:, :14], grey[:, 14:, :14] = 255, 51
    monkeypatch.setattr(halves, "read_images", lambda folder, part: grey)
    upper, lower = halves.read_halves(tmp_path, "train")
    assert bool((upper == 1).all())
    lower = lower.view(200, 14, 28)
    assert not lower[..., 14:].any()
    assert float(lower[..., :14].mean()) == pytest.approx(0.2, abs=4.5 * 0.4 / (200 * 196) ** 0.5)


def test_the_command_prints_a_row_for_each_method_and_trains_once(mnist, monkeypatch, capsys):
    from benchmarks import structured_prediction as halves

    monkeypatch.setattr(halves, "TESTED", 10)
    line = f"x --data {mnist} --methods st reinmax --steps 2 --seeds 2 --out {mnist / 'runs'}"
    monkeypatch.setattr("sys.argv", line.split())
    train, trained = halves.train, []

    def short(method, data, test, seed, steps):
        trained.append((method, seed, steps))
        return train(method, data, test, seed, steps, draws=5)

    monkeypatch.setattr(halves, "train", short)
    halves.main()
    assert trained == [("st", 0, 2), ("st", 1, 2), ("reinmax", 0, 2), ("reinmax", 1, 2)]
    printed = capsys.readouterr().out
    first, second = (row.rstrip() for row in printed.splitlines()[1:])
    assert first.startswith("st ")
    assert first.endswith("published 61.8")
    assert second.startswith("reinmax ")
    assert second.endswith("published")
    halves.main()
    assert capsys.readouterr().out == printed
    assert len(trained) == 4
