"""What commands that run for minutes share: their options, their run, and how it is stopped."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from softdraw.cli import options as o
from softdraw.cli.entry import INTERRUPTED

if TYPE_CHECKING:
    from softdraw.molecules.run.options import RunOptions
    from softdraw.molecules.run.run import Run

__all__ = ["helped", "read_options", "run_in", "stoppable"]


def read_options(contradiction: bool, **values: Any) -> "RunOptions":
    """Options of a run, with every mistake in them reported as one in the command."""
    from softdraw.molecules.run.options import RunOptions
    from softdraw.molecules.run.request import check_request

    with o.as_usage():
        if contradiction:
            raise ValueError("--resume, --overwrite: got both, expected one of them")
        options = RunOptions(**values)
        check_request(options)
    return options


def run_in(folder: Path, options: "RunOptions", command: str | None = None) -> "Run":
    """A run that says on the console what it does; the command is what repeats it."""
    from softdraw.molecules.run.run import Run

    return Run(folder, options, say=typer.echo, command=command)


@contextmanager
def helped(task: "Run") -> Iterator[None]:
    """Let processes that torchrun started steer together; all but the first end here, when they have."""
    from softdraw.molecules.run.helping import launched_helpers

    with launched_helpers() as helpers:
        if helpers is None:
            raise typer.Exit
        task.helpers = helpers
        yield


@contextmanager
def stoppable(task: "Run", command: str) -> Iterator[None]:
    """After Ctrl-C: say how to go on, and leave with the exit code that shells expect."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"\nstopped at once; to go on:\n  {command}", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if task.interrupted:
        typer.echo(f"stopped; what was learned is in {task.folder.path}. To go on:\n  {command}", err=True)
        raise typer.Exit(INTERRUPTED)
