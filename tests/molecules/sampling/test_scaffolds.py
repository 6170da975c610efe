"""Molecules drawn on from a part, by a network that knows nothing: what holds, holds by construction."""

import pytest
import torch
from rdkit import Chem

from softdraw.molecules.chemistry.codec import decode_batch
from softdraw.molecules.chemistry.scaffold import read_scaffold
from softdraw.molecules.chemistry.vocabulary import AtomType, Vocabulary
from softdraw.molecules.errors import DataError
from softdraw.molecules.model.decisions import decisions_of
from softdraw.molecules.model.drawing import draw
from softdraw.molecules.sampling.conditions import Conditions
from softdraw.molecules.sampling.drawing import Drawer, draw_molecules
from softdraw.molecules.sampling.scaffolds import given_parts
from softdraw.random import Key

from ..small import random_network

VOCABULARY = Vocabulary([AtomType(symbol) for symbol in ("C", "N", "O", "F", "S")])
PARTS = ("c1ccncc1", "[*]C1CC1", "C#N", "[*]OCC(=O)N[*]", "C1CC2CC1C2", "[*]n1cccc1")


def network(max_atoms=11, seed=0):
    return random_network(VOCABULARY.valences, max_atoms, seed)


def drawn_on(text, count=200, mask=True, seed=0):
    own = network(seed=seed)
    given = given_parts([read_scaffold(text)], own, VOCABULARY).rows(0, count)
    with torch.no_grad():
        return draw(own, count, Key(seed), mask=mask, given=given)


@pytest.mark.parametrize("text", PARTS)
@pytest.mark.parametrize("mask", [True, False])
def test_the_part_is_the_beginning_of_every_graph(text, mask):
    scaffold = read_scaffold(text)
    drawn = drawn_on(text, mask=mask)
    _, atoms, bonds = scaffold.record
    expected = torch.zeros(len(atoms), len(atoms), dtype=torch.long)
    for one, other, order in bonds:
        expected[one, other] = expected[other, one] = order
    size = len(atoms)
    assert (drawn.bonds[:, :size, :size] == expected).all()
    kinds = torch.tensor(
        [VOCABULARY.index(AtomType(Chem.GetPeriodicTable().GetElementSymbol(z), q)) for z, q in atoms]
    )
    assert (drawn.types[:, :size] == kinds).all()
    assert len({tuple(row) for row in drawn.types.tolist()}) > 20


@pytest.mark.parametrize("text", PARTS)
def test_masked_graphs_are_molecules_that_hold_the_part(text):
    scaffold = read_scaffold(text)
    drawn = drawn_on(text)
    smiles = decode_batch(drawn.types, drawn.bonds, VOCABULARY)
    assert all(smiles)
    # what such a network bonds to a ring may make it aromatic, or no longer
    assert sum(map(scaffold.is_in, smiles)) > len(smiles) / 2


@pytest.mark.parametrize("text", [part for part in PARTS if "*" in part])
def test_new_atoms_are_bonded_to_open_places_alone(text):
    scaffold = read_scaffold(text)
    closed = [place for place, free in enumerate(scaffold.open_places) if not free]
    size = len(scaffold.open_places)
    assert closed or size == 1
    for mask in (True, False):
        drawn = drawn_on(text, mask=mask)
        assert not drawn.bonds[:, size:, closed].any()
        assert drawn.bonds[:, size:, :size].any()


@pytest.mark.parametrize("knows", [True, False])
@pytest.mark.parametrize("given", [True, False])
def test_a_network_that_knows_parts_begins_them_elsewhere(knows, given):
    """Its logits are those of the whole graph from the row of ``start`` that such graphs are learned with."""
    own = network().double()
    own.knows_parts.fill_(knows)
    with torch.no_grad():
        own.start.normal_(generator=torch.Generator().manual_seed(0))
        part = given_parts([read_scaffold("C1CC1")], own, VOCABULARY).rows(0, 20) if given else None
        drawn = draw(own, 20, Key(0), mask=True, given=part)
        made = decisions_of(drawn.types, drawn.bonds, own.valences, own.max_atoms)
        logits = {row: own(made, from_part=bool(row))[0][:, :-1] for row in (0, 1)}
    asked = torch.arange(own.max_atoms) <= (drawn.types >= 0).sum(1, keepdim=True)
    row = int(knows and given)
    torch.testing.assert_close(drawn.type_logits[asked], logits[row][asked], atol=1e-9, rtol=1e-9)
    assert (logits[0] - logits[1])[asked].abs().max() > 0.1


def test_several_parts_take_turns_whatever_is_drawn_at_a_time():
    parts = tuple(read_scaffold(text) for text in ("C1CC1", "C#N", "c1ccncc1"))
    drawer = Drawer(network(), VOCABULARY, Key(3), True, Conditions(), parts)
    found = draw_molecules(drawer, 30)
    assert len(found.smiles) == 30
    whole = drawer((0, 30))
    assert drawer((10, 20)) == whole[10:]
    for place, (smiles, fault) in enumerate(whole):
        assert fault is not None or parts[place % 3].is_in(smiles)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("BrC1CC1", "expected one of"),
        ("CCCCCCCCCCC", "expected fewer than 11"),
        ("FC(F)(F)F", "no free valence"),
    ],
)
def test_a_part_that_cannot_be_drawn_on_is_refused(text, why):
    scaffold = read_scaffold(text)
    with pytest.raises(DataError, match=why):
        given_parts([scaffold], network(), VOCABULARY)
