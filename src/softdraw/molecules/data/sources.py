"""Where molecules come from: the embedded tables, QM9 from its public home, a user's file, a list of SMILES.

A source is read lazily, so that a set whose encoding is cached is neither parsed nor downloaded again.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rdkit import Chem

from softdraw.arguments import wrong_type
from softdraw.files import cache_folder
from softdraw.molecules.data.encoding import text_encoding
from softdraw.molecules.data.files import Asked, digest_of, how_read, rows_of
from softdraw.molecules.data.kinds import Meter
from softdraw.molecules.data.layout import ColumnError, Reading
from softdraw.molecules.data.standard_input import STANDARD_INPUT, spooled
from softdraw.molecules.errors import DataError, OptionError

__all__ = [
    "QM9_SHA256",
    "QM9_URL",
    "Row",
    "Source",
    "as_smiles",
    "has_column",
    "is_set",
    "listed_smiles",
    "open_source",
]

QM9_URL = "https://ndownloader.figshare.com/files/3195389"
"""QM9 as Ramakrishnan et al. published it: 133,885 ``.xyz`` files (doi 10.6084/m9.figshare.c.978904)."""

QM9_SHA256 = "3a63848ac80691bdb8d41834b575afad345b9300d7a2db0c38adb7f6eaa8360c"
"""The checksum that TensorFlow Datasets records for this archive (``datasets/qm9/checksums.tsv``)."""

Row = tuple[int, str | None]
"""Line number, counted from 1, and SMILES: empty where there is none, None where it cannot be read."""


@dataclass(frozen=True)
class Source:
    """Something that gives SMILES, line by line.

    Attributes:
        description: what to call it in a report.
        digest: changes when the content does.
        rows: reads it from the start.
        embedded: whether it is the embedded set, whose rules are stricter.
        reading: tells how a file is read: its column of SMILES, its encoding.
        meter: tells how far ``rows`` has come.
    """

    description: str
    digest: str
    rows: Callable[[], Iterator[Row]]
    embedded: bool = False
    reading: Callable[[], Reading] = Reading
    meter: Meter = field(default_factory=Meter)


def open_source(
    source: str | os.PathLike[str] | Iterable[Any],
    smiles_column: str | int | None = None,
    encoding: str | None = None,
) -> Source:
    """Find out what a user means by ``source``.

    Args:
        source: ``"chemicals"`` (the identifier tables of the PyPI package ``chemicals``), ``"qm9"``
            (downloaded once), the path of a file (``.smi``, ``.csv``, ``.tsv``, ``.sdf``; packed, too: see
            ``kinds.READERS``), ``"-"`` (standard input), or SMILES themselves (molecules of RDKit are taken
            too).
        smiles_column: of a file with several columns, the one with the SMILES, by its heading or its number
            from 1; by default it is found.
        encoding: of the text of a file, as Python names it; by default it is found.

    Returns:
        The source; a file is opened for its checksum only.

    Raises:
        DataError: there is no such file, it cannot be read or is empty, its kind is unknown, the list is
            empty, or a column or an encoding was named for what has none.

    Example:
        >>> source = open_source(["CCO", "C1CC1"])
        >>> source.description, list(source.rows())
        ('2 SMILES', [(1, 'CCO'), (2, 'C1CC1')])
    """
    if isinstance(source, str | os.PathLike) and not is_set(source):
        return _file(os.fspath(source), smiles_column, encoding)
    what = repr(source) if isinstance(source, str) else "a list"
    if smiles_column is not None:
        raise ColumnError(
            f"smiles_column: got {smiles_column!r}, expected None for {what}, which has no columns"
        )
    if encoding is not None:
        raise OptionError(f"encoding: got {encoding!r}, expected None for {what}, which is no file")
    if isinstance(source, str | os.PathLike):
        return _SETS[os.fspath(source)]()
    try:
        smiles = [as_smiles(entry) for entry in source]
    except TypeError:
        raise DataError(
            f"source: got {type(source).__name__}, expected 'chemicals', 'qm9', a path or a list of SMILES"
        ) from None
    if not smiles:
        raise DataError("source: got an empty list, expected SMILES")
    return _listed(smiles)


def is_set(source: str | os.PathLike[str]) -> bool:
    """Whether a source is known by its name, and no file.

    Example:
        >>> is_set("qm9"), is_set("qm9.smi")
        (True, False)
    """
    return os.fspath(source) in _SETS


def has_column(source: str | os.PathLike[str], smiles_column: str | int, encoding: str | None = None) -> bool:
    """Whether a source is a file with that column.

    Raises:
        DataError: the source cannot be read.
    """
    try:
        open_source(source, smiles_column, encoding).reading()
    except ColumnError:
        return False
    return True


def _file(name: str, smiles_column: str | int | None, encoding: str | None) -> Source:
    coded = None if encoding is None else text_encoding(encoding)
    path, shown = (spooled(), "standard input") if name == STANDARD_INPUT else (name, None)
    asked = Asked(smiles_column, coded, shown)
    digest = digest_of(path)
    if smiles_column is not None:
        digest += f"-{smiles_column!r}"
    if coded is not None:
        digest += f"-{coded}"
    meter = Meter()
    return Source(
        shown or name,
        digest,
        lambda: rows_of(path, asked, meter),
        reading=lambda: how_read(path, asked),
        meter=meter,
    )


def as_smiles(entry: Any) -> str:
    """An entry of a list as SMILES: what is neither text nor a molecule of RDKit is none.

    Example:
        >>> as_smiles(" CCO "), as_smiles(Chem.MolFromSmiles("OCC")), as_smiles(float("nan"))
        ('CCO', 'CCO', '')
    """
    if isinstance(entry, Chem.Mol):
        return Chem.MolToSmiles(entry)
    return entry.strip() if isinstance(entry, str) else ""


def listed_smiles(name: str, smiles: Iterable[Any]) -> list[str]:
    """The entries of a list as SMILES.

    Raises:
        TypeError: ``smiles`` is text, of which every letter would be a molecule, or no list.

    Example:
        >>> listed_smiles("samples", ["CCO", None])
        ['CCO', '']
    """
    if isinstance(smiles, str | bytes | os.PathLike) or not isinstance(smiles, Iterable):
        raise wrong_type(name, smiles, "a list of SMILES; those of a file: scoring.molecule_sets.read_set")
    return [as_smiles(entry) for entry in smiles]


def _listed(smiles: Sequence[str]) -> Source:
    digest = hashlib.sha256()
    for entry in smiles:
        digest.update(entry.encode(errors="replace") + b"\n")
    meter = Meter()

    def rows() -> Iterator[Row]:
        for line, entry in enumerate(smiles, 1):
            yield line, entry
            if line % 1000 == 0:
                meter.tell(line / len(smiles))

    return Source(f"{len(smiles)} SMILES", digest.hexdigest(), rows, meter=meter)


def _chemicals() -> Source:
    """The tables are read as plain files: of the package's own loader only the SMILES would be needed."""
    spec = importlib.util.find_spec("chemicals")
    folder = Path(spec.origin).parent / "Identifiers" if spec is not None and spec.origin else None
    tables = sorted(folder.glob("*.tsv")) if folder is not None else []
    if not tables:
        raise DataError("chemicals: the package or its tables are missing; pip install 'softdraw[molecules]'")
    digest = hashlib.sha256("".join(digest_of(table) for table in tables).encode()).hexdigest()
    version = importlib.metadata.version("chemicals")

    def rows() -> Iterator[Row]:
        """Line numbers go on from table to table; the fifth column holds the SMILES of a compound, if any."""
        line = 0
        for table in tables:
            with table.open(encoding="utf-8", newline="\n") as lines:
                for text in lines:
                    line += 1
                    columns = text.rstrip("\r\n").split("\t", 5)
                    yield line, columns[4].strip() if len(columns) > 4 else ""

    return Source(f"PubChem compounds of the package chemicals {version}", digest, rows, embedded=True)


