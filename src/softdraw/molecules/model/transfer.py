"""The weights of a network, taken over by one that draws other atom types or larger graphs."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from softdraw.molecules.chemistry.vocabulary import Vocabulary
from softdraw.molecules.model.network import GraphNetwork

__all__ = ["take_over"]

Places = tuple[list[int], list[int]]
"""Places along a dim in the old network, and the same ones in the new."""


@torch.no_grad()
def take_over(
    network: GraphNetwork, vocabulary: Vocabulary, old: GraphNetwork, old_vocabulary: Vocabulary
) -> None:
    """Copy all weights of ``old`` that ``network`` has a place for; the others stay as they are.

    A graph of types that both know, of a size that both draw, then has the same logits among those types.

    Args:
        network: with the sizes of ``old``; its types, valences and largest graph may be others.
        vocabulary: its atom types.
        old: the network to start from.
        old_vocabulary: its atom types.

    Raises:
        ValueError: the networks differ in their sizes.
    """
    if network.options != old.options:
        raise ValueError(f"network: got {network.options}, expected the sizes of the old one, {old.options}")
    kinds = _kinds(vocabulary, old_vocabulary)
    opens = _first(min(old.top, network.top) + 2)
    before, after = dict(old.named_parameters()), dict(network.named_parameters())
    special = {
        "atom.weight": (1, _joined(_widths(old), _widths(network), _blocks(old, network, kinds, opens))),
        "ask_atom.weight": (1, _joined(
            (old.options.width, old.types),
            (old.options.width, network.types),
            [_first(old.options.width), kinds],
        )),
        "ask_state.weight": (1, _joined(
            (old.top + 2, _rest(old)), (network.top + 2, _rest(network)), [opens, _first(_rest(old))]
        )),
    }  # fmt: skip
    heads = (kinds[0] + [old.types], kinds[1] + [network.types])  # the last class is `stop`
    special |= {"type_head.2.weight": (0, heads), "type_head.2.bias": (0, heads), "relation": (1, opens)}
    for name, weight in after.items():
        if name == "seen":
            new, known = (
                one.view(len(one), -1, top + 2)
                for one, top in ((weight, network.top), (before[name], old.top))
            )
            _copy(new, known, 2, opens)
        elif name in special:
            _copy(weight, before[name], *special[name])
        else:
            weight.copy_(before[name])
    network.knows_parts.copy_(old.knows_parts)


def _copy(new: Tensor, old: Tensor, dim: int, places: Places) -> None:
    there, here = (torch.tensor(one) for one in places)
    new.index_copy_(dim, here, old.index_select(dim, there))


def _first(count: int) -> Places:
    return list(range(count)), list(range(count))


def _kinds(vocabulary: Vocabulary, old: Vocabulary) -> Places:
    shared = [one for one in old if one in vocabulary]
    return [old.index(one) for one in shared], [vocabulary.index(one) for one in shared]


def _rest(network: GraphNetwork) -> int:
    """Inputs of ``ask_state`` beside the open valence."""
    return network.ask_state.in_features - network.top - 2


def _widths(network: GraphNetwork) -> tuple[int, ...]:
    """Inputs of a token, block by block, in the order of ``GraphNetwork.atom_tokens``."""
    types, opens, atoms = network.types, network.top + 2, network.max_atoms
    counts, ring = network.token_counts
    return types, opens, atoms, types, counts, atoms, ring


def _blocks(old: GraphNetwork, network: GraphNetwork, kinds: Places, opens: Places) -> list[Places]:
    atoms = _first(min(old.max_atoms, network.max_atoms))
    counts, ring = (_first(size) for size in old.token_counts)
    return [kinds, opens, atoms, kinds, counts, atoms, ring]


def _joined(old: Sequence[int], new: Sequence[int], blocks: Sequence[Places]) -> Places:
    """Places in blocks that lie one after another."""
    pairs = list(_shifted(old, new, blocks))
    return [one for one, _ in pairs], [other for _, other in pairs]


def _shifted(old: Sequence[int], new: Sequence[int], blocks: Sequence[Places]) -> Iterator[tuple[int, int]]:
    start = begin = 0
    for width, wide, (there, here) in zip(old, new, blocks, strict=True):
        yield from ((start + one, begin + other) for one, other in zip(there, here, strict=True))
        start, begin = start + width, begin + wide
