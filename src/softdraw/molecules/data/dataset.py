"""Molecules to learn from: read, filtered, encoded, cached, with an account of what was left out."""

import hashlib
import json
import os
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rdkit import rdBase

from softdraw.arguments import read_count
from softdraw.files import cache_folder
from softdraw.molecules.chemistry.codec import CODEC_VERSION
from softdraw.molecules.data.account import Account, Dropped
from softdraw.molecules.data.chunks import PATIENCE, Gathering, encoded_chunks
from softdraw.molecules.data.filters import REASONS, Rules
from softdraw.molecules.data.graphs import GraphSet
from softdraw.molecules.data.sources import Source, open_source
from softdraw.molecules.errors import DataError, OutputError
from softdraw.molecules.runtime.progress import ProgressBar
from softdraw.molecules.runtime.remarks import remark
from softdraw.molecules.runtime.team import cores
from softdraw.molecules.storage.arrays import as_bytes, as_text, read_arrays, write_arrays

__all__ = ["Dataset", "Dropped", "dataset_of", "load"]

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
        parted: usable molecules of which only the largest of several fragments is kept; duplicates are
            counted too.
    """

    graphs: GraphSet
    dropped: dict[str, Dropped]
    description: str
    read: int
    stereo: int = 0
    reading: str = ""
    digest: str = ""
    parted: int = 0

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
        return Account(
            self.description, self.reading, self.read, len(self), self.dropped, self.stereo, self.parted
        )


def load(
    source: Source | str | os.PathLike[str] | Iterable[Any],
    *,
    elements: Sequence[str] | None = None,
    max_atoms: int | None = None,
    smiles_column: str | int | None = None,
    encoding: str | None = None,
    fragments: str | None = None,
    cache: str | os.PathLike[str] | Literal["user"] | None = "user",
    processes: int | None = None,
    progress: bool | None = None,
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
        encoding: of the text of a file, as Python names it, such as ``"cp1252"``; by default it is found.
        fragments: what is done with a molecule of several fragments: ``"drop"``, the default, leaves it out;
            ``"largest"`` keeps the fragment of most heavy atoms, and ``Dataset.parted`` counts where.
        cache: folder for encoded sets, named by content, options and the version of the codec. ``"user"`` is
            the user's cache folder (see ``softdraw.files``), None is none. A damaged entry is made again.
        processes: that read and encode; by default one on each core that this one may use, where it takes
            longer than some seconds. The result is the same.
        progress: show a progress bar; None shows it on a terminal, where it takes longer than some seconds.

    Returns:
        The set.

    Raises:
        DataError: the source cannot be read, or nothing in it is usable (the message counts the reasons); or
            ``elements`` names no element, ``max_atoms`` is not in 1 to 255, or there is no such column,
            encoding or way with fragments.

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
    origin = source if isinstance(source, Source) else open_source(source, smiles_column, encoding)
    rules = _rules(origin, elements, max_atoms, fragments)
    processes = cores() if processes is None else read_count("processes", processes, 1)
    folder = cache_folder() if cache == "user" else None if cache is None else Path(cache)
    if folder is None:
        return _encode(origin, rules, processes, progress)
    options = [
        CODEC_VERSION,
        rdBase.rdkitVersion,
        rules.elements,
        rules.max_atoms,
        rules.charges,
        rules.fragments,
        origin.digest,
    ]
    name = f"{hashlib.sha256(json.dumps(options).encode()).hexdigest()[:32]}.npz"
    cached = _recall(folder / name, origin)
    if cached is not None:
        return cached
    data = _encode(origin, rules, processes, progress)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        report = {
            "read": data.read,
            "dropped": {why: [d.count, d.first_lines] for why, d in data.dropped.items()},
            "stereo": data.stereo,
            "parted": data.parted,
        }
        write_arrays(folder / name, {**data.graphs.to_arrays(), "report": as_bytes(json.dumps(report))})
    except (OutputError, OSError) as error:
        remark(f"the encoded molecules are not cached: {error}")
    return data


def dataset_of(data: Any, *, progress: bool | None = None, **options: Any) -> Dataset:
    """A data set as it is, or what ``load`` makes of anything else with these options.

    Raises:
        DataError: as ``load``.
        ValueError: a data set, and options that would have been for ``load``.
    """
    if not isinstance(data, Dataset):
        return load(data, progress=progress, **options)
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise ValueError(
            f"{', '.join(given)}: got beside a Dataset, expected where it is loaded, as arguments of load"
        )
    return data


def _recall(path: Path, origin: Source) -> Dataset | None:
    """A cached set; None when there is none, or it is damaged."""
    if not path.exists():
        return None
    try:
        arrays = read_arrays(path)
        report = json.loads(as_text(arrays["report"]))
        dropped = {why: Dropped(count, tuple(lines)) for why, (count, lines) in report["dropped"].items()}
        graphs, read = GraphSet.from_arrays(arrays), int(report["read"])
        stereo, parted = int(report["stereo"]), int(report["parted"])
    except (DataError, KeyError, TypeError, ValueError, IndexError):
        return None
    reading = str(origin.reading())
    return Dataset(graphs, dropped, origin.description, read, stereo, reading, origin.digest, parted)


def _rules(
    origin: Source, elements: Sequence[str] | None, max_atoms: int | None, fragments: str | None
) -> Rules:
    if elements is None and origin.embedded:
        elements = EMBEDDED_ELEMENTS
    if max_atoms is None:
        max_atoms = EMBEDDED_MAX_ATOMS if origin.embedded else FILE_MAX_ATOMS
    return Rules.of(elements, max_atoms, charges=not origin.embedded, fragments=fragments)


def _encode(origin: Source, rules: Rules, processes: int, progress: bool | None) -> Dataset:
    gathering = Gathering()
    began = time.monotonic()
    with ExitStack() as stack:
        bar = None
        for chunk in encoded_chunks(origin.rows(), rules, processes):
            gathering.add(chunk)
            if bar is None and time.monotonic() - began > PATIENCE:
                bar = stack.enter_context(ProgressBar("data", progress))
            if bar is not None:
                used = f"{gathering.used:,} of {gathering.read:,} molecules are used"
                bar.update(origin.meter.share, used)
    read, dropped, reading = gathering.read, gathering.tally.dropped(REASONS), origin.reading()
    if not gathering.used:
        lines = Account(origin.description, str(reading), read, 0, dropped).lines()
        raise DataError("\n".join([*lines, *reading.advice(gathering.tally.counts, read)]))
    return Dataset(
        GraphSet.from_blocks(gathering.blocks),
        dropped,
        origin.description,
        read,
        gathering.stereo,
        str(reading),
        origin.digest,
        gathering.parted,
    )
