"""The command line: one thin Typer app over the library.

A command parses its options and calls the room that does the work; nothing is computed here. May import every
room. One more command is one more module with an ``add_to(app)``, named in ``app.COMMANDS``.
"""

from softdraw.cli.entry import main

__all__ = ["main"]
