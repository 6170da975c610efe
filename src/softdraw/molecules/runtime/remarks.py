"""Remarks: what a user should know and that stops nothing. Python hears them as warnings, a run says them."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["MoleculeWarning", "remark", "remarks_said"]


class MoleculeWarning(UserWarning):
    """Something that works, and may not give what was hoped for."""


def remark(text: str) -> None:
    """Warn the caller's caller, or tell whoever listens by ``remarks_said``."""
    warnings.warn(text, MoleculeWarning, stacklevel=3)


@contextmanager
def remarks_said(say: Callable[[str], None]) -> Iterator[None]:
    """While open, remarks are lines for ``say``, each once; other warnings are shown as ever.

    Example:
        >>> with remarks_said(print):
        ...     remark("the data holds 2 molecules")
        ...     remark("the data holds 2 molecules")
        warning: the data holds 2 molecules
    """
    said: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("always", MoleculeWarning)
        show = warnings.showwarning

        def showwarning(message: Any, category: type[Warning], *rest: Any, **more: Any) -> None:
            if not issubclass(category, MoleculeWarning):
                show(message, category, *rest, **more)
            elif str(message) not in said:
                said.add(str(message))
                say(f"warning: {message}")

        warnings.showwarning = showwarning
        yield
