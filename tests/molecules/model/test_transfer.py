import pytest
import torch

from softdraw.molecules.chemistry.vocabulary import AtomType, Vocabulary
from softdraw.molecules.model.decisions import decisions_of
from softdraw.molecules.model.drawing import draw
from softdraw.molecules.model.network import GraphNetwork
from softdraw.molecules.model.sizes import NetworkOptions
from softdraw.molecules.model.transfer import take_over
from softdraw.random import Key

from ..small import random_network

OLD = Vocabulary([AtomType(symbol) for symbol in ("C", "N", "O", "F")])


@pytest.mark.parametrize("extra", [[], [AtomType("S")], [AtomType("B"), AtomType("P"), AtomType("N", 1)]])
def test_known_graphs_keep_their_logits(extra):
    """Types before, between and after the old ones, a larger valence, larger graphs."""
    old = random_network(OLD.valences, 5, seed=2).double()
    vocabulary = Vocabulary([*OLD, *extra])
    network = GraphNetwork(vocabulary.valences, 7, old.options).double()
    take_over(network, vocabulary, old, OLD)
    with torch.no_grad():
        drawn = draw(old, 40, Key(1), mask=True)
        kept = torch.tensor([*(vocabulary.index(one) for one in OLD), -1])
        types = kept[drawn.types]
        before = old(decisions_of(drawn.types, drawn.bonds, old.valences, 5))
        after = network(decisions_of(types, drawn.bonds, network.valences, 5))
    classes = torch.cat((kept[:-1], torch.tensor([network.types])))
    there = torch.arange(6) <= (drawn.types >= 0).sum(1, keepdim=True)
    torch.testing.assert_close(after[0][there][:, classes], before[0][there], atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(after[1], before[1], atol=1e-9, rtol=1e-9)


def test_a_smaller_vocabulary_takes_what_it_knows():
    old = random_network(OLD.valences, 5, seed=2).double()
    fewer = Vocabulary([AtomType("C"), AtomType("O")])
    network = GraphNetwork(fewer.valences, 4, old.options).double()
    take_over(network, fewer, old, OLD)
    assert torch.equal(network.type_head[2].weight[[0, 1, 2]], old.type_head[2].weight[[0, 2, 4]])


def test_other_sizes_are_refused():
    old = random_network(OLD.valences, 5)
    with pytest.raises(ValueError, match=r"network: got .*width=8.*expected the sizes of the old one"):
        take_over(GraphNetwork(OLD.valences, 5, NetworkOptions(width=8)), OLD, old, OLD)
