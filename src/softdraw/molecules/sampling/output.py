"""Drawn molecules as text: a list of SMILES, a table with properties, an SD file."""

import csv
import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rdkit import Chem, rdBase
from rdkit.Chem import rdDepictor

from softdraw.molecules.chemistry.codec import parse_smiles
from softdraw.molecules.chemistry.properties import PROPERTIES, evaluate, property_of
from softdraw.molecules.chemistry.property import Property

__all__ = ["FORMATS", "PLAIN", "SHOWN", "csv_lines", "format_of", "number", "written_molecules"]

PLAIN = "smi"
"""The format that holds SMILES and nothing else."""
SHOWN = tuple(one.name for one in PROPERTIES.values() if one.shown)
"""Properties that a table has when none is asked for."""
_CHUNK = 1000
"""Molecules whose properties are computed at a time."""


def format_of(path: str | os.PathLike[str]) -> str:
    """The format that a file's name asks for, before ``.gz`` if it ends so; SMILES where it says nothing.

    Example:
        >>> format_of("drawn.SDF.gz"), format_of("drawn.txt"), format_of("drawn.csv")
        ('sdf', 'smi', 'csv')
    """
    name = Path(path)
    if name.suffix.lower() == ".gz":
        name = name.with_suffix("")
    asked = name.suffix.lower().removeprefix(".")
    return asked if asked in FORMATS else PLAIN


def written_molecules(
    smiles: Sequence[str], form: str = PLAIN, properties: Sequence[str | Property] = SHOWN
) -> Iterator[str]:
    """Molecules in a format, in pieces of text.

    Args:
        smiles: ``""`` where a graph is no molecule: an empty line of a list, a row without values of a table,
            nothing in an SD file.
        form: ``"smi"`` (one SMILES a line), ``"csv"`` (a column ``smiles``, then one for each property) or
            ``"sdf"`` (a record for each molecule, with coordinates in the plane, its number among ``smiles``
            from 1 as its title, and its SMILES and properties as fields).
        properties: of a table or an SD file; empty where a property is undefined.

    Yields:
        Text.

    Raises:
        TargetError: there is no such property.

    Example:
        >>> print("".join(written_molecules(["CCO", ""], "csv", ["logp", "mw"])), end="")
        smiles,logp,mw
        CCO,-0.0014,46.069
        ,,
    """
    return FORMATS[form](smiles, [property_of(which) for which in properties])


def number(value: float) -> str:
    """A value in a table: six significant digits, nothing where it is undefined.

    Example:
        >>> number(46.06899999), number(float("nan"))
        ('46.069', '')
    """
    return "" if value != value else f"{value:.6g}"


def csv_lines(rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Rows as lines of a CSV file, quoted where a cell needs it.

    Example:
        >>> print("".join(csv_lines([("smiles", "note"), ("C", "a, b")])), end="")
        smiles,note
        C,"a, b"
    """
    for row in rows:
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(row)
        yield line.getvalue()


def _list(smiles: Sequence[str], properties: Sequence[Property]) -> Iterator[str]:
    return (f"{one}\n" for one in smiles)


def _table(smiles: Sequence[str], properties: Sequence[Property]) -> Iterator[str]:
    yield from csv_lines([("smiles", *(one.name for one in properties))])
    for chunk, values in _described(smiles, properties):
        yield from csv_lines((one, *map(number, row)) for one, row in zip(chunk, values, strict=True))


def _sd_file(smiles: Sequence[str], properties: Sequence[Property]) -> Iterator[str]:
    title = 0
    for chunk, values in _described(smiles, properties):
        text = io.StringIO()
        with rdBase.BlockLogs(), Chem.SDWriter(text) as writer:
            for one, row in zip(chunk, values, strict=True):
                title += 1
                mol = parse_smiles(one) if one else None
                if mol is None:
                    continue
                rdDepictor.Compute2DCoords(mol)
                mol.SetProp("_Name", str(title))
                mol.SetProp("SMILES", one)
                for record, value in zip(properties, row, strict=True):
                    mol.SetProp(record.name, number(value))
                writer.write(mol)
        yield text.getvalue()


def _described(
    smiles: Sequence[str], properties: Sequence[Property]
) -> Iterator[tuple[Sequence[str], list[tuple[float, ...]]]]:
    for start in range(0, len(smiles), _CHUNK):
        chunk = smiles[start : start + _CHUNK]
        columns = [evaluate(record, chunk).tolist() for record in properties]
        yield chunk, list(zip(*columns, strict=True)) if columns else [()] * len(chunk)


FORMATS: dict[str, Callable[[Sequence[str], Sequence[Property]], Iterator[str]]] = {
    PLAIN: _list,
    "csv": _table,
    "sdf": _sd_file,
}
"""How each format is written."""
