"""The trial of a run's targets where calls are counted: the steering goes on with what it paid for."""

import warnings
from collections.abc import Sequence
from pathlib import Path

from softdraw.molecules.evaluating.evaluations import (
    EVALUATIONS,
    Evaluated,
    read_evaluations,
    write_evaluations,
)
from softdraw.molecules.evaluating.evaluator import Evaluator
from softdraw.molecules.evaluating.ledger import Ledger
from softdraw.molecules.run.options import RunOptions
from softdraw.molecules.runtime.remarks import MoleculeWarning
from softdraw.molecules.steering.labels import try_counted
from softdraw.molecules.steering.targets import Target
from softdraw.molecules.storage.atomic import make_folder

__all__ = ["CountedTrial"]


class CountedTrial:
    """Tries targets before there is a folder, and keeps what it paid for once there is one.

    Args:
        folder: of the steering.
        options: of the run.

    Attributes:
        resume: whether what an earlier process paid for, all that the table in the folder has, counts.
    """

    def __init__(self, folder: Path, options: RunOptions) -> None:
        self.folder, self.options = folder, options
        self.resume = False
        self._names: tuple[str, ...] = ()
        self._paid: dict[str, Evaluated] = {}

    def run(self, targets: Sequence[Target], smiles: Sequence[str]) -> list[str]:
        """See that the targets can work; what was tried before is not paid for again.

        Returns:
            Remarks.

        Raises:
            TargetError: one cannot work.
        """
        self._names = tuple(target.property for target in targets)
        with Evaluator([target.which for target in targets], self.options.workers) as evaluate:
            ledger = Ledger(self._names, evaluate, limit=self.options.steer_calls)
            ledger.restore(self._paid or (self._table() if self.resume else {}))
            try:
                return try_counted(targets, ledger, smiles)
            finally:
                self._paid = ledger.rows

    def keep(self) -> None:
        """Write what was paid for where the steering reads it; what is there already stays.

        What the steps of an earlier steering drew is not written where its table is gone: a new steering
        knows of the molecules of the data alone.

        Raises:
            CheckpointError: what is there is damaged.
            OutputError: the folder cannot be written.
        """
        there = self._table()
        of_data = {one: known for one, known in self._paid.items() if known.step is None}
        if of_data.keys() - there.keys():
            make_folder(self.folder)
            write_evaluations(self.folder / EVALUATIONS, self._names, {**there, **of_data})

    def _table(self) -> dict[str, Evaluated]:
        """What is in the folder, of the same properties."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MoleculeWarning)  # the run says so
            names, found = read_evaluations(self.folder)
        return found if names == self._names else {}
