"""Many molecules from one key, by one process or several, on conditions or without."""

import itertools
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from torch.distributed import ProcessGroup

from softdraw.molecules.chemistry.scaffold import Scaffold
from softdraw.molecules.chemistry.vocabulary import Vocabulary
from softdraw.molecules.errors import MoleculeError
from softdraw.molecules.model.network import GraphNetwork
from softdraw.molecules.model.sampling import SPAN, sample_smiles
from softdraw.molecules.runtime.processes import alone, by_pool, by_ranks
from softdraw.molecules.runtime.progress import ProgressBar
from softdraw.molecules.runtime.remarks import remark
from softdraw.molecules.sampling.conditions import Conditions, Fault, Selection, selection_line
from softdraw.molecules.sampling.scaffolds import given_parts
from softdraw.random import Key

__all__ = ["Drawer", "draw_molecules"]

Span = tuple[int, int]
"""The first row of the key, and how many."""
Block = list[tuple[str, Fault | None]]
MOST_DRAWN, MOST_TIMES = 10_000, 100
"""Graphs that are drawn at most on conditions: so many, or so many times what is asked for."""


@dataclass(frozen=True)
class Drawer:
    """Draws any block of the molecules of a key, and holds them to conditions; processes get a copy of it.

    Attributes:
        network: gives the logits.
        vocabulary: what its atom types mean.
        key: molecule ``m`` uses row ``m`` of it.
        mask: allow only decisions that end in a molecule.
        conditions: what is asked of a molecule.
        scaffolds: parts that molecules are drawn on from, by turns; each stays whole in its molecules.
    """

    network: GraphNetwork
    vocabulary: Vocabulary
    key: Key
    mask: bool
    conditions: Conditions
    scaffolds: tuple[Scaffold, ...] = ()

    def __call__(self, span: Span) -> Block:
        """Molecules of a span of ``spans``, each with the reason to leave it out, if there is one."""
        start, count = span
        key = self.key.rows(start)
        given = given_parts(self.scaffolds, self.network, self.vocabulary)
        smiles = sample_smiles(
            self.network, self.vocabulary, count, key, mask=self.mask, given=given, first=start
        )
        faults = self.conditions.faults(smiles)
        if self.scaffolds:
            faults = [
                fault or self._changed(place, one)
                for place, (one, fault) in enumerate(zip(smiles, faults, strict=True), start)
            ]
        return list(zip(smiles, faults, strict=True))

    def _changed(self, place: int, smiles: str) -> Fault | None:
        """A part keeps atoms and bonds, but what is bonded to it may make a ring of it aromatic."""
        scaffold = self.scaffolds[place % len(self.scaffolds)]
        return (False, scaffold.text) if smiles and not scaffold.is_in(smiles) else None

    @property
    def width(self) -> int:
        """How many the network draws at a time."""
        return SPAN

    def spans(self, count: int) -> Iterator[Span]:
        """What to draw until ``count`` molecules are there, in what the network draws at a time."""
        width = self.width
        picky = self.conditions or self.scaffolds
        most = max(MOST_DRAWN, MOST_TIMES * count) if picky else count
        for start in itertools.takewhile(lambda start: start < most, itertools.count(0, width)):
            yield start, min(width, most - start)


def draw_molecules(
    drawer: Drawer,
    count: int,
    *,
    devices: int = 1,
    group: ProcessGroup | None = None,
    progress: bool | None = False,
) -> Selection:
    """Draw until ``count`` molecules have passed the conditions: the same ones, however many processes draw.

    Args:
        drawer: what draws.
        count: how many molecules to draw; on conditions, how many have to pass.
        devices: processes of this machine.
        group: ranks that draw together, instead; all of them call this alike, and get the same.
        progress: show a progress bar where one block is not enough; None shows it on a terminal.

    Returns:
        The first ``count`` that passed, in the order of the rows; fewer, with a remark, where nearly nothing
        passes.

    Raises:
        MoleculeError: nothing passes, or a process was killed.
    """
    blocks: Callable[..., Generator[Block, None, None]] = alone
    if group is not None:
        blocks = partial(by_ranks, group=group)
    elif devices > 1 and count > drawer.width:
        blocks = partial(by_pool, processes=devices)
    found = Selection()
    if not count:
        return found
    show = progress if count > drawer.width else False
    with closing(blocks(drawer, drawer.spans(count))) as drawn, ProgressBar("sample", show) as bar:
        for block in drawn:
            for smiles, fault in block:
                found.add(smiles, fault)
                if len(found.smiles) == count:
                    return found
            bar.update(len(found.smiles) / count, f"{found.drawn:,} drawn")
    account = selection_line(found.to_dict())
    if not found.smiles:
        raise MoleculeError(f"forbid, require: nothing that is drawn passes them: {account}")
    share = 100 * len(found.smiles) / found.drawn
    remark(
        f"only {len(found.smiles):,} of {count:,} molecules: {share:.2g} % of what is drawn passes: {account}"
    )
    return found
