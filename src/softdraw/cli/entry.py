"""Where the ``softdraw`` command starts, and where its errors end: one message, and the right exit code."""

import os
import sys
from collections.abc import Sequence

__all__ = ["ERROR", "INTERRUPTED", "USAGE", "main"]

ERROR, USAGE, INTERRUPTED = 1, 2, 130
_EXTRAS = {
    **dict.fromkeys(("jinja2", "matplotlib", "rich", "typer"), "cli"),
    **dict.fromkeys(
        ("chemicals", "fcd", "lightning", "numpy", "pooch", "rdkit", "safetensors", "tensorboard"),
        "molecules",
    ),
}
"""By package, the extra that brings it."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line, and leave the process.

    Exit codes: 0; 1 when something outside softdraw stands in the way (data, files, disk); 2 when the command
    is not understood; 130 after Ctrl-C. With ``--debug`` anywhere on the line, errors show where they came
    from.

    Args:
        arguments: words of the command line; by default those of the process.

    Raises:
        SystemExit: always, with the exit code.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    try:
        if debug:
            words = ["--debug", *(word for word in words if word != "--debug")]
        _run(words)
        code = 0
    except SystemExit:
        raise
    except KeyboardInterrupt:
        print("\nsoftdraw: stopped", file=sys.stderr)
        code = INTERRUPTED
    except Exception as error:
        if debug:
            raise
        code = _explain(error, molecules="molecules" in words)
    sys.exit(code)


def _run(words: list[str]) -> None:
    """What needs torch alone is run without the app, which needs the extra cli."""
    command = [word for word in words if word != "--debug"]
    if command[:1] == ["explore"]:
        from softdraw.cli.explore import explore

        explore(command[1:])
        return
    from softdraw.cli.app import build

    build()(args=words, prog_name="softdraw")


def _explain(error: Exception, *, molecules: bool) -> int:
    """One message for what the user can act on; a defect, also of his own module, keeps its traceback."""
    package = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if package in _EXTRAS:
        extra = "molecules" if molecules else _EXTRAS[package]
        message = f"needs the package {package}: pip install 'softdraw[{extra}]'"
    elif isinstance(error, OSError) or _is_expected(error):
        message = _text(error)
    else:
        raise error
    print(f"softdraw: error: {message}", file=sys.stderr)
    return ERROR


def _is_expected(error: Exception) -> bool:
    """Whether it is a ``MoleculeError``; that room is not imported only to find out."""
    room = sys.modules.get("softdraw.molecules.errors")
    return room is not None and isinstance(error, room.MoleculeError)


def _text(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        file = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
        return f"{file}{error.strerror}"
    return str(error) or type(error).__name__
