"""The network that is left after the cut is the gated one, and has lost little."""

import torch


def test_the_cut_network_computes_what_the_gated_one_did(example):
    module = example("channel_pruning")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        gated = module.Network(6, 8, gated=True)
        with torch.no_grad():
            for gate in gated.gates:
                gate.logits.copy_(torch.linspace(-4, 4, gate.logits.numel()).view_as(gate.logits))
        images = torch.rand(5, 1, 8, 8)
    small = module.cut(gated.eval())
    assert [len(layer.weight) for layer in small.layers] == [int((g.gates() > 0).sum()) for g in gated.gates]
    assert len(small.layers[0].weight) < 6
    torch.testing.assert_close(small(images), gated(images))


def test_a_heavier_penalty_keeps_fewer_channels_at_little_cost(ran):
    figures = ran("channel_pruning").figures
    channels = [value for name, value in figures.items() if name.startswith("channels")]
    assert channels[0] == 48
    assert channels == sorted(channels, reverse=True)
    assert channels[-1] < 36
    accuracies = [value for name, value in figures.items() if name.startswith("accuracy")]
    assert min(accuracies) > 0.85
