"""Where the SMILES stand in a table or a list: which separator, which column, whether there is a heading."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rdkit import rdBase

from softdraw.arguments import wrong_type
from softdraw.molecules.chemistry.codec import parse_smiles
from softdraw.molecules.errors import DataError, OptionError

__all__ = [
    "BLANKS",
    "SEPARATORS",
    "ColumnError",
    "Layout",
    "Reading",
    "cells_of",
    "find_layout",
    "shown",
    "widest",
]

BLANKS = " "
"""Any run of blanks and tabs."""
SEPARATORS = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "bars", BLANKS: "blanks"}
"""What may stand between columns, and its name."""
_QUOTES = "\"'"
_FEW = 0.2
"""A first word that is a molecule in this share of the lines is the SMILES, whatever else reads as one: lists
of SMILES may hold many that are none."""
_MOST = 0.5
"""A column is taken for the SMILES by its content if it reads as molecules in this share of the lines."""


class ColumnError(OptionError):
    """A column was asked for that is not there."""


@dataclass(frozen=True)
class Layout:
    """Where the SMILES of a line stand.

    Attributes:
        separator: one of ``SEPARATORS``.
        column: counted from 0; -1 is the last.
        heading: what the first line calls the column; None where the first line is a molecule.
        columns: of the first line.
        plain: whether this is what anyone would expect of such a file, so that nothing need be said of it.
    """

    separator: str
    column: int
    heading: str | None = None
    columns: int = 0
    plain: bool = False

    def __str__(self) -> str:
        """For people: empty where nothing need be said."""
        if self.plain:
            return ""
        place = "the last column" if self.column < 0 else f"column {self.column + 1}"
        named = "" if self.heading is None else f" {self.heading!r}"
        cut = f", separated by {SEPARATORS[self.separator]}" if self.columns > 1 else ""
        return f"SMILES in {place}{named}{cut}"

    def cell(self, row: Sequence[str]) -> str:
        """The SMILES of a row, empty where it is too short; what extends them, in bars, is dropped."""
        if self.column >= len(row) or not row:
            return ""
        return row[self.column].strip().strip(_QUOTES).partition(" |")[0].strip()

    def extended(self, row: Sequence[str]) -> bool:
        """Whether the SMILES of a row are followed by an extension in bars (CXSMILES).

        Example:
            >>> lines = ("C[C@H](N)F |&1:1| racemic", "CCO ethanol", "CCO")
            >>> [Layout(BLANKS, 0).extended(line.split()) for line in lines]
            [True, False, False]
        """
        if self.separator == BLANKS:
            return 0 <= self.column < len(row) - 1 and row[self.column + 1].startswith("|")
        return self.column < len(row) and " |" in row[self.column]


def cells_of(line: str, separator: str) -> list[str]:
    """A line, cut into cells."""
    if separator == BLANKS:
        return line.split()
    return [cell.strip() for cell in next(csv.reader([line], delimiter=separator), [])]


@dataclass(frozen=True)
class Reading:
    """How a file is read.

    Attributes:
        layout: where the SMILES stand; None for an SD file.
        encoding: of the text; empty for UTF-8.
        first: the first line that is no blank line, comment or heading, as it stands there.
        extended: whether SMILES are followed by an extension (CXSMILES), which is dropped.
    """

    layout: Layout | None = None
    encoding: str = ""
    first: str = ""
    extended: bool = False

    def __str__(self) -> str:
        """For people: empty where nothing need be said."""
        parts = [str(self.layout or ""), self.encoding and f"read as {self.encoding}"]
        parts.append("extensions in |...| dropped" if self.extended else "")
        return ", ".join(part for part in parts if part)

    def advice(self, counts: Mapping[str, int], read: int) -> list[str]:
        """What to look at when none of ``read`` molecules could be read; nothing for other reasons."""
        if not self.first or counts.get("unreadable", 0) + counts.get("no SMILES", 0) < read:
            return []
        return [
            f"  the first line is {shown(self.first)}, of which {shown(self.taken)} was read as SMILES; if "
            "they stand elsewhere, name their column with smiles_column (--smiles-column), by its heading or "
            "its number from 1"
        ]

    @property
    def taken(self) -> str:
        """What was read as SMILES in that line."""
        return self.layout.cell(cells_of(self.first, self.layout.separator)) if self.layout else ""


def find_layout(lines: Sequence[str], *, table: bool, column: str | int | None, name: str) -> Layout:
    """Find the column of SMILES.

    With ``column``, it is that one. Else it is the column whose heading is, or holds, the word SMILES in any
    case. A table without such a heading is refused, unless its first line is a molecule too; a list
    (``table=False``) holds SMILES in its first word, as is the custom, unless hardly any first word is a
    molecule and another column, cut by tabs, commas, semicolons, bars or blanks, holds them.

    Args:
        lines: the first ones, without blank lines and comments; at least one.
        table: whether a heading and separators are the rule, as in a ``.csv`` file.
        column: a heading, or a number from 1; a number as text is one where no heading reads so.
        name: of the file, for messages.

    Raises:
        ColumnError: there is no such column.
        DataError: a table without a column of SMILES.
        TypeError: ``column`` is neither text nor a number.

    Example:
        >>> str(find_layout(["id;smiles", "1;CCO"], table=True, column=None, name="a.csv"))
        "SMILES in column 2 'smiles', separated by semicolons"
        >>> str(find_layout(["ethanol,CCO", "propane,CCC"], table=False, column=None, name="a.smi"))
        'SMILES in column 2, separated by commas'
    """
    with rdBase.BlockLogs():
        if column is not None:
            return _named(lines, table, column, name)
        headed = _headed(lines[0], table)
        if headed is not None:
            return headed
        return _by_content_of_table(lines, name) if table else _by_content_of_list(lines)


def _headed(first: str, table: bool) -> Layout | None:
    """The column whose heading says SMILES."""
    separator = widest(first)
    if not table and len(cells_of(first, separator)) == 1:
        separator = BLANKS
    cells = cells_of(first, separator)
    columns = [cell.lower() for cell in cells]
    named = [cell for cell in columns if "smiles" in cell]
    # in a list, the name of a molecule may hold that word
    if not named or not (table or "smiles" in columns or "smiles" in columns[0] or not _reads(cells[0])):
        return None
    index = columns.index("smiles" if "smiles" in named else named[0])
    plain = len(columns) == 1 or (not table and separator == BLANKS and index == 0)
    return Layout(separator, index, cells[index], len(columns), plain)


def widest(line: str) -> str:
    """The separator that cuts a heading into most cells; blanks only stand for themselves."""
    return max((mark for mark in SEPARATORS if mark != BLANKS), key=lambda mark: len(cells_of(line, mark)))


def _named(lines: Sequence[str], table: bool, column: str | int, name: str) -> Layout:
    if isinstance(column, bool) or not isinstance(column, str | int):
        raise wrong_type("smiles_column", column, "a heading or a number from 1")
    wanted = str(column).strip().lower()
    layouts = []
    for mark in SEPARATORS:
        heads = cells_of(lines[0], mark)
        lowered = [cell.strip(_QUOTES).lower() for cell in heads]
        if isinstance(column, str) and wanted in lowered:
            index = lowered.index(wanted)
            layouts.append(Layout(mark, index, heads[index], len(heads)))
    if not layouts and wanted.isdecimal() and int(wanted) > 0:
        index = int(wanted) - 1
        for mark in SEPARATORS:
            heads = cells_of(lines[0], mark)
            if index < len(heads):
                headed = not _reads(heads[index]) if table else "smiles" in lines[0].lower()
                layouts.append(Layout(mark, index, heads[index] if headed else None, len(heads)))
    if layouts:
        # of those that give most molecules the first: blanks come last, since a name may hold them
        return max(layouts, key=lambda layout: _count(lines, layout.separator, layout.column))
    raise ColumnError(
        f"{name}: smiles_column: got {column!r}, expected a heading or a number from 1 for the first line "
        f"{shown(lines[0])}"
    )


def _by_content_of_table(lines: Sequence[str], name: str) -> Layout:
    count, mark, index = max(
        _counts(lines, list(SEPARATORS)), key=lambda entry: entry[0], default=(0, ",", 0)
    )
    enough = count >= _MOST * (len(lines) - 1) and count > 0
    heads = cells_of(lines[0], mark)
    if enough and 0 <= index < len(heads) and _reads(heads[index]):
        return Layout(mark, index, columns=len(heads))
    hint = f"; column {index + 1} reads like SMILES" if enough and index >= 0 else ""
    raise DataError(
        f"{name}: no column of SMILES among the headings {shown(lines[0])}{hint}; name it with smiles_column "
        "(--smiles-column), by its heading or its number from 1"
    )


def _by_content_of_list(lines: Sequence[str]) -> Layout:
    usual = Layout(BLANKS, 0, plain=True)
    if _count(lines, BLANKS, 0) >= _FEW * len(lines):
        return usual
    counts = _counts(lines, [*(mark for mark in SEPARATORS if mark != BLANKS), BLANKS])
    count, mark, index = max(counts, key=lambda entry: entry[0], default=(0, BLANKS, 0))
    if count < _MOST * len(lines):
        return usual
    return Layout(mark, index, columns=len(cells_of(lines[0], mark)))


def _counts(lines: Sequence[str], marks: Sequence[str]) -> list[tuple[int, str, int]]:
    """How many lines hold a molecule, for every separator and column; for blanks, in the last word too."""
    counts = []
    for mark in marks:
        width = max(len(cells_of(line, mark)) for line in lines)
        indices = [*range(width), *([-1] if mark == BLANKS else [])]
        counts += [(_count(lines, mark, index), mark, index) for index in indices]
    return counts


def _count(lines: Sequence[str], mark: str, index: int) -> int:
    probe = Layout(mark, index)
    return sum(_reads(probe.cell(cells_of(line, mark))) for line in lines)


def _reads(cell: str) -> bool:
    if not cell or "\0" in cell:
        return False
    mol = parse_smiles(cell)
    return mol is not None and mol.GetNumHeavyAtoms() > 0


def shown(line: str) -> str:
    """The beginning of a line, for a message."""
    line = line.strip()
    return repr(line if len(line) <= 80 else line[:77] + "...")
