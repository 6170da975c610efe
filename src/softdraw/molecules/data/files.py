"""Files of molecules, read line by line: lists of SMILES, tables with a column of them, SD files."""

import csv
import hashlib
import itertools
import lzma
import os
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rdkit import Chem, rdBase

from softdraw.molecules.data.encoding import NOT_TEXT, open_text, text_encoding
from softdraw.molecules.data.kinds import Meter, form_of, refused
from softdraw.molecules.data.layout import (
    BLANKS,
    ColumnError,
    Layout,
    Reading,
    cells_of,
    find_layout,
    widest,
)
from softdraw.molecules.errors import DataError

__all__ = ["Asked", "digest_of", "how_read", "read_rows", "reading_of", "rows_of"]

Row = tuple[int, str | None]

_SAMPLED = 100
"""Lines by which the column of SMILES is found."""
_LONGEST_ROW = 100
"""Lines of a table that one row may span: more come from a quote that is never closed."""
_DIRECTIVE = re.compile(r"\"?sep=.\"?", re.IGNORECASE)
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+):/+", re.IGNORECASE)


@dataclass(frozen=True)
class Asked:
    """How a user wants a file to be read; what he leaves open is found.

    Attributes:
        column: of SMILES, by its heading or its number from 1.
        encoding: of the text, as ``encoding.text_encoding`` gives it.
        name: of the file, for messages; its path by default.
    """

    column: str | int | None = None
    encoding: str | None = None
    name: str | None = None


def read_rows(
    path: str | os.PathLike[str],
    smiles_column: str | int | None = None,
    encoding: str | None = None,
) -> Iterator[Row]:
    """The molecules of a file.

    The kind of the file is told by its suffix (``kinds.READERS``), that of packing aside; the separator, the
    column and the encoding by its content (see ``layout.find_layout``, ``encoding.encoding_of``).

    Args:
        path: the file.
        smiles_column: the column of SMILES, by its heading or its number from 1; by default it is found.
        encoding: of the text, as Python names it; by default it is found.

    Yields:
        The number of the line on which the molecule stands, from 1, and its SMILES: empty for a
        blank line or cell, None for a record of an SD file that RDKit cannot read.

    Raises:
        DataError: the file is missing, unreadable, empty, not text, of an unknown kind, or a table without a
            column of SMILES or without the one asked for.
    """
    return rows_of(path, Asked(smiles_column, None if encoding is None else text_encoding(encoding)))


def rows_of(path: str | os.PathLike[str], asked: Asked, meter: Meter | None = None) -> Iterator[Row]:
    """``read_rows`` for what is asked, with a meter that is told how far it has come."""
    file = _local(path)
    empty = True
    with _open(file, asked, meter) as (_, rows):
        for row in rows:
            empty = False
            yield row
        if empty:
            raise DataError(f"{asked.name or file}: holds no molecule, the file is empty")


def reading_of(
    path: str | os.PathLike[str], smiles_column: str | int | None = None, encoding: str | None = None
) -> Reading:
    """How ``read_rows`` would read a file, told from its first lines and, for the encoding, all of its bytes.

    Raises:
        DataError: as for ``read_rows``.
    """
    return how_read(path, Asked(smiles_column, None if encoding is None else text_encoding(encoding)))


def how_read(path: str | os.PathLike[str], asked: Asked) -> Reading:
    """``reading_of`` for what is asked."""
    with _open(_local(path), asked) as (reading, _):
        return reading


