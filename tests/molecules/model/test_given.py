"""What is given is not drawn: no likelihood, no divergence and no gradient of its decisions."""

import copy

import pytest
import torch

from softdraw.molecules.chemistry.scaffold import read_scaffold
from softdraw.molecules.chemistry.vocabulary import AtomType, Vocabulary
from softdraw.molecules.model.decisions import decisions_of
from softdraw.molecules.model.divergence import divergence_by_decision, divergence_from
from softdraw.molecules.model.drawing import draw
from softdraw.molecules.model.likelihood import log_likelihood
from softdraw.molecules.sampling.scaffolds import given_parts
from softdraw.molecules.steering.gradients.credit import Record
from softdraw.random import Key

from ..small import random_network

VOCABULARY = Vocabulary([AtomType(symbol) for symbol in ("C", "N", "O")])
PARTS = ("[*]OCC(=O)N[*]", "C1CC1", "C#N")
"""Of different sizes, so that what is given differs from graph to graph."""


def network(seed=0, knows_parts=True):
    found = random_network(VOCABULARY.valences, 9, seed)
    with torch.no_grad():
        found.start.normal_(generator=torch.Generator().manual_seed(seed))
    found.knows_parts.fill_(knows_parts)
    return found


def drawn_on(own, count=60, **options):
    given = given_parts([read_scaffold(part) for part in PARTS], own, VOCABULARY).rows(0, count)
    return draw(own, count, Key(1), given=given, **options)


@pytest.mark.parametrize("knows_parts", [True, False])
def test_the_likelihood_is_that_of_what_was_drawn(knows_parts):
    own = network(knows_parts=knows_parts)
    with torch.no_grad():
        drawn = drawn_on(own, mask=False)
        found = log_likelihood(own, drawn.types, drawn.bonds, given=drawn.given)
        whole = log_likelihood(own, drawn.types, drawn.bonds, from_part=knows_parts)
    made = decisions_of(drawn.types, drawn.bonds, own.valences, own.max_atoms)
    expected = []
    for row, part in enumerate(drawn.given.types.ge(0).sum(1).tolist()):
        total = 0.0
        for atom, kind in enumerate(made.types[row, :-1].tolist()):
            if kind >= 0 and atom >= part:
                total += float(drawn.type_logits[row, atom].log_softmax(0)[kind])
        bonded = (made.atom[row], made.step[row], made.limit[row], made.bonds[row])
        for of, step, limit, chosen in zip(*(one.tolist() for one in bonded), strict=True):
            if chosen >= 0 and of >= part:
                # classes of atoms before the last partner, and `no more` but for the first
                logits = drawn.bond_logits[of, step][row][: 3 * limit + bool(step)]
                total += float(logits.log_softmax(0)[chosen - (not step)])
        expected.append(total)
    assert found.tolist() == pytest.approx(expected, abs=1e-3)
    assert (whole < found).all()


def test_the_likelihood_of_masked_draws_keeps_closed_places_closed():
    own, record = network(), Record()
    with torch.no_grad():
        drawn = drawn_on(own, mask=True, choose=record.choose)
        found = log_likelihood(own, drawn.types, drawn.bonds, mask=True, given=drawn.given)
    sizes = drawn.given.types.ge(0).sum(1)
    made = record.log_probabilities
    expected = torch.zeros(len(sizes))
    for (atom, _), chosen in zip(drawn.order, made, strict=False):
        expected += torch.where(sizes > atom, 0.0, chosen)
    assert found.tolist() == pytest.approx(expected.tolist(), abs=1e-3)


@pytest.mark.parametrize("knows_parts", [True, False])
def test_a_network_does_not_diverge_from_itself(knows_parts):
    own = network(knows_parts=knows_parts)
    with torch.no_grad():
        drawn = drawn_on(own, mask=True)
        assert divergence_from(own, drawn).abs().max() < 1e-4
        assert divergence_from(network(1, knows_parts), drawn).min() > 0


def test_what_is_given_does_not_diverge():
    own = network()
    with torch.no_grad():
        drawn = drawn_on(own, mask=True)
        types, bonds = divergence_by_decision(network(1), drawn)
    sizes = drawn.given.types.ge(0).sum(1)
    for row, part in enumerate(sizes.tolist()):
        assert (types[row, :part] == 0).all()
        assert types[row, part] > 0
        assert all(one[row] == 0 for (atom, _), one in bonds.items() if atom < part)
    assert any((one > 0).any() for one in bonds.values())


def gradients(own, loss):
    own.zero_grad()
    loss.backward(retain_graph=True)
    return sum(float(weight.grad.abs().sum()) for weight in own.parameters() if weight.grad is not None)


def test_what_is_given_has_no_gradient():
    own, record = network(), Record()
    drawn = drawn_on(own, mask=True, choose=record.choose)
    sizes = drawn.given.types.ge(0).sum(1)
    made = record.log_probabilities
    for (atom, _), chosen in zip(drawn.order, made, strict=False):
        there = sizes > atom
        if there.any():
            assert gradients(own, chosen[there].sum()) == 0
    assert gradients(own, made.sum()) > 0


def test_parts_are_picked_with_their_graphs():
    own = network()
    with torch.no_grad():
        drawn = drawn_on(own, mask=True)
        picked = drawn.rows(torch.tensor([5, 1, 7]).numpy())
        other = copy.deepcopy(network(1))
        assert torch.allclose(divergence_from(other, picked), divergence_from(other, drawn)[[5, 1, 7]])
