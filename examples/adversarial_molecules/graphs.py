"""Molecules as rows of classes, and back: the atoms of a graph, then its pairs of atoms, one class each.

A row has n + n (n - 1) / 2 places. The first n hold an atom's type or "no atom", the others the order of the
bond of a pair (later, earlier), 0 to 3. A pair has one place, hence one draw and one noise: both triangles of
the matrix of bonds come from it.
"""

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from softdraw.molecules.chemistry.codec import decode_batch
from softdraw.molecules.chemistry.vocabulary import Vocabulary
from softdraw.molecules.data.dataset import load

ORDERS = 4
CHARGED = re.compile(r"\[[^\]]*[+-]\d*\]")


class Layout:
    """Where atoms and pairs stand in a row.

    Attributes:
        atoms: n, the most atoms of a molecule.
        vocabulary: the atom types.
        places: n + n (n - 1) / 2.
        classes: C of every place; where a place has fewer, ``mask`` says so.
    """

    def __init__(self, atoms: int, vocabulary: Vocabulary) -> None:
        self.atoms, self.vocabulary = atoms, vocabulary
        self.later, self.earlier = torch.tril_indices(atoms, atoms, -1)
        self.places = atoms + len(self.later)
        self.none = len(vocabulary)  # the class "no atom"
        self.classes = max(self.none + 1, ORDERS)

    @cached_property
    def mask(self) -> Tensor:
        """``[places, C]``: the classes of each place."""
        mask = torch.zeros(self.places, self.classes, dtype=torch.bool)
        mask[: self.atoms, : self.none + 1] = True
        mask[self.atoms :, :ORDERS] = True
        return mask

    @cached_property
    def mirror(self) -> Tensor:
        """``[pairs, n * n]``, zeros and ones: where in a matrix a pair stands."""
        mirror = torch.zeros(len(self.later), self.atoms, self.atoms)
        pair = torch.arange(len(self.later))
        mirror[pair, self.later, self.earlier] = mirror[pair, self.earlier, self.later] = 1.0
        return mirror.flatten(1)

    def rows(self, types: Tensor, bonds: Tensor) -> Tensor:
        """Types ``[M, n]``, -1 for no atom, and orders ``[M, n, n]`` as rows ``[M, places]`` (uint8)."""
        atoms = torch.where(types < 0, self.none, types)
        return torch.cat([atoms, bonds[:, self.later, self.earlier]], 1).to(torch.uint8)

    def hot(self, rows: Tensor) -> Tensor:
        """Rows as one-hots ``[M, places, C]``."""
        return one_hot(rows.long(), self.classes).float()

    def graphs(self, drawn: Tensor) -> tuple[Tensor, Tensor]:
        """One-hots or soft draws ``[M, places, C]`` as atoms ``[M, n, T + 1]`` and bonds ``[M, 4, n, n]``.

        Bonds are symmetric bit for bit: both triangles are copies of one draw. The diagonal is zero.
        """
        pairs = drawn[:, self.atoms :, :ORDERS].transpose(1, 2) @ self.mirror
        return drawn[:, : self.atoms, : self.none + 1], pairs.unflatten(-1, (self.atoms, self.atoms))

    def smiles(self, rows: Tensor) -> list[str]:
        """The molecules of rows, ``""`` where a graph is none. Nothing is repaired.

        A bond to a place without an atom makes a graph invalid. Places without atoms are left out, which
        changes no molecule.
        """
        types = rows[:, : self.atoms].long()
        bonds = torch.zeros(len(rows), self.atoms, self.atoms, dtype=torch.long)
        bonds[:, self.later, self.earlier] = bonds[:, self.earlier, self.later] = rows[:, self.atoms :].long()
        absent = types == self.none
        loose = (bonds.bool() & absent[:, None]).any((1, 2))
        order = absent.long().argsort(dim=1, stable=True)
        types = torch.where(absent, -1, types).gather(1, order)
        bonds = bonds.gather(1, order[:, :, None].expand_as(bonds)).gather(2, order[:, None].expand_as(bonds))
        bonds[loose] = 0
        found = decode_batch(types.numpy(), bonds.numpy(), self.vocabulary)
        return ["" if wrong else one for one, wrong in zip(found, loose.tolist(), strict=True)]


class Molecules:
    """The molecules to learn from.

    Attributes:
        layout: of ``rows``.
        rows: ``[M, places]`` uint8; atoms in the order of the canonical SMILES.
        smiles: canonical SMILES.
        account: what was kept and what not.
    """

    def __init__(self, source: str | Sequence[str], atoms: int = 9, **options: Any) -> None:
        """Read neutral molecules of at most so many atoms; ``options`` are those of ``load``."""
        data = load(source, max_atoms=atoms, **options)
        neutral = [i for i, smiles in enumerate(data.graphs.smiles) if not CHARGED.search(smiles)]
        graphs = data.graphs.subset(neutral)
        used = sorted(set(graphs.types.tolist()))
        vocabulary = Vocabulary([graphs.vocabulary.types[i] for i in used])
        types, bonds = graphs.dense(range(len(graphs)), atoms=atoms)
        number = torch.full((len(graphs.vocabulary) + 1,), -1)
        number[used] = torch.arange(len(used))
        self.layout = Layout(atoms, vocabulary)
        self.rows = self.layout.rows(number[types], bonds)
        self.smiles = graphs.smiles
        self.account = f"{data.summary()}; {len(data) - len(graphs):,} with charged atoms are left out"
