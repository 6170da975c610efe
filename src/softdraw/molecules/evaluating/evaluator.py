"""The properties that are asked for, computed by this process or shared by several."""

import pickle
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

from rdkit import rdBase

from softdraw.arguments import read_count
from softdraw.molecules.chemistry.codec import parse_smiles
from softdraw.molecules.chemistry.computing import LIST, computed
from softdraw.molecules.chemistry.properties import Property, property_of
from softdraw.molecules.errors import MoleculeError, TargetError
from softdraw.molecules.runtime.pool import Pool
from softdraw.molecules.runtime.ranks import ALONE, Ranks

__all__ = ["Evaluator", "Row"]

Row = tuple[tuple[float, ...], str]
"""A molecule's value of each property, NaN where there is none, and why the first of these has none."""
ROUND = 0.5
"""Seconds after which ranks tell each other what they have evaluated."""


class Evaluator:
    """Computes properties of molecules; what it gives does not depend on the number of processes.

    Molecules go to the processes one by one, or in lists of 64 where a function takes lists.

    Args:
        which: properties, each a name (``"qed"``, ``"module:function"``) or a record.
        workers: processes; 1 computes in this one.
        ranks: that each compute a share, and all get every value.

    Raises:
        TypeError, ValueError: ``workers`` is no count.
        TargetError: a property does not exist, or cannot be sent to other processes: a lambda, a function
            inside another, or one of the main program, which the processes do not run.

    Example:
        >>> with Evaluator(["heavy_atoms"]) as evaluate:
        ...     sorted(evaluate(["CC", "CCO"]))
        [(0, ((2.0,), '')), (1, ((3.0,), ''))]
    """

    def __init__(self, which: Sequence[str | Property], workers: int = 1, ranks: Ranks = ALONE) -> None:
        self.workers, self.ranks = read_count("workers", workers, 1), ranks
        # a name is looked up anew by each process, in the working folder too
        self._task = _Task(tuple(which))
        self._size = LIST if any(property_of(one).batched for one in which) else 1
        self._pool: Pool | None = None
        self._threads: ThreadPoolExecutor | None = None
        if self._shared:
            _check_portable(self._task)

    @property
    def _shared(self) -> bool:
        return self.workers > 1 and bool(sys.executable)

    def __call__(self, smiles: Sequence[str]) -> Iterator[tuple[int, Row]]:
        """Evaluate molecules.

        Yields:
            The place of a molecule and its row, as soon as it is there; on ranks, as soon as they tell each
            other, and in the same order on all of them.

        Raises:
            MoleculeError: a process was killed.
        """
        if self.ranks.count == 1:
            yield from self._own(smiles)
            return
        # by turns: molecules that lie together may take alike long
        places = range(self.ranks.number, len(smiles), self.ranks.count)
        rows = self._own([smiles[place] for place in places])
        ended = False
        while not ended:
            found: list[tuple[int, Row]] = []
            began = time.monotonic()
            with self.ranks.agreed():
                for place, row in rows:
                    found.append((places[place], row))
                    if time.monotonic() - began > ROUND:
                        break
                else:
                    ended = True
            every = self.ranks.gather((found, ended))
            ended = all(done for _, done in every)
            for share, _ in every:
                yield from share

    def _own(self, smiles: Sequence[str]) -> Iterator[tuple[int, Row]]:
        chunks = [range(at, min(at + self._size, len(smiles))) for at in range(0, len(smiles), self._size)]
        if not self._shared:
            for chunk in chunks:
                yield from zip(chunk, self._task([smiles[place] for place in chunk]), strict=True)
            return
        if self._pool is None or self._threads is None:
            self._pool, self._threads = Pool(self._task, self.workers), ThreadPoolExecutor(self.workers)
        waiting = {
            self._threads.submit(self._pool.work, [smiles[place] for place in chunk]): chunk
            for chunk in chunks
        }
        try:
            for done in as_completed(waiting):
                yield from zip(waiting[done], self._rows(done.result), strict=True)
        finally:
            for future in waiting:
                future.cancel()

    def _rows(self, result: Any) -> list[Row]:
        try:
            rows: list[Row] = result()
        except TargetError:
            raise
        except MoleculeError as error:
            raise MoleculeError(
                f"workers: one of {self.workers} processes ended while it evaluated a molecule; what was "
                "evaluated before is kept"
            ) from error
        return rows

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None and self._threads is not None:
            self._pool.end()
            self._threads.shutdown(cancel_futures=True)
            self._pool = self._threads = None

    def __enter__(self) -> "Evaluator":
        return self

    def __exit__(self, *rest: object) -> None:
        self.close()


class _Task:
    """What each process does: molecules to rows."""

    def __init__(self, which: tuple[str | Property, ...]) -> None:
        self.which = which
        self._records: list[Property] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return _Task, (self.which,)

    def __call__(self, smiles: list[str]) -> list[Row]:
        if self._records is None:
            self._records = [property_of(one) for one in self.which]
        with rdBase.BlockLogs():
            mols = [parse_smiles(one) for one in smiles]
            read = [mol for mol in mols if mol is not None]
            columns = [iter(computed(record, read)) for record in self._records]
            rows: list[Row] = []
            for mol in mols:
                found = [(float("nan"), "no molecule") if mol is None else next(one) for one in columns]
                why = next((reason for _, reason in found if reason), "")
                rows.append((tuple(value for value, _ in found), why))
        return rows


def _check_portable(task: _Task) -> None:
    for which in task.which:
        if isinstance(which, str):
            continue
        try:
            elsewhere = b"__main__" not in pickle.dumps(which)
        except Exception:  # pickle raises several kinds, by what cannot be pickled
            elsewhere = False
        if not elsewhere:
            raise TargetError(
                f"workers: got more than 1 for {which.name}, which other processes cannot import; expected "
                "a function at the top of a module (no lambda, nothing of the main program or a notebook), "
                "or workers=1"
            )