def _qm9_rows() -> Iterator[Row]:
    """The SMILES that stand on the last line but one of each ``.xyz`` file: as in GDB-17, then as relaxed."""
    with tarfile.open(fetch_qm9(), "r:*") as archive:
        for number, member in enumerate(archive, 1):
            content: Any = archive.extractfile(member)
            if content is None:
                continue
            lines = content.read().decode("ascii", errors="replace").splitlines()
            atoms = int(lines[0]) if lines and lines[0].strip().isdigit() else len(lines)
            smiles = lines[atoms + 3].split() if len(lines) > atoms + 3 else []
            yield number, smiles[0] if smiles else ""


def fetch_qm9() -> str:
    """Download the archive of QM9 (86 MB) into pooch's cache, or find it there.

    Returns:
        Its path.

    Raises:
        DataError: there is no network, or what came has another checksum.
    """
    import pooch

    try:
        return str(
            pooch.retrieve(
                QM9_URL,
                known_hash=f"sha256:{QM9_SHA256}",
                fname="dsgdb9nsd.xyz.tar.bz2",
                path=cache_folder(),
                progressbar=False,
            )
        )
    except ValueError as error:
        raise DataError(
            f"qm9: {QM9_URL} gave a file with another checksum; nothing was kept ({error})"
        ) from error
    except Exception as error:  # the transport's own errors: requests, urllib3, ssl, the file system
        raise DataError(
            f"qm9: cannot download {QM9_URL} ({type(error).__name__}). Without a network, give a "
            "file of SMILES instead: --data FILE"
        ) from error


def _qm9() -> Source:
    return Source("QM9", QM9_SHA256, _qm9_rows)


_SETS: dict[str, Callable[[], Source]] = {"chemicals": _chemicals, "qm9": _qm9}
"""What is known by name."""
