"""Remembered molecules that were drawn on from a part, in the order of atoms in which they were drawn."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from softdraw.molecules.model.drawn import Drawn
from softdraw.molecules.model.given import GivenParts
from softdraw.molecules.steering.gradients.memory import Graphs

__all__ = ["AsDrawn"]


class AsDrawn:
    """Graphs by their SMILES: another order of atoms would not begin with the part.

    Example:
        >>> len(AsDrawn())
        0
    """

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Tensor, ...]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def new(self, smiles: Sequence[str], drawn: Drawn, kept: Sequence[str]) -> dict[str, tuple[Tensor, ...]]:
        """What a batch has to add.

        Args:
            smiles: of what was drawn.
            drawn: on from a part.
            kept: molecules that are remembered.
        """
        given, wanted = drawn.given, set(kept)
        found: dict[str, tuple[Tensor, ...]] = {}
        if given is None:
            return found
        for place, one in enumerate(smiles):
            if one in wanted and one not in self._kept and one not in found:
                whole = (drawn.types, drawn.bonds, given.types, given.bonds)
                # small numbers, many of them
                small = [entry[place].to(torch.int16) for entry in whole]
                found[one] = (*small, given.open_places[place].clone())
        return found

    def add(self, found: Mapping[str, tuple[Tensor, ...]], kept: Sequence[str]) -> None:
        """Take what ``new`` found, and drop what is not remembered any longer."""
        wanted = set(kept)
        self._kept = {one: entries for one, entries in {**found, **self._kept}.items() if one in wanted}

    def graphs(self, smiles: Sequence[str]) -> tuple[Graphs, GivenParts]:
        """Types and bonds of remembered molecules, and the part of each."""
        found = [torch.stack(one) for one in zip(*(self._kept[one] for one in smiles), strict=True)]
        types, bonds, part_types, part_bonds = (one.long() for one in found[:-1])
        return (types, bonds), GivenParts(part_types, part_bonds, found[-1])

    def state_dict(self) -> dict[str, Any]:
        """In tensors."""
        return {one: list(entries) for one, entries in self._kept.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state_dict``."""
        self._kept = {one: tuple(entries) for one, entries in state.items()}
