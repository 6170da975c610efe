"""Parts that graphs are drawn on from: their decisions are made already."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from softdraw.kernels.formulas import one_hot
from softdraw.molecules.model.decisions import IGNORED, NO_MORE, Decisions, decisions_of
from softdraw.molecules.model.network import GraphNetwork

__all__ = ["GivenParts", "draws_from_part"]


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

    def at(self, places: Tensor) -> "GivenParts":
        """The parts of the graphs at these places, or where a mask of them holds."""
        return GivenParts(self.types[places], self.bonds[places], self.open_places[places])

    def has_type(self, atom: int) -> Tensor | None:
        """``[S]``, whether the type of an atom is given; None where it is in no part."""
        return self.types[:, atom] >= 0 if atom < self.types.shape[1] else None

    def has_bond(self, atom: int, step: int) -> Tensor | None:
        """``[S]``, whether a bond decision is given, likewise."""
        if atom >= self.bonds.shape[1] or step >= self.bonds.shape[2]:
            return None
        return self.bonds[:, atom, step] >= 0

    def without(self, made: Decisions) -> tuple[Tensor, Tensor]:
        """Classes of the type decisions and of the bond decisions of whole graphs, less what was given.

        Args:
            made: decisions of ``S`` graphs that were drawn on from these parts.
        """
        types, bonds = made.types.clone(), made.bonds.clone()
        types[:, : self.types.shape[1]].masked_fill_(self.types >= 0, IGNORED)
        atoms, steps = self.bonds.shape[1:]
        part = torch.arange(len(bonds)).unsqueeze(1)
        within = (made.atom < atoms) & (made.step < steps)
        known = self.bonds[part, made.atom.clamp(max=atoms - 1), made.step.clamp(max=steps - 1)] >= 0
        return types, bonds.masked_fill(within & known, IGNORED)

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


def draws_from_part(network: GraphNetwork, given: GivenParts | None) -> bool:
    """Whether a network is told that it draws on from a part: where there is one, if it learned to."""
    return given is not None and bool(network.knows_parts)


def _instead(known: Tensor, choice: Tensor) -> Tensor:
    return torch.where(known.unsqueeze(1) >= 0, one_hot(known, choice.shape[1], choice.dtype), choice)
