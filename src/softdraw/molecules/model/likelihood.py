"""Log-likelihood of graphs under the network: a sum over the decisions that draw them."""

import torch.nn.functional as F
from torch import Tensor

from softdraw.molecules.model.decisions import IGNORED, decisions_of
from softdraw.molecules.model.network import GraphNetwork

__all__ = ["log_likelihood"]


def log_likelihood(network: GraphNetwork, types: Tensor, bonds: Tensor, *, from_part: bool = False) -> Tensor:
    """Log-probability ``[B]`` in nats that the network draws these graphs, atom by atom in the given order.

    Args:
        network: gives the logits.
        types: ``[B, N]`` int64 atom types, -1 where there is no atom (``N <= network.max_atoms``).
        bonds: ``[B, N, N]`` int64 symmetric bond orders; every atom but the first has an earlier partner.

        from_part: as if they were drawn on from a given part.

    Returns:
        The sum over all decisions, valid or not, without the mask of valences.

    Raises:
        ValueError: an atom is bonded to no earlier one.
    """
    chosen = decisions_of(types, bonds, network.valences, network.max_atoms)
    type_logits, bond_logits = network(chosen, from_part=from_part)
    return _chosen(type_logits, chosen.types) + _chosen(bond_logits, chosen.bonds)


def _chosen(logits: Tensor, index: Tensor) -> Tensor:
    """Summed log-probability ``[B]`` of the classes ``index [B, D]`` under ``logits [B, D, C]``."""
    loss = F.cross_entropy(logits.flatten(0, 1), index.flatten(), ignore_index=IGNORED, reduction="none")
    return -loss.view(index.shape).sum(1)
