"""Molecules that were read together, in a few small arrays: what a graph set is put together from."""

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from softdraw.molecules.chemistry.codec import Record
from softdraw.molecules.chemistry.vocabulary import AtomType
from softdraw.molecules.storage.arrays import as_bytes, as_text

__all__ = ["Block", "atom_type_of"]

_CHARGES = 256
_NEUTRAL = 128


class Block(NamedTuple):
    """Molecules, end to end.

    Atoms are kept as kinds, ``256 * atomic number + 128 + charge``, since what atom types there are is known
    only when all blocks are.

    Attributes:
        kinds: ``[atoms]`` uint16.
        sizes: ``[molecules]`` uint8: atoms of each.
        bonds: ``[bonds, 3]`` uint8: ``(later atom, earlier atom, order)``.
        bond_sizes: ``[molecules]`` uint16: bonds of each.
        smiles: canonical SMILES of each, without stereo.

    Example:
        >>> block = Block.of([("C=O", [(6, 0), (8, 0)], [(1, 0, 2)]), ("C", [(6, 0)], [])])
        >>> block.chosen(np.array([False, True])).smiles, block.sizes
        (['C'], array([2, 1], dtype=uint8))
    """

    kinds: NDArray[np.uint16]
    sizes: NDArray[np.uint8]
    bonds: NDArray[np.uint8]
    bond_sizes: NDArray[np.uint16]
    smiles: list[str]

    @classmethod
    def of(cls, records: Iterable[Record]) -> "Block":
        """Gather what ``codec.read_molecule`` gives."""
        gathered = list(records)
        atoms = np.array([*chain.from_iterable(atoms for _, atoms, _ in gathered)], dtype=np.int64)
        bonds = np.array([*chain.from_iterable(bonds for _, _, bonds in gathered)], dtype=np.uint8)
        number, charge = atoms.reshape(-1, 2).T
        return cls(
            (_CHARGES * number + _NEUTRAL + charge).astype(np.uint16),
            np.array([len(atoms) for _, atoms, _ in gathered], dtype=np.uint8),
            bonds.reshape(-1, 3),
            np.array([len(bonds) for _, _, bonds in gathered], dtype=np.uint16),
            [smiles for smiles, _, _ in gathered],
        )

    def chosen(self, mask: NDArray[np.bool_]) -> "Block":
        """The molecules that a mask of shape ``[molecules]`` picks."""
        if mask.all():
            return self
        return Block(
            self.kinds[np.repeat(mask, self.sizes)],
            self.sizes[mask],
            self.bonds[np.repeat(mask, self.bond_sizes)],
            self.bond_sizes[mask],
            [one for one, kept in zip(self.smiles, mask.tolist(), strict=True) if kept],
        )

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The block as plain arrays, texts as bytes."""
        return {**self._asdict(), "smiles": as_bytes("\n".join(self.smiles))}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> "Block":
        """What ``to_arrays`` gave."""
        smiles = as_text(arrays["smiles"]).split("\n") if len(arrays["sizes"]) else []
        return cls(**{name: arrays[name] for name in cls._fields if name != "smiles"}, smiles=smiles)


def atom_type_of(kind: int) -> AtomType:
    """The atom type of a kind of atom.

    Example:
        >>> str(atom_type_of(256 * 7 + 128 + 1))
        'N+'
    """
    number, charge = divmod(kind, _CHARGES)
    return AtomType(Chem.GetPeriodicTable().GetElementSymbol(number), charge - _NEUTRAL)
