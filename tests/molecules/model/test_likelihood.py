import itertools

import pytest
import torch

from softdraw.molecules.model.drawing import choose_hard, draw
from softdraw.molecules.model.likelihood import log_likelihood
from softdraw.random import Key

from ...statistics import assert_frequencies
from ..small import random_network


def all_graphs(types, max_atoms):
    """Every decision sequence, within the valences or not, as padded graphs; each is in one piece."""
    for size in range(max_atoms + 1):
        pairs = [(i, j) for i in range(size) for j in range(i)]
        for kinds in itertools.product(range(types), repeat=size):
            for orders in itertools.product(range(4), repeat=len(pairs)):
                bonds = torch.zeros(max_atoms, max_atoms, dtype=torch.long)
                for (i, j), order in zip(pairs, orders, strict=True):
                    bonds[i, j] = bonds[j, i] = order
                if all(bonds[i, :i].any() for i in range(1, size)):
                    yield torch.tensor([*kinds, *[-1] * (max_atoms - size)]), bonds


@pytest.mark.parametrize("valences", [(4, 1), (4, 3, 2, 1)])
def test_likelihood_sums_to_one_over_all_decision_sequences(valences):
    network = random_network(valences, max_atoms=3).double()
    graphs = list(all_graphs(len(valences), 3))
    types, bonds = (torch.stack(part) for part in zip(*graphs, strict=True))
    assert len(types) == 1 + len(valences) + 3 * len(valences) ** 2 + 3 * 15 * len(valences) ** 3
    with torch.no_grad():
        total = log_likelihood(network, types, bonds).logsumexp(0)
    torch.testing.assert_close(total, torch.zeros((), dtype=torch.double), atol=1e-12, rtol=0)


def test_likelihood_does_not_depend_on_padding():
    network = random_network(max_atoms=6)
    types = torch.tensor([[0, 1, 2]])
    bonds = torch.zeros(1, 3, 3, dtype=torch.long)
    bonds[0, 0, 1] = bonds[0, 1, 0] = 2
    bonds[0, 1, 2] = bonds[0, 2, 1] = 1
    wide = torch.nn.functional.pad(types, (0, 3), value=-1), torch.nn.functional.pad(bonds, (0, 3, 0, 3))
    torch.testing.assert_close(log_likelihood(network, types, bonds), log_likelihood(network, *wide))


@pytest.mark.parametrize("mask", [True, False])
def test_single_atoms_have_the_likelihood_that_they_have_beside_others(mask):
    network = random_network(max_atoms=4)
    types = torch.tensor([[2, -1], [0, -1], [0, 2]])
    bonds = torch.zeros(3, 2, 2, dtype=torch.long)
    bonds[2, 0, 1] = bonds[2, 1, 0] = 1
    alone = log_likelihood(network, types[:2], bonds[:2], mask=mask)
    torch.testing.assert_close(alone, log_likelihood(network, types, bonds, mask=mask)[:2])


def test_graphs_are_drawn_with_their_likelihood():
    """Chi-square of free draws against the enumerated likelihood."""
    network = random_network((4, 1), max_atoms=3, scale=0.5)
    graphs = list(all_graphs(2, 3))
    types, bonds = (torch.stack(part) for part in zip(*graphs, strict=True))
    with torch.no_grad():
        expected = log_likelihood(network, types, bonds).exp()
        drawn = draw(network, 20_000, Key(3), mask=False)
    place = {(*t.tolist(), *b.flatten().tolist()): k for k, (t, b) in enumerate(graphs)}
    rows = torch.cat((drawn.types, drawn.bonds.flatten(1)), 1).tolist()
    seen = torch.bincount(torch.tensor([place[tuple(row)] for row in rows]), minlength=len(graphs))
    often = expected > 5 / 20_000  # the rare ones together
    seen, expected = (torch.cat((one[often], one[~often].sum(0, keepdim=True))) for one in (seen, expected))
    assert_frequencies(seen, expected)


@pytest.mark.parametrize("valences", [(4, 1), (3, 2, 1), (2, 0)])
def test_masked_likelihood_sums_to_one_over_the_graphs_that_keep_valences(valences):
    network = random_network(valences, max_atoms=3).double()
    types, bonds = (torch.stack(part) for part in zip(*all_graphs(len(valences), 3), strict=True))
    most = torch.tensor([*valences, 0])[types]
    kept = ((bonds.sum(2) <= most) & ((bonds.sum(2) > 0) | (types < 0) | (types[:, 1:2] < 0))).all(1)
    kept &= types[:, 0] >= 0
    with torch.no_grad():
        total = log_likelihood(network, types[kept], bonds[kept], mask=True).logsumexp(0)
    assert 0 < kept.sum() < len(kept)
    torch.testing.assert_close(total, torch.zeros((), dtype=torch.double), atol=1e-12, rtol=0)


def test_masked_likelihood_is_that_of_masked_draws():
    """The same choices, made one by one under the mask of the loop that draws."""
    network = random_network((4, 3, 2, 1), max_atoms=7).double()
    made = []

    def choose(logits, mask, key):
        choice = choose_hard(logits, mask, key)
        logits = logits.masked_fill(~mask.expand_as(logits), -torch.inf)
        of_chosen = (logits.log_softmax(-1).nan_to_num(0.0, neginf=0.0) * choice).sum(-1)
        made.append(of_chosen)
        return choice

    with torch.no_grad():
        drawn = draw(network, 64, Key(5), mask=True, choose=choose)
        found = log_likelihood(network, drawn.types, drawn.bonds, mask=True)
    torch.testing.assert_close(found, torch.stack(made).sum(0), atol=1e-9, rtol=1e-9)
    free = log_likelihood(network, drawn.types, drawn.bonds)
    assert (found > free).all()
