"""The rows of a source, read and encoded some thousand at a time, by one process or by several.

What a chunk gives does not depend on others; what repeats a molecule of an earlier one is found where all
come together, in their order. So the result is the same however many processes take part.
"""

import time
from collections.abc import Iterator
from functools import lru_cache, partial
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rdkit import rdBase

from softdraw.molecules.chemistry.codec import Record
from softdraw.molecules.data.account import Tally
from softdraw.molecules.data.blocks import Block
from softdraw.molecules.data.filters import MoleculeFilter, Rules
from softdraw.molecules.data.sources import Row
from softdraw.molecules.runtime.processes import by_pool

__all__ = ["Chunk", "Gathering", "encoded_chunks"]

_ROWS = 2_000
"""Rows of a chunk: half a second of work."""
PATIENCE = 2.0
"""Seconds of work in this process before others are started, which takes them as long."""


class Chunk(NamedTuple):
    """What came of some rows of a source.

    Attributes:
        read: rows, used or not.
        block: the molecules that a graph can stand for, repeated ones too.
        lines: of each of them, the line where it stands.
        isomeric: by its place in the block, the SMILES with stereo of each that has some.
        parted: of each, whether it is the largest of several fragments.
        left_out: of each other row, why, and its line.
    """

    read: int
    block: Block
    lines: list[int]
    isomeric: dict[int, str]
    parted: list[bool]
    left_out: list[tuple[str, int]]


def encoded_chunks(rows: Iterator[Row], rules: Rules, processes: int) -> Iterator[Chunk]:
    """Read and encode the rows of a source.

    Args:
        rows: of the source.
        rules: what is asked of a molecule.
        processes: at most; a source that is done within seconds is read by this process alone.

    Yields:
        Chunk after chunk, in the order of the rows.
    """
    encode = partial(_encoded, rules)
    chunks = iter(lambda: list(islice(rows, _ROWS)), [])
    began = time.monotonic()
    while processes == 1 or time.monotonic() - began < PATIENCE:
        chunk = next(chunks, None)
        if chunk is None:
            return
        yield encode(chunk)
    yield from by_pool(encode, chunks, processes)


def _encoded(rules: Rules, rows: list[Row]) -> Chunk:
    check = _filter_of(rules)
    records: list[Record] = []
    lines, parted, left_out, isomeric = [], [], [], {}
    with rdBase.BlockLogs():
        for line, smiles in rows:
            checked = check(smiles)
            if isinstance(checked, str):
                left_out.append((checked, line))
                continue
            if checked.isomeric != checked.record[0]:
                isomeric[len(records)] = checked.isomeric
            records.append(checked.record)
            lines.append(line)
            parted.append(checked.parted)
    return Chunk(len(rows), Block.of(records), lines, isomeric, parted, left_out)


@lru_cache(maxsize=1)
def _filter_of(rules: Rules) -> MoleculeFilter:
    """One for all chunks: it keeps the atoms that it has made."""
    return MoleculeFilter(rules)


class Gathering:
    """Puts chunks together, and leaves out what an earlier one holds.

    Attributes:
        blocks: the molecules that are used.
        tally: those that are not.
        read: rows so far.
        used: molecules used so far.
        stereo: usable molecules with stereo marks, repeated ones too.
        parted: usable molecules that are the largest of several fragments, repeated ones too.

    Example:
        >>> gathering = Gathering()
        >>> for chunk in encoded_chunks(iter([(1, "CCO"), (2, "OCC"), (3, "C1")]), Rules(None, 9, True), 1):
        ...     gathering.add(chunk)
        >>> gathering.read, gathering.used, gathering.tally.counts
        (3, 1, {'unreadable': 1, 'duplicate': 1})
    """

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.tally = Tally()
        self.read = self.used = self.stereo = self.parted = 0
        self._flat: dict[str, bool] = {}
        """By SMILES without stereo, whether it came without any."""
        self._isomeric: set[str] = set()

    def add(self, chunk: Chunk) -> None:
        """The next chunk."""
        self.read += chunk.read
        self.stereo += len(chunk.isomeric)
        self.parted += sum(chunk.parted)
        for reason, line in chunk.left_out:
            self.tally.leave_out(reason, line)
        block = chunk.block.chosen(self._new(chunk))
        self.used += len(block.smiles)
        if block.smiles:
            self.blocks.append(block)

    def _new(self, chunk: Chunk) -> NDArray[np.bool_]:
        new = np.ones(len(chunk.lines), dtype=bool)
        for place, flat in enumerate(chunk.block.smiles):
            isomeric = chunk.isomeric.get(place)
            known = self._flat.get(flat)
            if known is not None:
                repeated = known if isomeric is None else isomeric in self._isomeric
                self.tally.leave_out("duplicate" if repeated else "stereoisomer", chunk.lines[place])
                new[place] = False
            self._flat[flat] = isomeric is None or bool(known)
            if isomeric is not None:
                self._isomeric.add(isomeric)
        return new
