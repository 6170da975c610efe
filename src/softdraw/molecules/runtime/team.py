"""Who does the work on a set of molecules, and who hears how far it is."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch.distributed as dist

from softdraw.molecules.runtime.processes import alone, by_pool, by_ranks
from softdraw.molecules.runtime.progress import Report
from softdraw.molecules.runtime.ranks import Ranks

__all__ = ["ALONE", "Team", "cores"]

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Team:
    """A process on its own, one with others that it starts, or the ranks of a group.

    Args:
        devices: processes of this machine for what pays to be handed to them; see ``by_pool``.
        group: ranks that share all of the work instead; see ``by_ranks``.
        report: is told what is being done, and which share of it is done.

    Example:
        >>> list(Team(report=print).do(len, ["a", "bc"], "lengths"))
        lengths 0.5
        lengths 1.0
        [1, 2]
    """

    devices: int = 1
    group: dist.ProcessGroup | None = None
    report: Report | None = None

    def do(
        self, task: Callable[[Item], Result], items: Sequence[Item], what: str, *, pooled: bool = False
    ) -> Iterator[Result]:
        """Do a task over items.

        Args:
            task: a function or callable object that can be pickled.
            items: on ranks, the same on all of them.
            what: is being done, for the report.
            pooled: whether it is worth the 2 s that processes of its own need to start.

        Yields:
            The result for each item, in their order, on every rank.
        """
        if self.group is not None:
            results = by_ranks(task, items, self.group)
        elif pooled and self.devices > 1:
            results = by_pool(task, items, self.devices)
        else:
            results = alone(task, items)
        for done, result in enumerate(results, 1):
            if self.report is not None:
                self.report(what, done / len(items))
            yield result

    def agree(self, so: bool) -> bool:
        """Whether it is so on every rank, each of which says so for itself."""
        return all(Ranks(self.group).gather(so))


ALONE = Team()


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
