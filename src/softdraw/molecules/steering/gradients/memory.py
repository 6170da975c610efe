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

ROOM = 10_000
"""Molecules that are kept."""
PRESSURE = 0.1
"""Of the draw by rank: a molecule of rank r among n has the weight 1 / (PRESSURE n + r)."""


class Memory:
    """The best molecules so far, each once.

    Args:
        vocabulary: the atom types that a network draws; a molecule with another one is not kept.
        atoms: heavy atoms of the largest graph that it draws.
        best: how many of them are learned again.

    Attributes:
        smiles: the best first.
        costs: of each.

    Example:
        >>> from softdraw.molecules.chemistry.vocabulary import AtomType
        >>> memory = Memory(Vocabulary([AtomType("C"), AtomType("O")]), atoms=3, best=2)
        >>> memory.add(["CC", "CO", "CN", "CCO", "CCCC"], np.array([0.5, 0.2, 0.0, 0.4, 0.0]))
        >>> memory.smiles, memory.costs.tolist()
        (['CO', 'CCO', 'CC'], [0.2, 0.4, 0.5])
    """

    def __init__(self, vocabulary: Vocabulary, atoms: int, best: int) -> None:
        self.vocabulary, self.best = vocabulary, best
        table = Chem.GetPeriodicTable()
        self._types = {(table.GetAtomicNumber(one.symbol), one.charge) for one in vocabulary}
        self._check = MoleculeFilter(Rules(None, atoms, charges=True))
        self.smiles: list[str] = []
        self.costs: NDArray[np.float64] = np.zeros(0)
        self._records: dict[str, Record] = {}

    def __len__(self) -> int:
        return len(self.smiles)

    def add(self, smiles: Sequence[str], costs: NDArray[np.float64]) -> None:
        """Take molecules, of which the best are kept.

        Args:
            smiles: canonical, empty where there is no molecule.
            costs: of each, lower is better; NaN where it is unknown, which is left out.
        """
        found = dict(zip(self.smiles, self.costs.tolist(), strict=True))
        for one, cost in zip(smiles, costs.tolist(), strict=True):
            if one and one not in found and np.isfinite(cost) and self.usable(one):
                found[one] = cost
        # stable: of equal ones the first that came is the better one
        self.smiles = sorted(found, key=found.__getitem__)[:ROOM]
        self.costs = np.array([found[one] for one in self.smiles], dtype=np.float64)
        self._records = {one: self._records[one] for one in self.smiles}

    def draw(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Places of ``count`` different molecules among the best, or of all of those, by rank."""
        among = min(self.best, len(self))
        weights = 1 / (PRESSURE * among + np.arange(among) + 1)
        return rng.choice(among, min(count, among), replace=False, p=weights / weights.sum())

    def graphs(self, places: NDArray[np.int64], rng: np.random.Generator | None) -> Graphs:
        """Types ``[B, N]`` and bonds ``[B, N, N]`` of kept molecules (see ``GraphSet.dense``)."""
        records = [self._records[self.smiles[place]] for place in places.tolist()]
        return GraphSet.from_records(records, self.vocabulary).dense(np.arange(len(records)), rng)

    def usable(self, smiles: str) -> bool:
        """Whether the network can draw a molecule."""
        if smiles in self._records:
            return True
        with rdBase.BlockLogs():
            usable = self._check(smiles)
        if isinstance(usable, str) or not self._types.issuperset(usable.record[1]):
            return False
        self._records[smiles] = usable.record
        return True

    def state_dict(self) -> dict[str, Any]:
        """In plain Python."""
        return {"smiles": "\n".join(self.smiles), "costs": self.costs.tolist()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state_dict``."""
        self.smiles, self.costs, self._records = [], np.zeros(0), {}
        smiles = state["smiles"].split("\n") if state["smiles"] else []
        self.add(smiles, np.array(state["costs"], dtype=np.float64))
