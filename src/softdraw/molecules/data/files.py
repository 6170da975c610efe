"""Files of molecules, read line by line: lists of SMILES, tables with a column of them, SD files."""

import csv
import gzip
import hashlib
import io
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from rdkit import Chem, rdBase

from softdraw.molecules.errors import DataError

__all__ = ["READERS", "digest_of", "read_rows"]

_DELIMITERS = ("\t", ",", ";")


def read_rows(path: str | os.PathLike[str]) -> Iterator[tuple[int, str | None]]:
    """The molecules of a file.

    The kind of the file is told by its suffix (``READERS``), after ``.gz`` if there is one.

    Args:
        path: the file.

    Yields:
        The number of the line on which the molecule stands, from 1, and its SMILES: empty for a
        blank line or cell, None for a record of an SD file that RDKit cannot read.

    Raises:
        DataError: the file is missing, unreadable, empty, not text, of an unknown kind, or a table without a
            column of SMILES.
    """
    file = Path(path)
    reader = _reader_of(file)
    empty = True
    try:
        with _open_text(file) as lines:
            for row in reader(lines, str(file)):
                empty = False
                yield row
    except UnicodeDecodeError:
        raise DataError(f"{file}: not a text file, expected molecules as UTF-8 text") from None
    except (OSError, EOFError, zlib.error) as error:
        raise _refuse(file, error) from error
    except csv.Error as error:
        raise DataError(f"{file}: not a table ({error})") from error
    if empty:
        raise DataError(f"{file}: holds no molecule, the file is empty")


def digest_of(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file's content, with its suffixes, since they decide how it is read.

    Raises:
        DataError: the file is missing, unreadable, empty or of an unknown kind.
    """
    file = Path(path)
    kind = _reader_of(file).__name__
    try:
        if not file.stat().st_size:
            raise DataError(f"{file}: the file is empty, expected molecules")
        with file.open("rb") as content:
            return f"{hashlib.file_digest(content, 'sha256').hexdigest()}-{kind}"
    except OSError as error:
        raise _refuse(file, error) from error


def _refuse(file: Path, error: Exception) -> DataError:
    if isinstance(error, FileNotFoundError):
        return DataError(f"{file}: no such file; expected a file of molecules, 'chemicals' or 'qm9'")
    if isinstance(error, IsADirectoryError):
        return DataError(f"{file}: is a folder, expected a file of molecules")
    if isinstance(error, PermissionError):
        return DataError(f"{file}: no permission to read it")
    if isinstance(error, EOFError | zlib.error | gzip.BadGzipFile):
        return DataError(f"{file}: damaged or no gzip file ({error})")
    return DataError(f"{file}: cannot be read ({error})")


@contextmanager
def _open_text(file: Path) -> Iterator[IO[str]]:
    with (
        gzip.open(file, "rb") if file.suffix.lower() == ".gz" else file.open("rb") as content,
        io.TextIOWrapper(content, encoding="utf-8-sig", newline="") as text,
    ):
        yield text


def _reader_of(file: Path) -> Callable[[IO[str], str], Iterator[tuple[int, str | None]]]:
    suffixes = [suffix.lower() for suffix in file.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    kind = suffixes[-1] if suffixes else ""
    if kind not in READERS:
        # a missing file with an odd name is a typing error or a misspelt source: say that first
        if not file.exists():
            raise _refuse(file, FileNotFoundError())
        if file.is_dir():
            raise _refuse(file, IsADirectoryError())
        raise DataError(
            f"{file}: unknown kind {kind or 'without a suffix'}; expected "
            f"{', '.join(READERS)}, or these with .gz"
        )
    return READERS[kind]


def _lines(text: IO[str], name: str) -> Iterator[tuple[int, str | None]]:
    """One molecule a line; what follows a blank is its name. Comments (``#``) and a heading are skipped."""
    for number, line in enumerate(text, 1):
        _check_text(line, name)
        words = line.split(None, 1)
        if not words:
            yield number, ""
        elif not (words[0].startswith("#") or (number == 1 and "smiles" in words[0].lower())):
            yield number, words[0]


def _table(text: IO[str], name: str) -> Iterator[tuple[int, str | None]]:
    """The column whose heading is, or holds, the word SMILES in any case."""
    heading = text.readline()
    _check_text(heading, name)
    # a heading that holds no comma is still one cell of a table with commas: take what splits it most
    delimiter, columns = max(
        ((mark, _cells(heading, mark)) for mark in _DELIMITERS), key=lambda found: len(found[1])
    )
    named = [cell for cell in columns if "smiles" in cell]
    if not named:
        raise DataError(f"{name}: no column of SMILES among the headings {heading.strip()[:80]!r}")
    place = columns.index("smiles" if "smiles" in named else named[0])
    reader = csv.reader(text, delimiter=delimiter)
    for row in reader:
        if any(row):
            cell = row[place].strip() if place < len(row) else ""
            _check_text(cell, name)
            yield reader.line_num + 1, cell


def _cells(heading: str, delimiter: str) -> list[str]:
    return [cell.strip().lower() for cell in next(csv.reader([heading], delimiter=delimiter), [])]


def _sd_file(text: IO[str], name: str) -> Iterator[tuple[int, str | None]]:
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
        raise DataError(f"{name}: not a text file, expected molecules as UTF-8 text")


READERS: dict[str, Callable[[IO[str], str], Iterator[tuple[int, str | None]]]] = {
    ".smi": _lines,
    ".smiles": _lines,
    ".txt": _lines,
    ".csv": _table,
    ".tsv": _table,
    ".sdf": _sd_file,
    ".sd": _sd_file,
}
"""How files are read, by suffix."""
