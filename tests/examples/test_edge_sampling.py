"""Drawn edges are the true ones, and the network that hears them alone is more exact than the others."""

import torch

import softdraw as sd


def test_the_true_edges_are_found_and_used(ran):
    figures = ran("edge_sampling").figures
    assert figures["drawn, true edges"] > 0.9
    assert figures["drawn, error"] < 0.5 * figures["attention, error"]
    assert figures["attention, error"] < figures["all edges, error"]
    assert abs(figures["all edges, true edges"] - 3 / 12) < 0.05  # chance


def test_each_way_gives_every_node_three_edges(example):
    module = example("edge_sampling")
    heard, edges, true, target = module.graph(torch.Generator().manual_seed(0))
    assert torch.equal(true.sum(1), torch.full((module.NODES,), 3.0))
    torch.testing.assert_close(target, (2 * (true.unsqueeze(2) * heard).sum(1) / 3 @ module.WEIGHT).tanh())
    for way in module.WAYS:
        chosen = module.EdgeSampler(way).edges(edges, sd.Key(0))
        torch.testing.assert_close(chosen.sum(1), torch.full((module.NODES,), 3.0))
        assert (way == "drawn") == bool(((chosen == 0) | (chosen == 1)).all())
