"""A set of molecular graphs in ragged arrays, and the padded batches that a network learns from."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from rdkit import Chem
from torch import Tensor

from softdraw.molecules.chemistry.codec import Record
from softdraw.molecules.chemistry.vocabulary import AtomType, Vocabulary
from softdraw.molecules.data.atom_order import random_walks
from softdraw.molecules.errors import DataError
from softdraw.molecules.storage.arrays import as_bytes, as_text, read_arrays, write_arrays

__all__ = ["GraphSet"]


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
            owner = np.repeat(np.arange(len(self)), np.diff(self.bond_offsets))
            later, earlier, order = self.bonds.T
            if (
                (later >= self.sizes[owner]).any()
                or (earlier >= later).any()
                or order.min() < 1
                or order.max() > 3
            ):
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
        smiles, numbers, charges, sizes, bonds, bond_sizes = [], [], [], [], [], []
        for one, atoms, edges in records:
            smiles.append(one)
            for number, charge in atoms:
                numbers.append(number)
                charges.append(charge)
            sizes.append(len(atoms))
            bonds.extend(edges)
            bond_sizes.append(len(edges))
        if not smiles:
            raise ValueError("records: got none, expected at least one molecule")
        table = Chem.GetPeriodicTable()
        pairs, inverse = np.unique(np.array([numbers, charges], dtype=np.int64), axis=1, return_inverse=True)
        atom_types = [
            AtomType(table.GetElementSymbol(int(number)), int(charge)) for number, charge in pairs.T
        ]
        if vocabulary is None:
            vocabulary = Vocabulary(atom_types)
        classes = np.array([vocabulary.index(atom_type) for atom_type in atom_types], dtype=np.uint8)
        return cls(
            vocabulary,
            classes[inverse.ravel()],
            _offsets(sizes),
            np.array(bonds, dtype=np.uint8).reshape(-1, 3),
            _offsets(bond_sizes),
            smiles,
        )

    def __len__(self) -> int:
        return len(self.smiles)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Atoms of every molecule, ``[molecules]``."""
        return np.diff(self.atom_offsets)

    @property
    def max_atoms(self) -> int:
        """Atoms of the largest molecule; 0 for an empty set."""
        return int(self.sizes.max(initial=0))

    def subset(self, indices: ArrayLike) -> "GraphSet":
        """The molecules at ``indices`` (integers or a boolean array), in that order; same vocabulary."""
        chosen = self._resolve(indices)
        atoms, _ = _spans(self.atom_offsets, chosen)
        bonds, _ = _spans(self.bond_offsets, chosen)
        return GraphSet(
            self.vocabulary,
            self.types[atoms],
            _offsets(self.sizes[chosen]),
            self.bonds[bonds],
            _offsets(np.diff(self.bond_offsets)[chosen]),
            [self.smiles[index] for index in chosen.tolist()],
        )

    def dense(
        self, indices: ArrayLike, rng: np.random.Generator | None = None, *, atoms: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """A padded batch.

        Args:
            indices: ``[B]`` integers or a boolean array over the set.
            rng: with it, every molecule gets an atom order of its own: a depth-first walk from a random atom
                that turns to a random neighbour, so that every atom touches an earlier one. Without it, the
                reading order of the canonical SMILES.
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
            rank = random_walks(sizes, width, edge_owner, later, earlier, rng)
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


def _offsets(sizes: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate(([0], np.cumsum(sizes, dtype=np.int64)))


def _spans(
    offsets: NDArray[np.int64], chosen: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places of everything that belongs to the chosen molecules, and for each its row among the chosen."""
    starts, sizes = offsets[chosen], np.diff(offsets)[chosen]
    owner = np.repeat(np.arange(len(chosen)), sizes)
    inside = np.arange(len(owner)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.repeat(starts, sizes) + inside, owner
