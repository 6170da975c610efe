import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem

from softdraw.molecules.chemistry.codec import decode_batch
from softdraw.molecules.chemistry.vocabulary import AtomType, Vocabulary
from softdraw.molecules.model.decisions import decisions_of
from softdraw.molecules.model.drawing import choose_hard, draw
from softdraw.random import Key

from ..small import random_network

NEUTRAL = Vocabulary([AtomType(symbol) for symbol in ("C", "N", "O", "F")])
DRUGLIKE = Vocabulary(
    [AtomType(*kind) for kind in [("C",), ("N",), ("O",), ("F",), ("S",), ("P",), ("Cl",), ("Br",)]]
    + [AtomType("N", 1), AtomType("O", -1), AtomType("S", 1), AtomType("N", -1)]
)


@pytest.mark.parametrize("vocabulary", [NEUTRAL, DRUGLIKE], ids=["neutral", "druglike"])
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), scale=st.floats(0.0, 8.0), max_atoms=st.integers(1, 9))
def test_masked_draws_of_an_untrained_network_are_valid(vocabulary, seed, scale, max_atoms):
    network = random_network(vocabulary.valences, max_atoms, seed, scale)
    with torch.no_grad():
        drawn = draw(network, 64, Key(seed), mask=True)
    smiles = decode_batch(drawn.types, drawn.bonds, vocabulary)
    assert all(smiles)
    assert not any("." in one for one in smiles)
    assert all(Chem.MolFromSmiles(one) is not None for one in smiles)


def test_unmasked_draws_of_an_untrained_network_are_mostly_not_valid():
    network = random_network(max_atoms=9, scale=2.0)
    with torch.no_grad():
        drawn = draw(network, 256, Key(0), mask=False)
    assert sum(map(bool, decode_batch(drawn.types, drawn.bonds, NEUTRAL))) < 200


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), mask=st.booleans(), max_atoms=st.integers(1, 8))
def test_drawing_step_by_step_gives_the_logits_of_the_whole_graph(seed, mask, max_atoms):
    network = random_network(max_atoms=max_atoms, seed=seed).double()
    with torch.no_grad():
        drawn = draw(network, 32, Key(seed), mask=mask)
        made = decisions_of(drawn.types, drawn.bonds, network.valences, max_atoms)
        type_logits, bond_logits = network(made)
    asked = torch.arange(max_atoms) <= (drawn.types >= 0).sum(1).unsqueeze(1)
    # relative positions between tokens and one-hot counts are the same numbers summed in another order
    torch.testing.assert_close(drawn.type_logits[asked], type_logits[:, :-1][asked], atol=1e-9, rtol=1e-9)
    compared = 0
    for graph, d in (made.bonds >= 0).nonzero().tolist():
        atom, step = int(made.atom[graph, d]), int(made.step[graph, d])
        own = drawn.bond_logits[atom, step][graph]
        other = bond_logits[graph, d, : 1 + 3 * atom][-len(own) :]
        there = other > -1e8
        torch.testing.assert_close(own[there], other[there], atol=1e-9, rtol=1e-9)
        compared += int(there.sum())
    assert compared or max_atoms == 1 or not (drawn.types[:, 1:] >= 0).any()


def test_one_hots_say_what_the_indices_say():
    network = random_network(max_atoms=5)
    with torch.no_grad():
        drawn = draw(network, 64, Key(1), mask=True)
    present = drawn.types >= 0
    assert torch.equal(drawn.kinds.sum(2), present.float())
    assert torch.equal(drawn.kinds.argmax(2)[present], drawn.types[present])
    both = present.unsqueeze(1) & present.unsqueeze(2) & ~torch.eye(5, dtype=torch.bool)
    assert torch.equal(drawn.orders.sum(3), both.float())
    assert torch.equal(drawn.orders.argmax(3)[both], drawn.bonds[both])
    assert torch.equal(drawn.orders, drawn.orders.transpose(1, 2))


def test_a_row_of_the_key_is_a_graph():
    network = random_network(max_atoms=6)
    with torch.no_grad():
        whole = draw(network, 32, Key(5), mask=False)
        part = draw(network, 16, Key(5).rows(16), mask=False)
    assert torch.equal(whole.types[16:], part.types)
    assert torch.equal(whole.bonds[16:], part.bonds)


def relaxed_draw(max_atoms=5, seed=0):
    """Graphs whose choices are one-hot with the gradient of softmax, and these choices in their order."""
    network = random_network(max_atoms=max_atoms, seed=seed).double()
    made = []

    def choose(logits, mask, key):
        hard = choose_hard(logits, mask, key)
        choice = hard.clone().requires_grad_()
        made.append(choice)
        return choice

    return draw(network, 64, Key(seed), mask=True, choose=choose), made


