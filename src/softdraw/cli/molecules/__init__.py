"""``softdraw molecules``: train, steer, optimise, draw, weigh, score and report, one command a module.

May import: ``cli.options``, ``cli.entry``, and the molecules where a command runs.
"""

from collections.abc import Callable

import typer

from softdraw.cli.molecules.likelihood import likelihood
from softdraw.cli.molecules.optimize import optimize
from softdraw.cli.molecules.report import report
from softdraw.cli.molecules.sample import sample
from softdraw.cli.molecules.score import score
from softdraw.cli.molecules.training import fit, run, steer

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Put the group ``molecules`` into the app."""
    group = typer.Typer(help="Molecular graphs, drawn atom by atom and bond by bond.", no_args_is_help=True)
    commands: tuple[Callable[..., None], ...] = (run, fit, steer, optimize, sample, likelihood, score, report)
    for command in commands:
        group.command()(command)
    app.add_typer(group, name="molecules")
