"""Molecules to learn from: read, filtered, encoded, cached, with an account of what was left out."""

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rdkit import rdBase

from softdraw.molecules.chemistry.codec import CODEC_VERSION, Record
from softdraw.molecules.data.account import Account, Dropped, Tally
from softdraw.molecules.data.filters import REASONS, MoleculeFilter, Rules
from softdraw.molecules.data.graphs import GraphSet
from softdraw.molecules.data.sources import Source, open_source
from softdraw.molecules.errors import DataError, OutputError
from softdraw.molecules.runtime.remarks import remark
from softdraw.molecules.storage.arrays import as_bytes, as_text, read_arrays, write_arrays

__all__ = ["Dataset", "Dropped", "cache_folder", "dataset_of", "load"]

EMBEDDED_ELEMENTS = ("C", "N", "O", "F")
EMBEDDED_MAX_ATOMS = 12
FILE_MAX_ATOMS = 40


@dataclass(frozen=True, eq=False)
class Dataset:
    """A set of molecules, ready to learn from.

    Attributes:
        graphs: the molecules that are used.
        dropped: by reason, those that are not.
        description: where they come from.
        read: molecules read, used or not.
        stereo: usable molecules that had stereo marks, which are dropped; duplicates are counted too.
        reading: how the source was read (its column of SMILES, its encoding), where that needs to be said.
        digest: of the source: changes when its content does.
    """

    graphs: GraphSet
    dropped: dict[str, Dropped]
    description: str
    read: int
    stereo: int = 0
    reading: str = ""
    digest: str = ""

    def __len__(self) -> int:
        return len(self.graphs)

    def account(self) -> str:
        """What was read, used and left out, one line for each reason."""
        return "\n".join(self._account.lines())

    def summary(self) -> str:
        """The same in one line, without the lines of the source.

        Example:
            >>> print(load(["C[C@H](N)O", "C[C@@H](N)O", "CC("], cache=None).summary())
            3 SMILES: 1 of 3 molecules are used; left out: 1 unreadable, 1 stereoisomer; 2 had stereo marks,
            which are dropped: 1 became duplicates by that
        """
        return str(self._account)

    @property
    def _account(self) -> Account:
        return Account(self.description, self.reading, self.read, len(self), self.dropped, self.stereo)


def load(
    source: Source | str | os.PathLike[str] | Iterable[Any],
    *,
    elements: Sequence[str] | None = None,
    max_atoms: int | None = None,
    smiles_column: str | int | None = None,
    cache: str | os.PathLike[str] | Literal["user"] | None = "user",
) -> Dataset:
    """Read molecules, keep those that a graph can stand for, and encode them.

    A molecule is left out, and counted by the first of these that holds: there is no SMILES, or RDKit cannot
    read it; it has no atom but hydrogen, several fragments, more than ``max_atoms`` heavy atoms, a dummy atom
    (``*``), an isotope label (deuterium is one), an element not asked for, unpaired electrons, or (in the
    embedded set only) a charged atom; a bond that is neither single, double, triple nor aromatic, or a
    hydrogen between two atoms; its graph does not decode to its own SMILES; it came before, in other stereo
    (``"stereoisomer"``) or the same. Stereo is dropped throughout, and ``Dataset.stereo`` counts where.

    Args:
        source: ``"chemicals"`` (the embedded set), ``"qm9"``, a file's path, SMILES or RDKit molecules (see
            ``open_source``), or what ``open_source`` gave, which is then not hashed again.
        elements: symbols of the elements allowed; by default C, N, O, F in the embedded set, all elsewhere.
        max_atoms: heavy atoms of the largest molecule allowed; by default 12 in the embedded set, 40
            elsewhere.
        smiles_column: of a table or a list with several columns, the one with the SMILES, by its heading or
            its number from 1; by default it is found (see ``layout.find_layout``).
        cache: folder for encoded sets, named by content, options and the version of the codec. ``"user"`` is
            the user's cache folder (see ``cache_folder``), None is none. A damaged entry is made again.

    Returns:
        The set.

    Raises:
        DataError: the source cannot be read, or nothing in it is usable (the message counts the reasons); or
            ``elements`` names no element, ``max_atoms`` is not in 1 to 255, or there is no such column.

    Example:
        >>> data = load(["CCO", "OCC", "C1CC1", "CC(", "[Na+].[Cl-]"], cache=None)
        >>> data.graphs.smiles
        ['CCO', 'C1CC1']
        >>> print(data.account())
        5 SMILES: 2 of 5 molecules are used
          unreadable: 1 (line 4)
          several fragments: 1 (line 5)
          duplicate: 1 (line 2)
    """
    origin = source if isinstance(source, Source) else open_source(source, smiles_column)
    rules = _rules(origin, elements, max_atoms)
    folder = cache_folder() if cache == "user" else None if cache is None else Path(cache)
    if folder is None:
        return _encode(origin, rules)
    options = [
        CODEC_VERSION,
        rdBase.rdkitVersion,
        rules.elements,
        rules.max_atoms,
        rules.charges,
        origin.digest,
    ]
    name = f"{hashlib.sha256(json.dumps(options).encode()).hexdigest()[:32]}.npz"
    cached = _recall(folder / name, origin)
    if cached is not None:
        return cached
    data = _encode(origin, rules)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        report = {
            "read": data.read,
            "dropped": {why: [d.count, d.first_lines] for why, d in data.dropped.items()},
            "stereo": data.stereo,
        }
        write_arrays(folder / name, {**data.graphs.to_arrays(), "report": as_bytes(json.dumps(report))})
    except (OutputError, OSError) as error:
        remark(f"the encoded molecules are not cached: {error}")
    return data


