"""The trial of a run's targets where calls are counted: what it paid for is the steering's to go on with."""

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
            ledger.restore(self._paid or self._kept())
            try:
                return try_counted(targets, ledger, smiles)
            finally:
                self._paid = ledger.rows

    def keep(self) -> None:
        """Write what was paid for where the steering reads it; what is there already stays.

        Raises:
            OutputError: the folder cannot be written.
        """
        path = self.folder / EVALUATIONS
        if self._paid and not path.exists():
            make_folder(self.folder)
            write_evaluations(path, self._names, self._paid)

    def _kept(self) -> dict[str, Evaluated]:
        """Molecules of the data that an earlier process paid for, of the same properties."""
        if not self.resume:
            return {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MoleculeWarning)  # the steering says so
            names, found = read_evaluations(self.folder)
        if names != self._names:
            return {}
        return {one: known for one, known in found.items() if known.step is None}
