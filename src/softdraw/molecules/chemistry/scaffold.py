"""Parts of molecules that are given: what is drawn goes on from them."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rdkit import Chem, rdBase

from softdraw.molecules.chemistry.codec import Record, parse_smiles, plain, read_plain
from softdraw.molecules.errors import DataError

__all__ = ["Scaffold", "read_scaffold", "read_scaffolds"]

_MARK = "softdraw.attach"


@dataclass(frozen=True, eq=False)
class Scaffold:
    """A part that stays whole in every molecule drawn on from it.

    Attributes:
        text: as it was given.
        record: its SMILES, atoms and bonds, as ``codec.read_molecule`` gives them.
        open_places: for every atom, whether new atoms may be bonded to it.
        pattern: what is looked for in molecules.
    """

    text: str
    record: Record
    open_places: tuple[bool, ...]
    pattern: Chem.Mol

    def is_in(self, smiles: str) -> bool:
        """Whether a molecule holds it. The caller mutes RDKit."""
        mol = parse_smiles(smiles)
        return mol is not None and mol.HasSubstructMatch(self.pattern)


def read_scaffold(text: str) -> Scaffold:
    """A scaffold as SMILES, with or without attachment points.

    Args:
        text: SMILES of one fragment; a dummy atom (``[*]``, with or without a number) marks an atom that new
            atoms may be bonded to, in place of a hydrogen. Without any, every free valence is open. Stereo is
            dropped.

    Raises:
        DataError: it cannot be read, has several fragments, or no atom.

    Example:
        >>> scaffold = read_scaffold("[*]n1cccc1")
        >>> scaffold.record[0], scaffold.open_places.index(True)
        ('c1cc[nH]c1', 3)
    """
    with rdBase.BlockLogs():
        mol = parse_smiles(text)
        if mol is None:
            raise DataError(f"scaffold: got {text!r}, expected SMILES that RDKit can read")
        work = Chem.RWMol(mol)
        marked = False
        for atom in work.GetAtoms():
            if atom.GetAtomicNum():
                continue
            marked = True
            for near in atom.GetNeighbors():
                near.SetIntProp(_MARK, 1)
            atom.SetAtomicNum(1)  # what stands there is a hydrogen until something is drawn
            atom.SetIsotope(0)
            atom.SetAtomMapNum(0)
            atom.SetNoImplicit(True)
        if Chem.SanitizeMol(work, catchErrors=True) != Chem.SanitizeFlags.SANITIZE_NONE:
            raise DataError(f"scaffold: got {text!r}, which is no molecule with a hydrogen for every [*]")
        whole = plain(Chem.RemoveHs(work))
    if not whole.GetNumHeavyAtoms():
        raise DataError(f"scaffold: got {text!r}, expected at least one atom that is neither * nor hydrogen")
    pattern = Chem.Mol(whole)
    marks = [not marked or atom.HasProp(_MARK) > 0 for atom in whole.GetAtoms()]
    record = read_plain(whole)
    if "." in record[0]:
        raise DataError(f"scaffold: got {text!r} with several fragments, expected one")
    written = [int(place) for place in whole.GetProp("_smilesAtomOutputOrder")[1:-1].split(",") if place]
    return Scaffold(text, record, tuple(marks[place] for place in written), pattern)


def read_scaffolds(given: str | os.PathLike[str] | Scaffold | Iterable[str | Scaffold]) -> list[Scaffold]:
    """Scaffolds as a user names them: SMILES, a file with one in each line, or a list.

    Raises:
        DataError: one cannot be used; in a file, the message names its line.
    """
    if isinstance(given, Scaffold):
        return [given]
    if isinstance(given, str | os.PathLike):
        file = Path(given)
        if not _is_file(file):
            return [read_scaffold(os.fspath(given))]
        found = []
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            try:
                found.append(read_scaffold(words[0]))
            except DataError as error:
                raise DataError(f"{file}, line {number}: {error}") from None
        if not found:
            raise DataError(f"{file}: holds no scaffold, expected SMILES, one a line")
        return found
    found = [one if isinstance(one, Scaffold) else read_scaffold(one) for one in given]
    if not found:
        raise DataError("scaffold: got an empty list, expected SMILES")
    return found


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # SMILES may be longer than a name of a file may be
        return False
