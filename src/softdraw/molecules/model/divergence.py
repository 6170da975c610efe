"""How far a network has moved from another one, on the graphs that it draws."""

import torch
from torch import Tensor

from softdraw.molecules.model.decisions import Decisions, decisions_of
from softdraw.molecules.model.drawn import Drawn
from softdraw.molecules.model.given import GivenParts, draws_from_part
from softdraw.molecules.model.network import IMPOSSIBLE, GraphNetwork

__all__ = ["bond_places", "divergence_by_decision", "divergence_from"]


def divergence_from(reference: GraphNetwork, drawn: Drawn) -> Tensor:
    """KL ``[B]`` in nats of the drawing network from ``reference``, summed over the decisions of each graph.

    The expectation over drawn graphs is the divergence of the two distributions of graphs: each term is the
    divergence of one decision given those before it. Masks of valences are left out of both.

    Args:
        reference: gives the other logits, without gradient.
        drawn: graphs and the logits that they were drawn with; gradients run into these. What was given to
            them was not drawn, and does not count.
    """
    types, bonds = divergence_by_decision(reference, drawn)
    total = types.sum(1)
    for one in bonds.values():
        total = total + one
    return total


def divergence_by_decision(
    reference: GraphNetwork, drawn: Drawn
) -> tuple[Tensor, dict[tuple[int, int], Tensor]]:
    """The terms of ``divergence_from``, zeros where a graph does not decide.

    Returns:
        Of the types ``[B, N]``, and by atom and step those of the bond decisions ``[B]``.
    """
    made = decisions_of(drawn.types, drawn.bonds, reference.valences, reference.max_atoms)
    given = drawn.given
    with torch.no_grad():
        type_logits, bond_logits = reference(made, from_part=draws_from_part(reference, given))
    decided = (made.types if given is None else given.without(made)[0])[:, :-1] >= 0
    types = _divergence(drawn.type_logits, type_logits[:, :-1]) * decided
    graph = torch.arange(len(types), device=types.device)
    bonds = {}
    for (atom, step), logits in drawn.bond_logits.items():
        place, asked = bond_places(made, atom, step, given)
        # the first bond of an atom has no class for `no more`
        other = bond_logits[graph, place, : 1 + 3 * atom][:, -logits.shape[1] :]
        own = logits.masked_fill(other <= IMPOSSIBLE / 2, IMPOSSIBLE)
        bonds[atom, step] = torch.where(asked, _divergence(own, other), 0.0)
    return types, bonds


def bond_places(
    made: Decisions, atom: int, step: int, given: GivenParts | None = None
) -> tuple[Tensor, Tensor]:
    """Where among the bond decisions of each graph that of an atom and a step lies, ``[B]``, and whether the
    graph made it, as it did not where it was given; a place of one that it has not is some other.
    """
    place = made.offset[:, atom] + step
    asked = place < made.bonds.shape[1]
    place = torch.where(asked, place, 0)
    # beyond the decisions of an atom lie those of the next one, or none, of which the atom is 0
    graph = torch.arange(len(place), device=place.device)
    asked = asked & (made.atom[graph, place] == atom)
    known = None if given is None else given.has_bond(atom, step)
    return place, asked if known is None else asked & ~known


def _divergence(logits: Tensor, reference: Tensor) -> Tensor:
    """KL(softmax(logits) || softmax(reference)) along the last dim."""
    log_p, log_q = logits.log_softmax(-1), reference.log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)
