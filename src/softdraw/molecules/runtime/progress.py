"""A progress bar with the time left, drawn on standard error when it is a terminal."""

import sys
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

__all__ = ["ProgressBar", "Report"]

Report = Callable[[str, float], None]
"""Is told what is being done, and which share of it is done."""


class ProgressBar:
    """Shows what share of a budget is used, an estimate of the time left, and a line of figures.

    Args:
        title: what runs.
        show: None shows it on a terminal only.

    Example:
        >>> with ProgressBar("fit", show=False) as bar:
        ...     bar.update(0.5, "loss 13.1")
    """

    def __init__(self, title: str, show: bool | None = None) -> None:
        enabled = sys.stderr.isatty() if show is None else show
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
            console=Console(stderr=True, force_terminal=True if show else None),
            disable=not enabled,
            transient=False,
        )
        self._task: TaskID = self._progress.add_task(title, total=1.0, figures="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def update(self, share: float, figures: str) -> None:
        """Set the used share of the budget, 0 to 1, and the figures behind the bar."""
        self._progress.update(self._task, completed=min(1.0, share), figures=figures)