def dataset_of(data: Any, **options: Any) -> Dataset:
    """A data set as it is, or what ``load`` makes of anything else with these options.

    Raises:
        DataError: as ``load``.
        ValueError: a data set, and options that would have been for ``load``.
    """
    if not isinstance(data, Dataset):
        return load(data, **options)
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise ValueError(
            f"{', '.join(given)}: got beside a Dataset, expected where it is loaded, as arguments of load"
        )
    return data


def cache_folder() -> Path:
    """Where encoded sets are kept: ``$SOFTDRAW_CACHE``, or the user's cache folder, as the system has it."""
    import pooch

    return Path(os.environ.get("SOFTDRAW_CACHE") or pooch.os_cache("softdraw"))


def _recall(path: Path, origin: Source) -> Dataset | None:
    """A cached set; None when there is none, or it is damaged."""
    if not path.exists():
        return None
    try:
        arrays = read_arrays(path)
        report = json.loads(as_text(arrays["report"]))
        dropped = {why: Dropped(count, tuple(lines)) for why, (count, lines) in report["dropped"].items()}
        graphs, read, stereo = GraphSet.from_arrays(arrays), int(report["read"]), int(report["stereo"])
    except (DataError, KeyError, TypeError, ValueError, IndexError):
        return None
    reading = str(origin.reading())
    return Dataset(graphs, dropped, origin.description, read, stereo, reading, origin.digest)


def _rules(origin: Source, elements: Sequence[str] | None, max_atoms: int | None) -> Rules:
    if elements is None and origin.embedded:
        elements = EMBEDDED_ELEMENTS
    if max_atoms is None:
        max_atoms = EMBEDDED_MAX_ATOMS if origin.embedded else FILE_MAX_ATOMS
    return Rules.of(elements, max_atoms, charges=not origin.embedded)


def _encode(origin: Source, rules: Rules) -> Dataset:
    kept: dict[str, Record] = {}
    isomers: set[str] = set()
    tally = Tally()
    read = stereo = 0
    check = MoleculeFilter(rules)
    with rdBase.BlockLogs():
        for line, smiles in origin.rows():
            read += 1
            checked = check(smiles)
            if isinstance(checked, str):
                tally.leave_out(checked, line)
                continue
            flat = checked.record[0]
            stereo += checked.isomeric != flat
            if flat not in kept:
                kept[flat] = checked.record
            else:
                tally.leave_out("duplicate" if checked.isomeric in isomers else "stereoisomer", line)
            isomers.add(checked.isomeric)
    reading, dropped = origin.reading(), tally.dropped(REASONS)
    if not kept:
        lines = Account(origin.description, str(reading), read, 0, dropped).lines()
        raise DataError("\n".join([*lines, *reading.advice(tally.counts, read)]))
    graphs = GraphSet.from_records(kept.values())
    return Dataset(graphs, dropped, origin.description, read, stereo, str(reading), origin.digest)
