"""The best search finds the hidden cell, and a fixed cell is what its operations say."""

import torch
from torch.nn.functional import one_hot


def test_the_best_search_finds_the_operations(ran):
    figures = ran("architecture_search").figures
    # all five and 0.032, of which the noise is 0.033, where it was written
    assert figures["right"] >= 4
    assert figures["best"] < 0.1
    assert figures["random"] > 10 * figures["best"]


def test_a_mixture_of_cells_is_the_mixture_of_their_operations(example):
    module = example("architecture_search")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        cell, x = module.Cell(), torch.randn(4, 2, 24)
    # the second node gets: same of the first input, and the maximum of (the average of the second input)
    choice = one_hot(torch.tensor([0, 2, 1, 0, 3]), 6).float().expand(4, -1, -1)
    averaged = torch.nn.functional.avg_pool1d(x[:, 1:], 3, 1, 1)
    expected = x[:, 0] + torch.nn.functional.max_pool1d(averaged, 3, 1, 1)[:, 0]
    torch.testing.assert_close(cell(x, choice), expected)
    # the edges into the second node enter linearly
    other = choice.clone()
    other[:, 2] = one_hot(torch.tensor(4), 6).float()
    half = cell(x, (choice + other) / 2)
    torch.testing.assert_close(half, (cell(x, choice) + cell(x, other)) / 2)
