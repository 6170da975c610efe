"""The tasks by name, and the suites that they belong to."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from softdraw.molecules.tasks.definitions import DEFINITIONS
from softdraw.molecules.tasks.terms import Term

if TYPE_CHECKING:
    from rdkit import Chem

__all__ = ["SUITES", "TASKS", "Task"]


@dataclass(frozen=True)
class Task:
    """An objective of a published benchmark: called with a molecule, it gives a score from 0 to 1.

    Attributes:
        name: as the benchmark has it, in lower case.
        text: what it asks for, in a line.
        suites: that it belongs to.
        score: what it is made of.

    Example:
        >>> from rdkit import Chem
        >>> task = TASKS["isomers_c11h24"]
        >>> task.text, task(Chem.MolFromSmiles("CCCCCCCCCCC"))
        ('isomers of C11H24', 1.0)
    """

    name: str
    text: str
    suites: tuple[str, ...]
    score: Term

    def __call__(self, mol: "Chem.Mol") -> float:
        """The score of a molecule."""
        return self.score(mol)

    def __reduce__(self) -> tuple[Any, ...]:
        # other processes look it up
        return _named, (self.name,)


def _named(name: str) -> Task:
    return TASKS[name]


TASKS: dict[str, Task] = {
    name: Task(name, text, tuple(suites.split()), score)
    for name, (suites, text, score) in DEFINITIONS.items()
}
"""Every task by name."""
SUITES: dict[str, tuple[str, ...]] = {
    suite: tuple(task.name for task in TASKS.values() if suite in task.suites)
    for suite in ("guacamol", "pmo", "pmo-2022")
}
"""By suite, the names of its tasks: GuacaMol's second version and its trivial tasks, the 20 of PMO that need
RDKit alone, and the four of these that PMO's table of 2022 has in another form."""
