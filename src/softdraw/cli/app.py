"""The app: its commands, and what holds for all of them."""

from importlib import import_module
from typing import Annotated

import typer

from softdraw import __version__

__all__ = ["COMMANDS", "build"]

COMMANDS = ("molecules", "compare", "temperature", "explore")
"""Modules of this room whose ``add_to`` puts a command, or a group of them, into the app."""


def build() -> typer.Typer:
    """The app with every command."""
    app = typer.Typer(
        name="softdraw",
        help="Discrete choices that a neural network can learn through.",
        no_args_is_help=True,
        add_completion=False,
        # errors are explained, or kept as they are, in one place: entry
        pretty_exceptions_enable=False,
    )
    app.callback()(_common)
    for name in COMMANDS:
        import_module(f"softdraw.cli.{name}").add_to(app)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"softdraw {__version__}")
        raise typer.Exit


def _common(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_version, is_eager=True),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show where an error came from; may stand anywhere.")
    ] = False,
) -> None:
    """Discrete choices that a neural network can learn through."""
