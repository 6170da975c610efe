"""A network that predicts properties of a drawn graph, so that a property can send gradients into draws.

It reads the one-hot choices themselves, hard or soft: messages along a bond are weighted by the one-hot of
its order (edge-conditioned message passing, Gilmer et al. 2017, arXiv:1704.01212, section 5.1). What it
predicts is never reported: reported properties are RDKit's.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from softdraw.molecules.model.network import BOND_ORDERS

__all__ = ["PropertyNetwork"]


class PropertyNetwork(nn.Module):
    """Message passing over one-hot atoms and bonds.

    Args:
        valences: of the atom types, ``[K]``; what is left of them are hydrogens, which properties depend on.
        properties: how many properties to predict.
        width: features of an atom.
        rounds: of message passing.
    """

    valences: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, valences: Sequence[int], properties: int, *, width: int = 64, rounds: int = 4) -> None:
        super().__init__()
        self.register_buffer("valences", torch.tensor(list(valences), dtype=torch.float32), persistent=False)
        self.register_buffer("mean", torch.zeros(properties))
        self.register_buffer("std", torch.ones(properties))
        self.embed = nn.Linear(len(valences) + BOND_ORDERS, width)
        self.messages = nn.ModuleList(
            nn.Linear(width, (BOND_ORDERS - 1) * width, bias=False) for _ in range(rounds)
        )
        self.updates = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(2 * width), nn.Linear(2 * width, width), nn.SiLU(), nn.Linear(width, width)
            )
            for _ in range(rounds)
        )
        self.atom_head = nn.Sequential(
            nn.Linear(width, width), nn.SiLU(), nn.Linear(width, properties + width)
        )
        self.graph_head = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, properties))
        self.properties = properties

    def forward(self, kinds: Tensor, orders: Tensor) -> Tensor:
        """Predicted properties.

        Args:
            kinds: ``[B, N, K]`` one-hot atom types, zeros where there is no atom.
            orders: ``[B, N, N, 4]`` symmetric one-hot bond orders.

        Returns:
            ``[B, properties]``, in the units of the properties.
        """
        present = kinds.sum(2, keepdim=True)
        bonds = orders[..., 1:]
        counts = bonds.sum(2)
        used = counts @ torch.arange(1.0, BOND_ORDERS, device=kinds.device)
        hydrogens = kinds @ self.valences - used
        hidden = self.embed(torch.cat((kinds, counts, hydrogens.unsqueeze(2)), 2)) * present
        along = bonds.permute(0, 1, 3, 2).flatten(2)  # [B, N, 3 N]: for each order, the neighbours
        for message, update in zip(self.messages, self.updates, strict=True):
            sent = message(hidden).unflatten(2, (BOND_ORDERS - 1, -1)).transpose(1, 2).flatten(1, 2)
            heard = along @ sent
            hidden = hidden + update(torch.cat((hidden, heard), 2)) * present
        out = (self.atom_head(hidden) * present).sum(1)
        summed, pooled = out[:, : self.properties], out[:, self.properties :]
        predicted: Tensor = (summed + self.graph_head(pooled / 10)) * self.std + self.mean
        return predicted