def digest_of(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file's content, with its kind, since that decides how it is read.

    Raises:
        DataError: the file is missing, unreadable, empty or of an unknown kind.
    """
    file = _local(path)
    form = form_of(file)
    try:
        if not file.stat().st_size:
            raise DataError(f"{file}: the file is empty, expected molecules")
        with file.open("rb") as content:
            return f"{hashlib.file_digest(content, 'sha256').hexdigest()}-{form}"
    except OSError as error:
        raise refused(file, error) from error


@contextmanager
def _open(file: Path, asked: Asked, meter: Meter | None = None) -> Iterator[tuple[Reading, Iterator[Row]]]:
    """How a file is read, and its rows; every failure as a ``DataError``."""
    name, form, column = asked.name or str(file), form_of(file), asked.column
    try:
        with open_text(file, asked.encoding, meter) as (text, encoding):
            if form == "SD file":
                if column is not None:
                    raise ColumnError(f"{name}: smiles_column: got {column!r}, expected None for an SD file")
                yield Reading(None, encoding), _sd_file(text, name)
                return
            head, sample = _sample(text, name, table=form == "table")
            lines = itertools.chain(head, text)
            if not sample:
                yield (
                    Reading(None, encoding),
                    (_list(lines, Layout(BLANKS, 0), name) if form == "list" else iter(())),
                )
                return
            layout = find_layout(sample, table=form == "table", column=column, name=name)
            rows = _table(lines, layout, name) if form == "table" else _list(lines, layout, name)
            molecules = sample[layout.heading is not None :]
            extended = any(layout.extended(cells_of(line, layout.separator)) for line in molecules)
            yield Reading(layout, encoding, molecules[0].strip() if molecules else "", extended), rows
    except UnicodeError as error:
        if asked.encoding is None:
            raise DataError(f"{name}: {NOT_TEXT}") from None
        raise DataError(
            f"{name}: is no text in the encoding {asked.encoding} ({error}); leave the encoding to be found, "
            "or name another"
        ) from None
    except (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise refused(file, error) from error
    except csv.Error as error:
        raise DataError(f"{name}: not a table ({error})") from error


def _local(path: str | os.PathLike[str]) -> Path:
    """The path of a file here. Of an address, a Path has eaten a slash: it is shown with both."""
    name = os.fspath(path)
    address = _ADDRESS.match(name)
    if address and not Path(name).exists():
        raise DataError(
            f"{address[1]}://{name[address.end() :]}: is an address, expected a file on this machine: "
            "download it first, and give the path of what came"
        )
    return Path(name)


def _sample(text: IO[str], name: str, *, table: bool) -> tuple[list[str], list[str]]:
    """The first lines, and those of them that say something; what stands before a table is made blank."""
    head: list[str] = []
    said: list[int] = []
    for number, line in enumerate(text):
        _check_text(line, name)
        head.append(line)
        if line.strip() and (table or not line.lstrip().startswith("#")):
            said.append(number)
            if len(said) == _SAMPLED:
                break
    if table:
        heading = next((head[number] for number in said if not head[number].startswith("#")), "")
        while said and _stands_before(head[said[0]], heading):
            head[said.pop(0)] = "\n"
    return head, [head[number].rstrip("\r\n") for number in said]


def _stands_before(line: str, other: str) -> bool:
    """Whether a line is no heading: a comment unlike the others, or the separator as spreadsheets name it."""
    if _DIRECTIVE.fullmatch(line.strip()):
        return True
    if not line.startswith("#") or not other or "smiles" in line.lower():
        return False
    mark = widest(other)
    return "smiles" in other.lower() or len(cells_of(line, mark)) < len(cells_of(other, mark))


def _list(lines: Iterable[str], layout: Layout, name: str) -> Iterator[Row]:
    """One molecule a line; a blank one has no SMILES. Comments (``#``) and the heading are skipped."""
    heading = layout.heading is not None
    for number, line in enumerate(lines, 1):
        _check_text(line, name)
        line = line.strip("\r\n" if layout.separator == "\t" else None)
        if not line.strip():
            yield number, ""
        elif line.lstrip().startswith("#"):
            continue
        elif heading:
            heading = False
        else:
            yield number, layout.cell(cells_of(line, layout.separator))


def _table(lines: Iterable[str], layout: Layout, name: str) -> Iterator[Row]:
    """One molecule a row; blank rows and the heading are skipped."""
    if layout.separator == BLANKS:
        yield from (row for row in _list(lines, layout, name) if row[1])
        return
    heading = layout.heading is not None
    reader = csv.reader(lines, delimiter=layout.separator)
    before = 0
    for row in reader:
        lines_of_row = reader.line_num - before
        if lines_of_row > _LONGEST_ROW:
            raise DataError(
                f"{name}: the row in line {before + 1} spans {lines_of_row} lines: is a quote left open?"
            )
        before = reader.line_num
        if not any(row):
            continue
        if heading:
            heading = False
            continue
        cell = layout.cell(row)
        _check_text(cell, name)
        yield reader.line_num, cell


def _sd_file(text: IO[str], name: str) -> Iterator[Row]:
    """Records end with ``$$$$``; the number is that of a record's first line."""
    block: list[str] = []
    start = 1
    for number, line in enumerate(text, 1):
        _check_text(line, name)
        if line.startswith("$$$$"):
            yield start, _smiles_of(block)
            block, start = [], number + 1
        else:
            block.append(line)
    if any(line.strip() for line in block):
        yield start, _smiles_of(block)


def _smiles_of(block: list[str]) -> str | None:
    with rdBase.BlockLogs():
        mol = Chem.MolFromMolBlock("".join(block))
        return Chem.MolToSmiles(mol) if mol is not None else None


def _check_text(line: str, name: str) -> None:
    if "\0" in line:
        raise DataError(f"{name}: {NOT_TEXT}")
