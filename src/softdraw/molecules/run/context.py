"""What the stages of a run share: its folder and options, what is said, the clock."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property

from softdraw.molecules.run.helping import Helpers
from softdraw.molecules.run.options import RunOptions
from softdraw.molecules.run.processes import is_worker
from softdraw.molecules.run.trial import CountedTrial
from softdraw.molecules.runtime.versions import versions
from softdraw.molecules.steering.targets import targets_from
from softdraw.molecules.steering.trial import try_targets
from softdraw.molecules.storage.run_folder import RunFolder

__all__ = ["RunContext", "Say"]

Say = Callable[[str], None]


class RunContext:
    """A folder, what to do in it, and who is told; the arguments are those of ``Run``.

    Attributes:
        command: that repeats the run.
        trial: of the targets, where its calls are counted.
        interrupted: whether a stage ended by Ctrl-C.
        helpers: other processes that steer with this one.
        seconds: that each stage took.
    """

    def __init__(
        self,
        folder: RunFolder | str | os.PathLike[str],
        options: RunOptions,
        *,
        say: Say = lambda line: None,
        progress: bool | None = None,
        command: str | None = None,
    ) -> None:
        self.folder = folder if isinstance(folder, RunFolder) else RunFolder(folder)
        self.options, self.progress = options, progress
        self.command = options.command if command is None else command
        self.interrupted = False
        self.helpers = Helpers()
        self.seconds: dict[str, float] = {}
        self._say = say
        self._remarked: set[str] = set()
        self.trial = (
            None if options.steer_calls is None else CountedTrial(self.folder.steer_checkpoints, options)
        )

    @cached_property
    def worker(self) -> bool:
        """Whether this process helps another to fit: only the first one writes and reports."""
        if self.helpers.group is not None:
            return False  # those that help to steer have no run
        return is_worker(self.options.devices, self.options.strategy)

    def say(self, line: str) -> None:
        """A line of text for the user."""
        if not self.worker:
            self._say(line)

    def try_targets(self, smiles: Sequence[str]) -> None:
        """Find a target that cannot work before anything is spent on it, and remark on odd ones, once."""
        if not self.options.targets or (self.trial is not None and self.worker):
            return  # what the first process pays for is not paid for by those that help it to fit
        targets = targets_from(self.options.targets)
        for text in try_targets(targets, smiles) if self.trial is None else self.trial.run(targets, smiles):
            if text not in self._remarked:
                self._remarked.add(text)
                self.say(f"warning: {text}")

    def write_config(self) -> None:
        """Write the options, the command that repeats the run, and versions."""
        options = self.options
        self.folder.write_config(
            {"options": options.to_dict(), "command": self.command, "versions": versions()}
        )

    @contextmanager
    def clock(self, stage: str) -> Iterator[None]:
        """Time a stage."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[stage] = time.monotonic() - began
