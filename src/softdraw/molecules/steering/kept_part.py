"""A part that every molecule of a steering is drawn on from, and keeps."""

from collections.abc import Sequence
from dataclasses import dataclass

from rdkit import rdBase

from softdraw.molecules.chemistry.scaffold import Scaffold
from softdraw.molecules.model.given import GivenParts

__all__ = ["KeptPart"]


@dataclass(frozen=True)
class KeptPart:
    """Scaffolds, which take turns, and the decisions that they stand for.

    Attributes:
        scaffolds: one or more.
        given: their decisions.
    """

    scaffolds: tuple[Scaffold, ...]
    given: GivenParts

    @property
    def text(self) -> list[str]:
        """The scaffolds as they were given."""
        return [scaffold.text for scaffold in self.scaffolds]

    def whole(self, smiles: Sequence[str], start: int = 0) -> list[str]:
        """Molecules ``start``, ``start + 1``, ... of a batch, with ``""`` for those that lost their part.

        What was bonded to it may have made a ring of it aromatic, which changes neither its atoms nor its
        bonds, but what it is.
        """
        with rdBase.BlockLogs():
            return [
                one if one and self.scaffolds[place % len(self.scaffolds)].is_in(one) else ""
                for place, one in enumerate(smiles, start)
            ]
