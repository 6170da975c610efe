"""Parts that graphs are drawn on from: their decisions are made already."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from softdraw.kernels.formulas import one_hot
from softdraw.molecules.model.decisions import NO_MORE, decisions_of

__all__ = ["GivenParts"]


@dataclass(frozen=True)
class GivenParts:
    """The first decisions of ``S`` graphs.

    Attributes:
        types: ``[S, n]`` types of the given atoms, -1 after them.
        bonds: ``[S, n, P]`` classes of the bond decisions of each atom, step by step (see
            ``decisions.NO_MORE``); -1 where there is none.
        open_places: ``[S, N]``, which atoms may be bonded to new ones; those that are not given may.
    """

    types: Tensor
    bonds: Tensor
    open_places: Tensor

    @classmethod
    def of(
        cls, types: Tensor, bonds: Tensor, open_places: Sequence[Sequence[bool]], valences: Tensor, most: int
    ) -> "GivenParts":
        """Parts as graphs.

        Args:
            types: ``[S, n]``, -1 after the last atom.
            bonds: ``[S, n, n]`` bond orders.
            open_places: for every atom of each part, whether it may be bonded to new ones.
            valences: of the types.
            most: ``N``, atoms of the largest graph.
        """
        made = decisions_of(types, bonds, valences, most)
        steps = int(made.step.max()) + 1 if made.step.numel() else 1
        chosen = torch.full((*types.shape, steps), -1)
        part, place = (made.bonds >= NO_MORE).nonzero(as_tuple=True)
        chosen[part, made.atom[part, place], made.step[part, place]] = made.bonds[part, place]
        free = torch.ones(len(types), most, dtype=torch.bool)
        for row, known in zip(free, open_places, strict=True):
            row[: len(known)] = torch.tensor(known)
        return cls(types, chosen, free)

    def rows(self, start: int, count: int) -> "GivenParts":
        """Parts ``start``, ``start + 1``, ..., in turns: one for each of ``count`` graphs."""
        which = torch.arange(start, start + count) % len(self.types)
        return GivenParts(self.types[which], self.bonds[which], self.open_places[which])

    def type_choice(self, atom: int, choice: Tensor) -> Tensor:
        """One-hot types ``[B, K + 1]``, those of given atoms in place of what was drawn."""
        if atom >= self.types.shape[1]:
            return choice
        return _instead(self.types[:, atom], choice)

    def bond_choice(self, atom: int, step: int, choice: Tensor, asked: Tensor) -> Tensor:
        """One-hot bond decisions ``[B, C]``, likewise; of the first step without the class `no more`."""
        if atom >= self.bonds.shape[1] or step >= self.bonds.shape[2]:
            return choice
        known = torch.where(asked, self.bonds[:, atom, step], -1)
        return _instead(known if step else torch.where(known > 0, known - 1, -1), choice)

    def may_join(self, atom: int) -> Tensor:
        """``[B, atom]``, which earlier atoms the new one may be bonded to."""
        free = self.open_places[:, :atom]
        if atom >= self.types.shape[1]:
            return free
        return free | (self.types[:, atom] >= 0).unsqueeze(1)


def _instead(known: Tensor, choice: Tensor) -> Tensor:
    return torch.where(known.unsqueeze(1) >= 0, one_hot(known, choice.shape[1], choice.dtype), choice)
