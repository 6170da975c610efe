"""Molecules that were evaluated, kept to be learned again and to breed from."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from torch import Tensor

from softdraw.molecules.chemistry.codec import Record
from softdraw.molecules.chemistry.vocabulary import Vocabulary
from softdraw.molecules.data.filters import MoleculeFilter, Rules
from softdraw.molecules.data.graphs import GraphSet

__all__ = ["Memory"]

Graphs = tuple[Tensor, Tensor]

PRESSURE = 0.01
"""Of the draw by rank: a molecule of rank r among n has the weight 1 / (PRESSURE n + r)."""


class Memory:
    """The best molecules so far, each once.

    Args:
        vocabulary: the atom types that a network draws; a molecule with another one is not kept.
        atoms: heavy atoms of the largest graph that it draws.
        room: how many molecules are kept.

    Example:
        >>> from softdraw.molecules.chemistry.vocabulary import AtomType
        >>> memory = Memory(Vocabulary([AtomType("C"), AtomType("O")]), atoms=3, room=2)
        >>> memory.add(["CC", "CO", "CN", "CCO", "CCCC"], np.array([0.5, 0.2, 0.0, 0.4, 0.0]))
        >>> memory.smiles, memory.costs.tolist()
        (['CO', 'CCO'], [0.2, 0.4])
    """

    def __init__(self, vocabulary: Vocabulary, atoms: int, room: int) -> None:
        self.vocabulary, self.atoms, self.room = vocabulary, atoms, room
        table = Chem.GetPeriodicTable()
        self._types = {(table.GetAtomicNumber(one.symbol), one.charge) for one in vocabulary}
        self._check = MoleculeFilter(Rules(None, atoms, charges=True))
        self.smiles: list[str] = []
        self.costs: NDArray[np.float64] = np.zeros(0)
        self._records: dict[str, Record] = {}

    def __len__(self) -> int:
        return len(self.smiles)

    def usable(self, smiles: str) -> bool:
        """Whether the network can draw a molecule."""
        return self._record(smiles) is not None

    def add(self, smiles: Sequence[str], costs: NDArray[np.float64]) -> None:
        """Take molecules, of which the best are kept.

        Args:
            smiles: canonical, empty where there is no molecule.
            costs: of each, lower is better; NaN where it is unknown, which is left out.
        """
        found = dict(zip(self.smiles, self.costs.tolist(), strict=True))
        bound = float(self.costs[-1]) if len(self) >= self.room else np.inf
        for one, cost in zip(smiles, costs.tolist(), strict=True):
            if one and one not in found and cost < bound:
                record = self._record(one)
                if record is not None:
                    found[one] = cost
                    self._records[one] = record
        # stable: of equal ones the first that came is kept
        ranked = sorted(found, key=found.__getitem__)[: self.room]
        self.smiles, self.costs = ranked, np.array([found[one] for one in ranked], dtype=np.float64)
        self._records = {one: self._records[one] for one in ranked}

    def draw(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Places of ``count`` different molecules, or of all, by rank."""
        ranks = np.arange(len(self))
        weights = 1 / (PRESSURE * len(self) + ranks + 1)
        count = min(count, len(self))
        return rng.choice(len(self), count, replace=False, p=weights / weights.sum())

    def graphs(self, places: Sequence[int] | NDArray[np.int64], rng: np.random.Generator | None) -> Graphs:
        """Types ``[B, N]`` and bonds ``[B, N, N]`` of kept molecules (see ``GraphSet.dense``)."""
        return self._dense([self._records[self.smiles[int(place)]] for place in places], rng)

    def encode(self, smiles: Sequence[str], rng: np.random.Generator | None) -> Graphs:
        """The same of any molecules that are ``usable``."""
        records = [self._record(one) for one in smiles]
        return self._dense([record for record in records if record is not None], rng)

    def _dense(self, records: list[Record], rng: np.random.Generator | None) -> Graphs:
        graphs = GraphSet.from_records(records, self.vocabulary)
        return graphs.dense(np.arange(len(graphs)), rng)

    def _record(self, smiles: str) -> Record | None:
        known = self._records.get(smiles)
        if known is not None:
            return known
        with rdBase.BlockLogs():
            usable = self._check(smiles)
        if isinstance(usable, str) or not self._types.issuperset(usable.record[1]):
            return None
        return usable.record

    def state_dict(self) -> dict[str, Any]:
        """In plain Python."""
        return {"smiles": "\n".join(self.smiles), "costs": self.costs.tolist()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state_dict``."""
        self.smiles, self.costs, self._records = [], np.zeros(0), {}
        smiles = state["smiles"].split("\n") if state["smiles"] else []
        self.add(smiles, np.array(state["costs"], dtype=np.float64))
