"""The command that makes a run's report again."""

import typer

from softdraw.cli import options as o

__all__ = ["report"]


def report(folder: o.Folder) -> None:
    """Make report.html again from what lies in the folder of a run."""
    from softdraw.molecules.report import write_report
    from softdraw.molecules.storage.run_folder import RunFolder

    typer.echo(f"report: {write_report(RunFolder(folder))}")
