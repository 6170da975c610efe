"""Scaffolds as a network sees them: the first decisions of the graphs that it draws on from them."""

from collections.abc import Sequence

from softdraw.molecules.chemistry.scaffold import Scaffold
from softdraw.molecules.chemistry.vocabulary import Vocabulary
from softdraw.molecules.data.graphs import GraphSet
from softdraw.molecules.errors import DataError
from softdraw.molecules.model.given import GivenParts
from softdraw.molecules.model.network import GraphNetwork

__all__ = ["given_parts"]


def given_parts(
    scaffolds: Sequence[Scaffold], network: GraphNetwork, vocabulary: Vocabulary
) -> GivenParts | None:
    """The decisions of the scaffolds; None where there is no scaffold.

    Raises:
        DataError: a scaffold has an atom type that the network does not draw, or more atoms than it draws, or
            no place where anything may be bonded to it.
    """
    if not scaffolds:
        return None
    for scaffold in scaffolds:
        _check(scaffold, network, vocabulary)
    graphs = GraphSet.from_records([one.record for one in scaffolds], vocabulary)
    types, bonds = graphs.dense(range(len(graphs)))
    return GivenParts.of(
        types, bonds, [one.open_places for one in scaffolds], network.valences, network.max_atoms
    )


def _check(scaffold: Scaffold, network: GraphNetwork, vocabulary: Vocabulary) -> None:
    text, (_, atoms, edges) = scaffold.text, scaffold.record
    if len(atoms) >= network.max_atoms:
        raise DataError(
            f"scaffold: {text} has {len(atoms)} atoms, expected fewer than {network.max_atoms}, the most "
            "that this model draws"
        )
    try:
        graph = GraphSet.from_records([scaffold.record], vocabulary)
    except ValueError as error:
        raise DataError(f"scaffold: {text}: {error}") from None
    left = [vocabulary.valences[kind] for kind in graph.types.tolist()]
    for one, other, order in edges:
        left[one] -= order
        left[other] -= order
    if not any(free > 0 and place for free, place in zip(left, scaffold.open_places, strict=True)):
        raise DataError(f"scaffold: {text} has no free valence where anything could be bonded to it")
