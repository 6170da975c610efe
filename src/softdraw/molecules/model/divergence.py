"""How far a network has moved from another one, on the graphs that it draws."""

import torch
from torch import Tensor

from softdraw.molecules.model.decisions import decisions_of
from softdraw.molecules.model.drawn import Drawn
from softdraw.molecules.model.network import IMPOSSIBLE, GraphNetwork

__all__ = ["divergence_from"]


def divergence_from(reference: GraphNetwork, drawn: Drawn) -> Tensor:
    """KL ``[B]`` in nats of the drawing network from ``reference``, summed over the decisions of each graph.

    The expectation over drawn graphs is the divergence of the two distributions of graphs: each term is the
    divergence of one decision given those before it. Masks of valences are left out of both.

    Args:
        reference: gives the other logits, without gradient.
        drawn: graphs and the logits that they were drawn with; gradients run into these.
    """
    made = decisions_of(drawn.types, drawn.bonds, reference.valences, reference.max_atoms)
    with torch.no_grad():
        type_logits, bond_logits = reference(made)
    total = (_divergence(drawn.type_logits, type_logits[:, :-1]) * (made.types[:, :-1] >= 0)).sum(1)
    graph = torch.arange(len(total), device=total.device)
    for (atom, step), logits in drawn.bond_logits.items():
        place = made.offset[:, atom] + step
        asked = place < made.bonds.shape[1]
        place = torch.where(asked, place, 0)
        # beyond the decisions of an atom lie those of the next one, or none, of which the atom is 0
        asked = asked & (made.atom[graph, place] == atom)
        # the first bond of an atom has no class for `no more`
        other = bond_logits[graph, place, : 1 + 3 * atom][:, -logits.shape[1] :]
        own = logits.masked_fill(other <= IMPOSSIBLE / 2, IMPOSSIBLE)
        total = total + torch.where(asked, _divergence(own, other), 0.0)
    return total


def _divergence(logits: Tensor, reference: Tensor) -> Tensor:
    """KL(softmax(logits) || softmax(reference)) along the last dim."""
    log_p, log_q = logits.log_softmax(-1), reference.log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)
