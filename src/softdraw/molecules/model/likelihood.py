"""Log-likelihood of graphs under the network: a sum over the decisions that draw them."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from softdraw.molecules.model.network import GraphNetwork
from softdraw.molecules.model.prefix_features import prefix_features

IGNORED = -100


@dataclass(frozen=True)
class Decisions:
    """The decisions that draw a batch of graphs, -100 where there is none.

    Attributes:
        types: ``[B, N + 1]`` type of each atom, ``K`` (`stop`) after the last one unless the graph is full.
        bonds: ``[B, N (N - 1) / 2]`` bond orders in the order of ``torch.tril_indices(N, N, -1)``.
    """

    types: Tensor
    bonds: Tensor


def decisions_of(types: Tensor, bonds: Tensor, network: GraphNetwork) -> Decisions:
    """Decisions behind graphs ``types [B, N]`` (-1 where there is no atom) and ``bonds [B, N, N]``."""
    batch, atoms = types.shape
    sizes = (types >= 0).sum(1)
    kinds = torch.full((batch, atoms + 1), IGNORED, device=types.device)
    kinds[:, :atoms] = torch.where(types >= 0, types, IGNORED)
    stops = sizes < network.max_atoms
    kinds[stops, sizes[stops]] = network.types
    row, column = torch.tril_indices(atoms, atoms, -1, device=types.device)
    orders = torch.where(row < sizes.unsqueeze(1), bonds[:, row, column], IGNORED)
    return Decisions(kinds, orders)


def log_likelihood(network: GraphNetwork, types: Tensor, bonds: Tensor) -> Tensor:
    """Log-probability ``[B]`` in nats that the network draws these graphs, atom by atom in the given order.

    Args:
        network: gives the logits.
        types: ``[B, N]`` int64 atom types, -1 where there is no atom (``N <= network.max_atoms``).
        bonds: ``[B, N, N]`` int64 symmetric bond orders.

    Returns:
        The sum over all decisions, valid or not, without any mask.
    """
    chosen = decisions_of(types, bonds, network)
    type_logits, bond_logits = network(types, bonds, prefix_features(types, bonds, network.valences))
    return _chosen(type_logits, chosen.types) + _chosen(bond_logits, chosen.bonds)


def _chosen(logits: Tensor, index: Tensor) -> Tensor:
    """Summed log-probability ``[B]`` of the classes ``index [B, D]`` under ``logits [B, D, C]``."""
    loss = F.cross_entropy(
        logits.float().flatten(0, 1), index.flatten(), ignore_index=IGNORED, reduction="none"
    )
    return -loss.view(index.shape).sum(1)
