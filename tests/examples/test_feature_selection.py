"""The learned choice beats the one by mutual information, and the data are as the example says."""

import torch


def test_learned_features_are_better_than_those_of_most_mutual_information(ran):
    figures = ran("feature_selection").figures
    assert figures["ConcreteSelector"] > figures["mutual information"] + 0.08
    assert figures["ConcreteSelector"] <= figures["best"] + 0.01
    assert figures["found"] >= 0.5


def test_the_pair_tells_nothing_alone_and_a_lot_together(example):
    module = example("feature_selection")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        x, y = module.draw(20_000)
    sign = 2.0 * y - 1
    for feature in module.PAIR:
        assert (x[:, feature] * sign).mean().abs() < 0.03
    assert (x[:, 0] * x[:, 1] * sign).mean() > 0.3
    for copy in module.COPIES:
        assert torch.corrcoef(torch.stack([x[:, copy], x[:, module.DIRECT]]))[0, 1] > 0.99
