"""``evaluations.csv``: what was paid for, molecule by molecule, as a table for the user and for resume.

| column | content |
| --- | --- |
| ``number`` | from 1, in the order paid |
| ``smiles`` | the molecule |
| one for each property | its value, empty where there is none |
| ``step`` | the step that drew the molecule; empty for a molecule of the data |
| ``failed`` | why a value is missing; empty where none is |
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from softdraw.molecules.errors import CheckpointError, OutputError
from softdraw.molecules.runtime.remarks import remark
from softdraw.molecules.storage.atomic import write_text
from softdraw.molecules.storage.journal import Journal, read_lines

__all__ = ["EVALUATIONS", "Evaluated", "EvaluationFile", "read_evaluations", "write_evaluations"]

EVALUATIONS = "evaluations.csv"
"""Its name, in the folder of the steering."""
LONGEST_REASON = 200


@dataclass(frozen=True)
class Evaluated:
    """What is known of a molecule.

    Attributes:
        values: of each property, NaN where there is none.
        reason: why the first of these has none; empty where all have.
        step: the step that drew it; None for a molecule of the data.
    """

    values: tuple[float, ...]
    reason: str = ""
    step: int | None = None

    @property
    def failed(self) -> bool:
        """Whether a value is missing."""
        return bool(np.isnan(self.values).any())


class EvaluationFile:
    """The file, open to be appended to.

    Args:
        path: the file.
        names: of the properties.
        resume: go on with what is there; without it the file begins anew, unless it holds evaluations.

    Attributes:
        found: what was there, by SMILES, in the order paid.

    Raises:
        CheckpointError: what is there is damaged, or of other properties.
        OutputError: it cannot be written, or would lose what was paid for.
    """

    def __init__(self, path: Path, names: Sequence[str], *, resume: bool = False) -> None:
        self.path, self.names = path, tuple(names)
        self.found: dict[str, Evaluated] = {}
        size = 0
        if resume:
            properties, self.found, size = _parsed(path)
            if size and properties != self.names:
                raise CheckpointError(
                    f"{path}: holds values of {', '.join(properties)}, and {', '.join(names)} was asked for"
                )
        elif path.is_file() and (paid := path.read_bytes().count(b"\n") - 1) > 0:
            raise OutputError(
                f"{path}: holds {paid:,} evaluations that were paid for; go on from them with resume=True, "
                "or move the file away"
            )
        self._journal = Journal(path, size)
        self._count = len(self.found)
        if not size:
            self._journal.append(_lines([_head(self.names)]))

    def append(self, smiles: str, evaluated: Evaluated) -> None:
        """A molecule that was just evaluated.

        Raises:
            OutputError: the disk is full.
        """
        self._count += 1
        self._journal.append(_lines([_row(self._count, smiles, evaluated)]))

    def sync(self) -> None:
        """Force all of it to disk.

        Raises:
            OutputError: the disk is full or gone.
        """
        self._journal.sync()

    def close(self) -> None:
        """Close the file."""
        self._journal.close()

    def rewrite(self, rows: Mapping[str, Evaluated]) -> None:
        """Close the file, and write it anew in this order: processes end in an order of their own.

        Raises:
            OutputError: it cannot be written; the file is as it was.
        """
        self.close()
        if list(rows) == list(_parsed(self.path)[1]):
            return
        write_evaluations(self.path, self.names, rows)


def write_evaluations(path: Path, names: Sequence[str], rows: Mapping[str, Evaluated]) -> None:
    """Write the whole table.

    Args:
        path: the file; its folder exists.
        names: of the properties.
        rows: by SMILES, what is known of it.

    Raises:
        OutputError: it cannot be written; an earlier file is as it was.
    """
    numbered = (_row(place, *row) for place, row in enumerate(rows.items(), 1))
    write_text(path, _lines([_head(names), *numbered]))


def read_evaluations(folder: Path) -> tuple[tuple[str, ...], dict[str, Evaluated]]:
    """What a steering paid for.

    Args:
        folder: of the steering.

    Returns:
        The names of the properties, and by SMILES what is known of it, in the order paid; nothing where
        there is no such file.

    Raises:
        CheckpointError: the file is damaged.

    Example:
        >>> read_evaluations(Path("no such folder"))
        ((), {})
    """
    properties, found, _ = _parsed(folder / EVALUATIONS)
    return properties, found


def _parsed(path: Path) -> tuple[tuple[str, ...], dict[str, Evaluated], int]:
    lines = read_lines(path)
    if lines.torn:
        remark(f"{path}: its last line was cut off and is dropped ({lines.torn[:60]!r})")
    rows = list(csv.reader(lines.whole))
    if not rows:
        return (), {}, 0
    head = rows[0]
    properties = tuple(head[2:-2])
    if head != _head(properties) or not properties:
        raise CheckpointError(
            f"{path}: line 1: got {lines.whole[0][:80]!r}, expected the heading of evaluations"
        )
    found: dict[str, Evaluated] = {}
    for number, row in enumerate(rows[1:], 2):
        try:
            if len(row) != len(head):
                raise ValueError(f"{len(row)} fields for {len(head)}")
            _, smiles, *values, step, reason = row
            numbers = tuple(float(value) if value else float("nan") for value in values)
            found.setdefault(smiles, Evaluated(numbers, reason, int(step) if step else None))
        except ValueError as error:
            raise CheckpointError(f"{path}: line {number}: damaged ({error})") from None
    return properties, found, lines.size


def _head(names: Iterable[str]) -> list[str]:
    return ["number", "smiles", *names, "step", "failed"]


def _row(number: int, smiles: str, evaluated: Evaluated) -> list[str]:
    values = ["" if np.isnan(value) else repr(value) for value in evaluated.values]
    step = "" if evaluated.step is None else str(evaluated.step)
    # one line for each molecule, whatever the error of a user's function says
    return [str(number), smiles, *values, step, " ".join(evaluated.reason.split())[:LONGEST_REASON]]


def _lines(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
