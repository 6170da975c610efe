import itertools

import pytest
import torch

from softdraw.molecules.model.drawing import draw
from softdraw.molecules.model.likelihood import decisions_of, log_likelihood
from softdraw.random import Key

from ...statistics import assert_frequencies
from ..small import random_network


def all_graphs(types, max_atoms):
    """Every decision sequence, valid or not, as padded graphs."""
    for size in range(max_atoms + 1):
        pairs = [(i, j) for i in range(size) for j in range(i)]
        for kinds in itertools.product(range(types), repeat=size):
            for orders in itertools.product(range(4), repeat=len(pairs)):
                bonds = torch.zeros(max_atoms, max_atoms, dtype=torch.long)
                for (i, j), order in zip(pairs, orders, strict=True):
                    bonds[i, j] = bonds[j, i] = order
                yield torch.tensor([*kinds, *[-1] * (max_atoms - size)]), bonds


@pytest.mark.parametrize("valences", [(4, 1), (4, 3, 2, 1)])
def test_likelihood_sums_to_one_over_all_decision_sequences(valences):
    network = random_network(valences, max_atoms=3).double()
    graphs = list(all_graphs(len(valences), 3))
    types, bonds = (torch.stack(part) for part in zip(*graphs, strict=True))
    assert len(types) == sum(len(valences) ** n * 4 ** (n * (n - 1) // 2) for n in range(4))
    with torch.no_grad():
        total = log_likelihood(network, types, bonds).double().logsumexp(0)
    torch.testing.assert_close(total, torch.zeros((), dtype=torch.double), atol=1e-5, rtol=0)


def test_likelihood_does_not_depend_on_padding():
    network = random_network(max_atoms=6)
    types = torch.tensor([[0, 1, 2]])
    bonds = torch.zeros(1, 3, 3, dtype=torch.long)
    bonds[0, 0, 1] = bonds[0, 1, 0] = 2
    bonds[0, 1, 2] = bonds[0, 2, 1] = 1
    wide = torch.nn.functional.pad(types, (0, 3), value=-1), torch.nn.functional.pad(bonds, (0, 3, 0, 3))
    torch.testing.assert_close(log_likelihood(network, types, bonds), log_likelihood(network, *wide))


def test_a_full_graph_stops_without_a_decision():
    network = random_network(max_atoms=3)
    bonds = torch.zeros(1, 3, 3, dtype=torch.long)
    full = decisions_of(torch.tensor([[0, 0, 0]]), bonds, network)
    assert full.types.tolist() == [[0, 0, 0, -100]]
    shorter = decisions_of(torch.tensor([[0, 0, -1]]), bonds, network)
    assert shorter.types.tolist() == [[0, 0, 4, -100]]
    assert shorter.bonds.tolist() == [[0, -100, -100]]


def test_graphs_are_drawn_with_their_likelihood():
    """Chi-square of free draws against the enumerated likelihood."""
    network = random_network((4, 1), max_atoms=2, scale=0.5)
    graphs = list(all_graphs(2, 2))
    types, bonds = (torch.stack(part) for part in zip(*graphs, strict=True))
    with torch.no_grad():
        expected = log_likelihood(network, types, bonds).exp()
        drawn = draw(network, 20_000, Key(3), mask=False)
    place = {(*t.tolist(), int(b[0, 1])): k for k, (t, b) in enumerate(graphs)}
    seen = [place[(*t, b)] for t, b in zip(drawn.types.tolist(), drawn.bonds[:, 0, 1].tolist(), strict=True)]
    assert_frequencies(torch.bincount(torch.tensor(seen), minlength=len(graphs)), expected)
