"""The divergence of two networks, whose expectation over graphs is that of their distributions."""

import pytest
import torch

from softdraw.molecules.model.decisions import decisions_of
from softdraw.molecules.model.divergence import divergence_from
from softdraw.molecules.model.drawing import draw
from softdraw.molecules.model.drawn import Drawn
from softdraw.molecules.model.likelihood import log_likelihood
from softdraw.random import Key

from ..small import random_network
from .test_likelihood import all_graphs


def as_drawn(network, types, bonds):
    """Given graphs with the logits that they would be drawn with; noise where nothing is decided."""
    made = decisions_of(types, bonds, network.valences, network.max_atoms)
    type_logits, bond_logits = network(made)
    logits = {}
    for atom in range(1, network.max_atoms):
        for step in range(int(made.step.max()) + 1):
            own = torch.randn(len(types), 1 + 3 * atom, dtype=torch.double)
            graph, place = ((made.atom == atom) & (made.step == step) & (made.bonds >= 0)).nonzero().T
            own[graph] = bond_logits[graph, place, : 1 + 3 * atom]
            logits[atom, step] = own if step else own[:, 1:]
    kinds, orders = torch.zeros(0), torch.zeros(0)  # not asked for
    return Drawn(types, bonds, kinds, orders, type_logits[:, :-1], logits)


@pytest.mark.parametrize("valences", [(4, 1), (4, 3, 2)])
def test_its_expectation_is_the_divergence_of_the_distributions(valences):
    """Over all graphs, by enumeration."""
    own, other = (random_network(valences, 3, seed, scale=0.5).double() for seed in (0, 1))
    types, bonds = (torch.stack(part) for part in zip(*all_graphs(len(valences), 3), strict=True))
    with torch.no_grad():
        log_p, log_q = (log_likelihood(network, types, bonds) for network in (own, other))
        found = divergence_from(other, as_drawn(own, types, bonds))
    expected = (log_p.exp() * (log_p - log_q)).sum()
    assert expected > 0.5
    torch.testing.assert_close((log_p.exp() * found).sum(), expected, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("mask", [True, False])
def test_that_of_drawn_graphs_is_that_of_given_ones_and_none_from_itself(mask):
    own, other = (random_network(max_atoms=6, seed=seed).double() for seed in (0, 1))
    with torch.no_grad():
        drawn = draw(own, 64, Key(0), mask=mask)
        found = divergence_from(other, drawn)
        given = divergence_from(other, as_drawn(own, drawn.types, drawn.bonds))
        none = divergence_from(own, drawn)
    torch.testing.assert_close(found, given, atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(none, torch.zeros_like(none), atol=1e-9, rtol=0)
