"""Log-likelihood of graphs under the network: a sum over the decisions that draw them."""

import torch
import torch.nn.functional as F
from torch import Tensor

from softdraw.molecules.model.decisions import IGNORED, ORDERS, Decisions, decisions_of
from softdraw.molecules.model.given import GivenParts, draws_from_part
from softdraw.molecules.model.network import IMPOSSIBLE, GraphNetwork

__all__ = ["log_likelihood"]


def log_likelihood(
    network: GraphNetwork,
    types: Tensor,
    bonds: Tensor,
    *,
    from_part: bool = False,
    mask: bool = False,
    given: GivenParts | None = None,
) -> Tensor:
    """Log-probability ``[B]`` in nats that the network draws these graphs, atom by atom in the given order.

    Args:
        network: gives the logits.
        types: ``[B, N]`` int64 atom types, -1 where there is no atom (``N <= network.max_atoms``).
        bonds: ``[B, N, N]`` int64 symmetric bond orders; every atom but the first has an earlier partner.
        from_part: as if they were drawn on from a given part.
        mask: as if they were drawn with ``mask=True``: among the choices that keep every valence. The graphs
            have to keep them, too.
        given: the parts that they were drawn on from, one for each, whose decisions do not count.

    Returns:
        The sum over all decisions, valid or not where there is no mask.

    Raises:
        ValueError: an atom is bonded to no earlier one.
    """
    chosen = decisions_of(types, bonds, network.valences, network.max_atoms)
    from_part = from_part or draws_from_part(network, given)
    type_logits, bond_logits = network(chosen, from_part=from_part)
    if mask:
        free = torch.ones_like(types, dtype=torch.bool)
        if given is not None:
            free = given.open_places[:, : types.shape[1]]
        type_logits = type_logits.masked_fill(~_types_allowed(network, chosen, free), IMPOSSIBLE)
        bond_logits = bond_logits.masked_fill(~_bonds_allowed(chosen, free), IMPOSSIBLE)
    made, bonded = (chosen.types, chosen.bonds) if given is None else given.without(chosen)
    return _chosen(type_logits, made) + _chosen(bond_logits, bonded)


def _types_allowed(network: GraphNetwork, d: Decisions, free: Tensor) -> Tensor:
    """``[B, N + 1, K + 1]``: any first atom, then one that can be bonded, where there is room, or `stop`.

    ``free`` are the atoms ``[B, N]`` that new ones may be bonded to.
    """
    batch, atoms, _ = d.open_valence.shape
    place = torch.arange(atoms, device=d.open_valence.device)
    earlier = place <= place.unsqueeze(1)
    room = ((d.open_valence > 0) & earlier & free.unsqueeze(1)).any(2)  # once the atom is there
    later = room.unsqueeze(2) & (network.valences > 0)
    first = torch.ones(batch, 1, network.types, dtype=torch.bool, device=room.device)
    stop = torch.ones(batch, atoms + 1, 1, dtype=torch.bool, device=room.device)
    stop[:, 0] = False
    return torch.cat((torch.cat((first, later), 1), stop), 2)


def _bonds_allowed(d: Decisions, free: Tensor) -> Tensor:
    """``[B, D, 1 + 3 N]``: orders within both open valences, or `no more` where the network allows it."""
    graph = torch.arange(len(d.atom), device=d.atom.device).unsqueeze(1)
    before = d.open_valence[graph, d.atom - 1]
    most = torch.minimum(before, d.open_new.unsqueeze(2)).unsqueeze(3)
    orders = (torch.arange(1, ORDERS + 1, device=most.device) <= most) & free[:, None, :, None]
    return F.pad(orders.flatten(2), (1, 0), value=True)


def _chosen(logits: Tensor, index: Tensor) -> Tensor:
    """Summed log-probability ``[B]`` of the classes ``index [B, D]`` under ``logits [B, D, C]``."""
    loss = F.cross_entropy(logits.flatten(0, 1), index.flatten(), ignore_index=IGNORED, reduction="none")
    return -loss.view(index.shape).sum(1)
