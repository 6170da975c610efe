"""Drawn graphs, with every decision that led to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from softdraw.molecules.model.decisions import ORDERS
from softdraw.molecules.model.given import GivenParts

__all__ = ["Drawn", "NewBonds"]


@dataclass(frozen=True)
class NewBonds:
    """Bonds of a new atom to ``A`` earlier ones, and what the network is told of them.

    ``row`` is ``[B, A, 3]``, ``distance`` to each earlier atom ``[B, A]``; ``first_order``, ``gap`` and
    ``ring`` are ``[B]`` (see ``GraphNetwork.atom_tokens``).
    """

    row: Tensor
    distance: Tensor
    first_order: Tensor
    gap: Tensor
    ring: Tensor


@dataclass(frozen=True)
class Drawn:
    """A batch of drawn graphs, ``N`` atoms wide, and every decision that led to them.

    Attributes:
        types: ``[B, N]`` int64, -1 after `stop`.
        bonds: ``[B, N, N]`` int64, symmetric.
        kinds: ``[B, N, K]`` one-hot types as drawn (zeros after `stop`), carrying gradients where the draw
            does.
        orders: ``[B, N, N, 4]`` one-hot bond orders as drawn, symmetric; zeros where an atom is missing.
        type_logits: ``[B, N, K + 1]``.
        bond_logits: by atom and step, the logits ``[B, 1 + 3 atom]`` of a bond decision; of the first step
            those of `no more`, which it does not allow, are left out: ``[B, 3 atom]``.
        given: parts that the graphs were drawn on from, one for each; their decisions were not drawn.
    """

    types: Tensor
    bonds: Tensor
    kinds: Tensor
    orders: Tensor
    type_logits: Tensor
    bond_logits: dict[tuple[int, int], Tensor]
    given: GivenParts | None = None

    @property
    def order(self) -> list[tuple[int, int]]:
        """Decisions in the order in which they are made: atom and step of a bond, and step -1 for a type.

        Of the type decisions after the last, which no graph made, there may be some.
        """
        found = []
        for atom in range(self.types.shape[1]):
            steps = sum(of == atom for of, _ in self.bond_logits)
            found += [(atom, step) for step in range(-1, steps)]
        return found

    @classmethod
    def of(
        cls,
        types: Sequence[Tensor],
        kinds: Sequence[Tensor],
        rows: Sequence[Tensor],
        type_logits: Sequence[Tensor],
        bond_logits: Mapping[tuple[int, int], Tensor],
        max_atoms: int,
        given: GivenParts | None = None,
    ) -> "Drawn":
        """Graphs drawn atom by atom, of which all may end before the largest graph does.

        Args:
            types: of each atom ``[B]``, -1 where its graph has stopped.
            kinds: of each atom ``[B, K]``.
            rows: of each atom, its bonds to earlier ones: ``[B, atom, 3]``.
            type_logits: of each atom ``[B, K + 1]``.
            bond_logits: as above.
            max_atoms: ``N``.
            given: as above.
        """
        missing = max_atoms - len(kinds)
        made = torch.stack(list(kinds), 1)
        lower = made.new_zeros(len(made), len(kinds), len(kinds), ORDERS)
        for atom, row in enumerate(rows):
            lower[:, atom, :atom] = row
        bonded = lower + lower.transpose(1, 2)
        there = made.sum(2)
        apart = there.unsqueeze(2) * there.unsqueeze(1) * (1 - torch.eye(len(kinds), device=made.device))
        orders = torch.cat(((apart - bonded.sum(3)).unsqueeze(3), bonded), 3)
        by_order = torch.arange(1.0, ORDERS + 1, device=made.device, dtype=made.dtype)
        bonds = (bonded.detach() @ by_order).round().long()
        return cls(
            F.pad(torch.stack(list(types), 1), (0, missing), value=-1),
            F.pad(bonds, (0, missing, 0, missing)),
            F.pad(made, (0, 0, 0, missing)),
            F.pad(orders, (0, 0, 0, missing, 0, missing)),
            F.pad(torch.stack(list(type_logits), 1), (0, 0, 0, missing)),
            dict(bond_logits),
            given,
        )

    def rows(self, places: NDArray[np.int64]) -> "Drawn":
        """The graphs at these places."""
        at = torch.from_numpy(places)
        logits = {decision: one[at] for decision, one in self.bond_logits.items()}
        given = None if self.given is None else self.given.at(at)
        return Drawn(
            self.types[at],
            self.bonds[at],
            self.kinds[at],
            self.orders[at],
            self.type_logits[at],
            logits,
            given,
        )
