"""The optimizers of a fit."""

from typing import Any

import torch

from softdraw.molecules.fitting.muon import Muon, Share
from softdraw.molecules.model.network import GraphNetwork

__all__ = ["OPTIMIZERS", "optimizers_of"]

OPTIMIZERS = {"adamw": "AdamW", "muon": "Muon"}
"""Names, and how they are written."""
WEIGHT_DECAY = 0.01
MUON_RATE = 4.0
"""Learning rate of Muon, in those of AdamW."""


def optimizers_of(network: GraphNetwork, name: str, rate: float, share: Share) -> list[torch.optim.Optimizer]:
    """What learns a network's weights.

    Args:
        network: its weights are learned.
        name: ``"adamw"``, or ``"muon"``, which takes over the matrices inside the network: AdamW keeps
            biases, norms, and what is read as a table.
        rate: peak learning rate of AdamW; every parameter group has its own peak as ``"peak"``.
        share: as ``Muon`` takes it.
    """
    matrices = matrices_of(network) if name == "muon" else []
    taken = set(map(id, matrices))
    rest = [weight for weight in network.parameters() if id(weight) not in taken]
    options: dict[str, Any] = {"lr": rate, "weight_decay": WEIGHT_DECAY, "betas": (0.9, 0.98), "fused": True}
    optimizers: list[torch.optim.Optimizer] = [torch.optim.AdamW([{"params": rest, "peak": rate}], **options)]
    if matrices:
        peak = MUON_RATE * rate
        group = {"params": matrices, "peak": peak}
        optimizers.append(Muon([group], peak, weight_decay=WEIGHT_DECAY, share=share))
    return optimizers


def matrices_of(network: GraphNetwork) -> list[torch.nn.Parameter]:
    """The matrices between hidden features; what reads one-hot classes is a table of rows."""
    inside = (network.blocks, network.type_head, network.bond_head, network.ask_partner, network.key)
    return [weight for part in inside for weight in part.parameters() if weight.dim() == 2]
