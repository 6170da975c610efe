"""Sets of molecules that are scored or compared with, read with an account of what is no molecule."""

import os
from dataclasses import dataclass

from rdkit import rdBase

from softdraw.molecules.data.account import Account, Tally
from softdraw.molecules.data.sources import open_source
from softdraw.molecules.errors import DataError
from softdraw.molecules.scoring.canonical import INVALID, read_sample

__all__ = ["MoleculeSet", "read_known", "read_set"]


@dataclass(frozen=True)
class MoleculeSet:
    """Molecules as a source gives them.

    Attributes:
        smiles: as they stand there, ``""`` where there is none or it cannot be read.
        canonical: of the valid ones, as ``canonical_smiles`` writes them.
        account: how many are valid, and why the others are not.
        advice: what to look at where none could be read.
    """

    smiles: list[str]
    canonical: list[str]
    account: Account
    advice: list[str]


def read_set(
    source: str | os.PathLike[str],
    smiles_column: str | int | None = None,
    encoding: str | None = None,
    *,
    fragments: str = "drop",
) -> MoleculeSet:
    """Read molecules by the rules of the scores: valid is what RDKit reads without repair, in one fragment.

    Args:
        source: a file of molecules, ``"chemicals"`` or ``"qm9"``.
        smiles_column: the column of SMILES in a file with several; by default it is found.
        encoding: of the text of a file, as Python names it; by default it is found.
        fragments: ``"largest"`` keeps the largest fragment of several, as data is read with that word.

    Raises:
        DataError: the source cannot be read.
    """
    origin = open_source(source, smiles_column, encoding)
    smiles, canonical, tally, parted = [], [], Tally(), 0
    with rdBase.BlockLogs():
        for line, one in origin.rows():
            smiles.append(one or "")
            entry = read_sample(one) if one else "unreadable" if one is None else "no SMILES"
            if one and entry == "several fragments" and fragments == "largest":
                entry, parted = read_sample(one, largest=True), parted + 1
            if isinstance(entry, str):
                tally.leave_out(entry, line)
            else:
                canonical.append(entry[0])
    reading = origin.reading()
    dropped, read, used = tally.dropped(INVALID), len(smiles), len(canonical)
    account = Account(origin.description, str(reading), read, used, dropped, parted=parted)
    return MoleculeSet(smiles, canonical, account, reading.advice(tally.counts, len(smiles)))


def read_known(
    name: str,
    source: str | os.PathLike[str],
    smiles_column: str | int | None = None,
    encoding: str | None = None,
    *,
    fragments: str = "drop",
    least: int = 1,
) -> MoleculeSet:
    """``read_set`` for what samples are compared with: refuses a set too small to say anything.

    Args:
        name: of the set, for messages.
        source: as for ``read_set``.
        smiles_column: as for ``read_set``.
        encoding: as for ``read_set``.
        fragments: as for ``read_set``.
        least: molecules that are needed.

    Raises:
        DataError: the source cannot be read, or holds fewer than ``least`` valid molecules.
    """
    known = read_set(source, smiles_column, encoding, fragments=fragments)
    if len(known.canonical) < least:
        wanted = "at least 1 molecule" if least == 1 else f"at least {least} molecules"
        heading = f"{name}: got {len(known.canonical)} of {len(known.smiles)}, expected {wanted}"
        raise DataError("\n".join([heading, *known.account.lines(), *known.advice]))
    return known
