"""What a run was made with, for its configuration and its report."""

import importlib.metadata
import os
import platform

import softdraw

__all__ = ["versions"]

PACKAGES = ("torch", "rdkit", "lightning", "numpy", "chemicals", "fcd", "matplotlib")


def versions() -> dict[str, str]:
    """Versions of softdraw, of Python and of the packages that figures depend on, and the machine.

    Example:
        >>> list(versions())[:2]
        ['softdraw', 'python']
    """
    found = {"softdraw": softdraw.__version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    found["machine"] = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return found
