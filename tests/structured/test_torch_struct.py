"""Chains and trees beside torch-struct, where it is installed and where it is right (scale 1)."""

import warnings

import pytest
import torch

import softdraw as sd

from .tree_laws import WIDE, normal


@pytest.fixture
def theirs():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield pytest.importorskip("torch_struct")


def test_chains(theirs):
    unary, pairwise = normal(4, 6, 3), normal(4, 5, 3, 3, seed=1)
    lengths = torch.tensor([6, 4, 3, 2])
    # their potential of a step is [state after, state before], with the first state's in the first step
    potentials = pairwise.mT + unary[:, 1:, :, None]
    potentials[:, 0] += unary[:, 0].unsqueeze(-2)
    peer = theirs.LinearChainCRF(potentials, lengths=lengths)
    d = sd.structured.Chain(unary, pairwise, lengths)
    torch.testing.assert_close(d.log_partition, peer.partition)
    torch.testing.assert_close(d.pairwise_marginals.mT, peer.marginals)
    torch.testing.assert_close(d.entropy(), peer.entropy)
    best = d.mode[:, 1:].unsqueeze(-1) * d.mode[:, :-1].unsqueeze(-2)
    torch.testing.assert_close(best, peer.argmax.to(WIDE))


def test_arborescences(theirs):
    inner, roots = normal(5, 4, 4), normal(5, 4, seed=1)
    # theirs has the logits of edges from the root on the diagonal
    arcs = torch.where(torch.eye(4, dtype=torch.bool), torch.diag_embed(roots), inner)
    peer = theirs.NonProjectiveDependencyCRF(arcs, multiroot=True)
    logits = torch.zeros(5, 5, 5, dtype=WIDE)
    logits[:, 1:, 1:], logits[:, 0, 1:] = inner, roots
    d = sd.structured.Arborescence(logits)
    # they add 1e-5 to every weight
    torch.testing.assert_close(d.log_partition, peer.partition, rtol=0, atol=1e-3)
    means = d.marginals
    both = means[:, 1:, 1:] + torch.diag_embed(means[:, 0, 1:])
    torch.testing.assert_close(both, peer.marginals, rtol=0, atol=1e-3)
