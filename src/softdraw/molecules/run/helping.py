"""Processes that help a run to steer: torchrun started all with one command, and the first one runs it."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch.distributed as dist

from softdraw.molecules.runtime.processes import launched_group
from softdraw.molecules.runtime.ranks import Ranks
from softdraw.molecules.runtime.remarks import MoleculeWarning

if TYPE_CHECKING:
    from softdraw.molecules.generator import MoleculeGenerator

__all__ = ["Helpers", "launched_helpers"]

Work = tuple["MoleculeGenerator", dict[str, Any]]


class Helpers:
    """The other ranks of a group, who wait until the first one steers, or says that it does not.

    Args:
        group: of all of them; None where there are none.
    """

    def __init__(self, group: dist.ProcessGroup | None = None) -> None:
        self.group = group
        self._waiting = group is not None

    def steer(self, generator: "MoleculeGenerator", **asked: Any) -> None:
        """Steer a generator with them, who keep nothing.

        Args:
            generator: that is steered.
            asked: arguments of its ``steer``.
        """
        own = ("folder", "resume", "progress")
        self._say((generator, {name: one for name, one in asked.items() if name not in own}))
        generator.steer(**asked, group=self.group)

    def dismiss(self) -> None:
        """Tell those who wait that there is nothing to do."""
        if self._waiting:
            self._say(None)

    def _say(self, work: Work | None) -> None:
        Ranks(self.group).decided(lambda: work)
        self._waiting = False


def help_to_steer(group: dist.ProcessGroup) -> None:
    """What the other ranks do: wait, and steer if the first one does."""
    work: Work | None = Ranks(group).decided(lambda: None)
    if work is None:
        return
    generator, asked = work
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MoleculeWarning)  # the first one says it
        generator.steer(**asked, resume=True, progress=False, group=group)


@contextmanager
def launched_helpers() -> Iterator[Helpers | None]:
    """Those that torchrun started beside this process; None in one of them, once it has helped.

    Example:
        >>> with launched_helpers() as helpers:
        ...     helpers.group is None
        True
    """
    with launched_group() as group:
        if group is not None and group.rank() > 0:
            help_to_steer(group)
            yield None
            return
        helpers = Helpers(group)
        try:
            yield helpers
        finally:
            helpers.dismiss()
