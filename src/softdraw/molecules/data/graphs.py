"""A set of molecular graphs in ragged arrays, and the padded batches that a network learns from."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from softdraw.molecules.chemistry.codec import Record
from softdraw.molecules.chemistry.vocabulary import Vocabulary
from softdraw.molecules.data.atom_order import random_walks
from softdraw.molecules.data.blocks import Block, atom_type_of
from softdraw.molecules.errors import DataError
from softdraw.molecules.storage.arrays import as_bytes, as_text, read_arrays, write_arrays

__all__ = ["GraphSet", "offsets_of"]

_AT_ONCE = 20_000
"""Molecules that are gathered at once."""


@dataclass(frozen=True, eq=False)
class GraphSet:
    """Molecular graphs, end to end in a few arrays.

    Atom ``a`` of molecule ``m`` is ``types[atom_offsets[m] + a]``; its bonds are the rows
    ``bonds[bond_offsets[m]:bond_offsets[m + 1]]``, each ``(later atom, earlier atom, order)``.

    Attributes:
        vocabulary: what the types mean.
        types: ``[atoms]`` uint8.
        atom_offsets: ``[molecules + 1]`` int64.
        bonds: ``[bonds, 3]`` uint8.
        bond_offsets: ``[molecules + 1]`` int64.
        smiles: canonical SMILES of every molecule, without stereo.

    Raises:
        ValueError: the arrays contradict each other.

    Example:
        >>> from rdkit import Chem
        >>> from softdraw.molecules.chemistry.codec import read_molecule
        >>> graphs = GraphSet.from_records([read_molecule(Chem.MolFromSmiles(s)) for s in ["C=O", "CCO"]])
        >>> len(graphs), graphs.max_atoms, graphs.smiles
        (2, 3, ['C=O', 'CCO'])
        >>> types, bonds = graphs.dense([0, 1])
        >>> types
        tensor([[ 0,  1, -1],
                [ 0,  0,  1]])
        >>> bonds[0]
        tensor([[0, 2, 0],
                [2, 0, 0],
                [0, 0, 0]])
    """

    vocabulary: Vocabulary
    types: NDArray[np.uint8]
    atom_offsets: NDArray[np.int64]
    bonds: NDArray[np.uint8]
    bond_offsets: NDArray[np.int64]
    smiles: list[str] = field(repr=False)

    def __post_init__(self) -> None:
        for name, offsets, items in (
            ("atom_offsets", self.atom_offsets, len(self.types)),
            ("bond_offsets", self.bond_offsets, len(self.bonds)),
        ):
            if len(offsets) != len(self.smiles) + 1 or offsets[0] != 0 or offsets[-1] != items:
                raise ValueError(f"{name}: {len(offsets)} offsets do not fit {len(self.smiles)} molecules")
            if (np.diff(offsets) < 0).any():
                raise ValueError(f"{name}: expected offsets that never fall")
        if self.types.size and self.types.max() >= len(self.vocabulary):
            raise ValueError(f"types: got {self.types.max()}, expected 0 to {len(self.vocabulary) - 1}")
        if self.bonds.size:
            room = np.repeat(self.sizes.astype(np.int32), np.diff(self.bond_offsets))
            later, earlier, order = self.bonds.T
            if (later >= room).any() or (earlier >= later).any() or order.min() < 1 or order.max() > 3:
                raise ValueError("bonds: expected rows (later atom, earlier atom, order 1 to 3)")

    @classmethod
    def from_records(cls, records: Iterable[Record], vocabulary: Vocabulary | None = None) -> "GraphSet":
        """Gather what ``codec.read_molecule`` gives.

        Args:
            records: one for each molecule.
            vocabulary: the atom types; by default those that occur.

        Raises:
            ValueError: there is no record, or an atom whose type ``vocabulary`` lacks.
        """
        return cls.from_blocks([Block.of(records)], vocabulary)

    @classmethod
    def from_blocks(cls, blocks: Sequence[Block], vocabulary: Vocabulary | None = None) -> "GraphSet":
        """``from_records`` of molecules that were gathered in several blocks.

        Raises:
            ValueError: as ``from_records``.
        """
        smiles = [one for block in blocks for one in block.smiles]
        if not smiles:
            raise ValueError("records: got none, expected at least one molecule")
        kinds = np.concatenate([block.kinds for block in blocks])
        found = np.flatnonzero(np.bincount(kinds, minlength=1))
        atom_types = [atom_type_of(kind) for kind in found.tolist()]
        if vocabulary is None:
            vocabulary = Vocabulary(atom_types)
        classes = np.zeros(int(found[-1]) + 1, dtype=np.uint8)
        classes[found] = [vocabulary.index(atom_type) for atom_type in atom_types]
        return cls(
            vocabulary,
            classes[kinds],
            offsets_of(np.concatenate([block.sizes for block in blocks])),
            np.concatenate([block.bonds for block in blocks]),
            offsets_of(np.concatenate([block.bond_sizes for block in blocks])),
            smiles,
        )

    def __len__(self) -> int:
        return len(self.smiles)

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Atoms of every molecule, ``[molecules]``; found once, so that a batch costs what it holds."""
        return np.diff(self.atom_offsets)

    @cached_property
    def max_atoms(self) -> int:
        """Atoms of the largest molecule; 0 for an empty set."""
        return int(self.sizes.max(initial=0))

    def subset(self, indices: ArrayLike) -> "GraphSet":
        """The molecules at ``indices`` (integers or a boolean array), in that order; same vocabulary."""
        chosen = self._resolve(indices)
        return GraphSet(
            self.vocabulary,
            _gathered(self.types, self.atom_offsets, chosen),
            offsets_of(self.sizes[chosen]),
            _gathered(self.bonds, self.bond_offsets, chosen),
            offsets_of(_lengths(self.bond_offsets, chosen)),
            [self.smiles[index] for index in chosen.tolist()],
        )

    def dense(
        self,
        indices: ArrayLike,
        rng: np.random.Generator | None = None,
        *,
        atoms: int | None = None,
        part_first: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """A padded batch.

        Args:
            indices: ``[B]`` integers or a boolean array over the set.
            rng: with it, every molecule gets an atom order of its own: a depth-first walk from a random atom
                that turns to a random neighbour, so that every atom touches an earlier one. Without it, the
                reading order of the canonical SMILES.
            part_first: these walks finish a random part of the molecule before they go on.
            atoms: the width N to pad to; by default that of the largest molecule in the batch.

        Returns:
            ``types`` ``[B, N]`` int64, -1 after the last atom; ``bonds`` ``[B, N, N]`` int64, symmetric
            orders 0 to 3.

        Raises:
            ValueError: ``atoms`` is less than the largest molecule of the batch holds.
            IndexError: an index is out of range.
        """
        chosen = self._resolve(indices)
        sizes = self.sizes[chosen]
        largest = int(sizes.max(initial=0))
        width = largest if atoms is None else atoms
        if width < largest:
            raise ValueError(
                f"atoms: got {atoms}, expected at least {largest}, the largest molecule in the batch"
            )
        drawn, owner = _spans(self.atom_offsets, chosen)
        position = np.arange(len(drawn)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        edges, edge_owner = _spans(self.bond_offsets, chosen)
        later, earlier, order = self.bonds[edges].astype(np.int64).T
        if rng is not None:
            rank = random_walks(sizes, width, edge_owner, later, earlier, rng, part_first=part_first)
            position, later, earlier = (
                rank[owner, position],
                rank[edge_owner, later],
                rank[edge_owner, earlier],
            )
        types = np.full((len(chosen), width), -1, dtype=np.int64)
        types[owner, position] = self.types[drawn]
        bonds = np.zeros((len(chosen), width, width), dtype=np.int64)
        bonds[edge_owner, later, earlier] = order
        bonds[edge_owner, earlier, later] = order
        return torch.from_numpy(types), torch.from_numpy(bonds)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the set as ``.npz`` (no pickle), beside its target and then renamed, so never half.

        Raises:
            OutputError: the folder cannot be written, or the disk is full.
        """
        write_arrays(path, self.to_arrays())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "GraphSet":
        """Read what ``save`` wrote.

        Raises:
            DataError: the file is missing, cut off or something else.
        """
        arrays = read_arrays(path)
        try:
            return cls.from_arrays(arrays)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise DataError(f"{os.fspath(path)}: not a set of molecular graphs ({error})") from error

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The set as plain arrays, texts as bytes."""
        return {
            "vocabulary": as_bytes(self.vocabulary.to_json()),
            "types": self.types,
            "atom_offsets": self.atom_offsets,
            "bonds": self.bonds,
            "bond_offsets": self.bond_offsets,
            "smiles": as_bytes("\n".join(self.smiles)),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> "GraphSet":
        """What ``to_arrays`` gave.

        Raises:
            KeyError: an array is missing.
            ValueError: the arrays contradict each other.
        """
        smiles = as_text(arrays["smiles"])
        return cls(
            Vocabulary.from_json(as_text(arrays["vocabulary"])),
            arrays["types"],
            arrays["atom_offsets"],
            arrays["bonds"],
            arrays["bond_offsets"],
            smiles.split("\n") if smiles else [],
        )

    def _resolve(self, indices: ArrayLike) -> NDArray[np.int64]:
        chosen = np.asarray(indices)
        if chosen.dtype == bool and chosen.shape == (len(self),):
            return np.flatnonzero(chosen)
        if chosen.size == 0:
            return np.zeros(0, dtype=np.int64)
        if chosen.ndim != 1 or chosen.dtype.kind not in "iu":
            raise ValueError(
                f"indices: got shape {list(chosen.shape)} of {chosen.dtype}, expected [B] integers"
            )
        if chosen.min() < -len(self) or chosen.max() >= len(self):
            raise IndexError(f"indices: got {chosen.min()} to {chosen.max()}, expected 0 to {len(self) - 1}")
        return chosen.astype(np.int64) % len(self)


def offsets_of(sizes: Sequence[int] | NDArray[Any]) -> NDArray[np.int64]:
    """Where each of several runs of items begins, and where the last one ends."""
    return np.concatenate(([0], np.cumsum(sizes, dtype=np.int64)))


def _lengths(offsets: NDArray[np.int64], chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    lengths: NDArray[np.int64] = offsets[chosen + 1] - offsets[chosen]
    return lengths


def _gathered(items: NDArray[Any], offsets: NDArray[np.int64], chosen: NDArray[np.int64]) -> NDArray[Any]:
    """All items of the chosen molecules, some thousand molecules at a time.

    An index into a large set would take eight times the memory of what it points to.
    """
    parts = (chosen[start : start + _AT_ONCE] for start in range(0, len(chosen), _AT_ONCE))
    return np.concatenate([items[:0], *(items[_spans(offsets, part)[0]] for part in parts)])


def _spans(
    offsets: NDArray[np.int64], chosen: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places of everything that belongs to the chosen molecules, and for each its row among the chosen."""
    starts, sizes = offsets[chosen], _lengths(offsets, chosen)
    owner = np.repeat(np.arange(len(chosen)), sizes)
    inside = np.arange(len(owner)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.repeat(starts, sizes) + inside, owner