@pytest.mark.parametrize("table", ["relation", "seen"])
def test_open_valences_and_distances_carry_gradients(table):
    """With all else detached, what a table says of an earlier choice still depends on that choice."""
    network = random_network(max_atoms=4, seed=1).double()
    seen = {"bias": [], "logits": []}
    bias, logits = network.attention_bias, network.bond_logits

    def spy_bias(relation, open_valence):
        seen["bias"].append((relation, open_valence))
        return bias(relation, open_valence)

    def spy_logits(query, keys, distance, open_valence):
        seen["logits"].append((distance, open_valence))
        return logits(query, keys, distance, open_valence)

    network.attention_bias, network.bond_logits = spy_bias, spy_logits
    made = []

    def choose(logits, mask, key):
        choice = choose_hard(logits.detach(), mask, key).requires_grad_()
        made.append(choice)
        return choice

    draw(network, 32, Key(1), mask=True, choose=choose)
    inputs = seen["bias" if table == "relation" else "logits"][-1]
    for one in inputs:
        grads = torch.autograd.grad(one.sum(), made, allow_unused=True, retain_graph=True)
        assert any(g is not None and g.abs().sum() > 0 for g in grads)


def test_a_stop_takes_the_later_atoms_with_it():
    """Atoms drawn after a decision are there as far as it was not `stop`: each loses one where it was."""
    drawn, made = relaxed_draw()
    atoms = drawn.kinds.sum((1, 2))
    (gradient,) = torch.autograd.grad(atoms.sum(), made[:1])
    later = (drawn.types[:, 1:] >= 0).sum(1)
    assert torch.equal(gradient[:, -1], -later.double())


def interpolated(read, *numbers, dim=-1):
    """``read_at`` as a smooth function, with the same values and slopes at whole numbers."""
    at = [number.index for number in numbers]
    found = read(*at)
    for place, number in enumerate(numbers):
        if number.values.is_floating_point():
            up, down = (read(*at[:place], number.beside(by), *at[place + 1 :]) for by in (1, -1))
            change = (number.values - number.values.round()).unsqueeze(dim)
            found = found + change * (up - down) / 2
    return found


def halfway(one, other):
    """``torch.minimum`` near whole numbers: of equal ones the mean, whose slope is that of autograd."""
    first = (torch.sign(other.round() - one.round()) + 1) / 2
    return first * one + (1 - first) * other


def test_gradients_are_finite_differences(monkeypatch):
    """Of everything that is drawn and every logit, to every choice, through all that depends on it."""
    network = random_network(max_atoms=5, seed=3).double()
    hard, directions, weights = [], [], {}

    def weight(name, shape):
        made = torch.Generator().manual_seed(len(weights))
        return weights.setdefault(name, torch.randn(shape, generator=made, dtype=torch.double))

    def told(moved):
        """A number ``[B]`` of each graph, drawn with these choices instead of the hard ones."""
        choices = iter(moved)
        drawn = draw(network, 48, Key(3), mask=False, choose=lambda logits, mask, key: next(choices))
        parts = {name: getattr(drawn, name) for name in ("kinds", "orders", "type_logits")}
        parts |= drawn.bond_logits
        return sum((one * weight(name, one.shape)).flatten(1).sum(1) for name, one in parts.items())

    def choose(logits, mask, key):
        hard.append(choose_hard(logits, mask, key))
        directions.append(torch.randn(logits.shape, generator=generator, dtype=torch.double))
        return hard[-1]

    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        drawn = draw(network, 48, Key(3), mask=False, choose=choose)
    most = drawn.bonds.tril().gt(0).sum(2).amax(1)  # bonds of an atom to earlier ones
    assert {0, 1, 2, 3} <= set(most.tolist())
    leaves = [choice.clone().requires_grad_() for choice in hard]
    gradients = torch.autograd.grad(told(leaves).sum(), leaves)
    for module in ("lookup", "network"):
        monkeypatch.setattr(f"softdraw.molecules.model.{module}.read_at", interpolated)
    monkeypatch.setattr(torch, "minimum", halfway)
    step = 1e-6
    for place, (direction, gradient) in enumerate(zip(directions, gradients, strict=True)):
        with torch.no_grad():
            sides = [
                told([*hard[:place], hard[place] + by * step * direction, *hard[place + 1 :]])
                for by in (1, -1)
            ]
        difference = (sides[0] - sides[1]) / (2 * step)
        torch.testing.assert_close((gradient * direction).sum(1), difference, atol=1e-5, rtol=1e-5)
