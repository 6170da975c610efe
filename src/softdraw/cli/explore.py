"""``softdraw explore``: writes the page to play with, and opens it; needs torch and nothing else.

So it reads its options with ``argparse``, and the app, where it is there, only lists the command.
"""

import argparse
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from softdraw.explore import page
from softdraw.files import atomic, cache_folder

if TYPE_CHECKING:
    import typer

__all__ = ["add_to", "explore"]

_SUMMARY = "Open a page to play with: temperature, noise, gradients, and a molecule drawn choice by choice."


def add_to(app: "typer.Typer") -> None:
    """Put the command into the app."""
    import typer

    def listed(context: typer.Context) -> None:
        explore(context.args)

    passed_on = {"allow_extra_args": True, "ignore_unknown_options": True}
    app.command("explore", help=_SUMMARY, add_help_option=False, context_settings=passed_on)(listed)


def explore(arguments: Sequence[str]) -> None:
    """Write the page, print where it is, and open it.

    Args:
        arguments: words after ``explore``.

    Raises:
        SystemExit: ``--help``, or options that are not understood.
        OSError: the file cannot be written.
    """
    parser = argparse.ArgumentParser(
        prog="softdraw explore",
        description=f"{_SUMMARY} It is one HTML file that needs no server and no network.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE.html", help="Write here instead of to the user's cache folder."
    )
    parser.add_argument("--no-open", action="store_true", help="Only write the file.")
    read = parser.parse_args(arguments)
    target = (read.out if read.out is not None else cache_folder() / "explore.html").absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic(target) as file:
        file.write(page().encode())
    print(f"wrote {target}")
    if not read.no_open and not webbrowser.open(target.as_uri()):
        print("no browser was found: open the file in one")
