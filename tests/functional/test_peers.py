"""Values beside those of other packages, where they are installed."""

import pytest
import torch

import softdraw as sd

SCORES = torch.linspace(-2, 2, 60).mul(7).sin().mul(2).reshape(12, 5)


@pytest.mark.parametrize("tau", [0.1, 1.0, 3.0])
def test_softsort_and_neuralsort_are_those_of_difftopk(tau):
    peer = pytest.importorskip("difftopk")
    torch.testing.assert_close(sd.soft_sort(SCORES, tau), peer.SoftSort(tau)(SCORES))
    # it sorts ascending, and its columns are places
    ours = sd.soft_sort(-SCORES, tau, method="neuralsort").mT
    torch.testing.assert_close(ours, peer.NeuralSort(tau)(SCORES))


@pytest.mark.parametrize("tau", [0.1, 1.0, 3.0])
def test_softsort_of_two_is_the_logistic_swap_of_diffsort(tau):
    """Of two numbers alone: a network of swaps relaxes longer lists otherwise."""
    peer = pytest.importorskip("diffsort")
    sorter = peer.DiffSortNet("odd_even", 2, steepness=1 / tau, distribution="logistic")
    values, columns = sorter(SCORES[:, :2])
    ours = sd.soft_sort(SCORES[:, :2], tau).flip(-2)
    torch.testing.assert_close(ours.mT, columns)
    torch.testing.assert_close((ours @ SCORES[:, :2, None]).squeeze(-1), values)


@pytest.mark.parametrize("network", ["odd_even", "bitonic"])
def test_the_limit_is_that_of_diffsort(network):
    peer = pytest.importorskip("diffsort")
    scores = SCORES[:, :4]
    _, columns = peer.DiffSortNet(network, 4, steepness=1e9, distribution="logistic")(scores)
    torch.testing.assert_close(sd.soft_sort(scores, 0.0).flip(-2).mT, columns)


def test_ranks_have_the_limit_of_torchsort():
    peer = pytest.importorskip("torchsort")
    ours = sd.nn.SoftRank(1e-4)(SCORES)
    ranks = peer.soft_rank(SCORES, regularization_strength=1e-4)  # 1 for the smallest
    torch.testing.assert_close(6 - ours.ranks, ranks, atol=1e-3, rtol=0)
    values = peer.soft_sort(SCORES, regularization_strength=1e-4)
    torch.testing.assert_close(ours.values.flip(-1), values, atol=1e-2, rtol=0)
