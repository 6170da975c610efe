"""Objects of a user's own that he names on the command line as ``module:attribute``.

The one place that imports what a user named: ``softdraw compare mine:problem`` and ``--target mine:function``
both come here. Importing a module runs it, so a name from a file that somebody else wrote, such as the folder
of a run, runs his program. May import: nothing of softdraw.
"""

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["is_user_name", "user_object", "working_folder_importable"]


def is_user_name(name: object) -> bool:
    """Whether it has the form ``module:attribute``.

    Example:
        >>> [is_user_name(name) for name in ("mine:f", "package.mine:Class.f", "mine", ":f")]
        [True, True, False, False]
    """
    module, _, attribute = name.partition(":") if isinstance(name, str) else ("", "", "")
    return bool(module and attribute)


def user_object(name: str) -> Any:
    """What ``module:attribute`` names; the module is looked for in the working folder first.

    Args:
        name: a module, a colon, and an attribute of it, with dots for an attribute of an attribute.

    Returns:
        The object.

    Raises:
        ValueError: a name of another form, a module that cannot be imported, whatever it raises meanwhile, or
            no such attribute; the message says which.

    Example:
        >>> user_object("math:pi")
        3.141592653589793
        >>> user_object("math:tau.real")
        6.283185307179586
    """
    if not is_user_name(name):
        raise ValueError(f"got {name!r}, expected module:attribute")
    module_name, _, attribute = name.partition(":")
    try:
        with working_folder_importable():
            value: Any = importlib.import_module(module_name)
    except Exception as error:  # whatever the user's module raises while it is imported
        raise ValueError(f"cannot import {module_name} ({type(error).__name__}: {error})") from error
    module = value
    try:
        for part in attribute.split("."):
            value = getattr(value, part)
    except AttributeError:
        # a file of the name of another module, such as random.py, is not what was imported
        file = getattr(module, "__file__", None) or "built in"
        raise ValueError(f"the module {module_name} ({file}) has no {attribute}") from None
    return value


@contextmanager
def working_folder_importable() -> Iterator[None]:
    """Modules of the working folder can be imported in the body, as they can by ``python -m``.

    A command such as ``softdraw`` starts with its own folder on the path instead of the user's.
    """
    folder = os.getcwd()
    added = folder not in sys.path and "" not in sys.path
    if added:
        sys.path.insert(0, folder)
    # a file written a moment ago is seen
    importlib.invalidate_caches()
    try:
        yield
    finally:
        if added and folder in sys.path:
            sys.path.remove(folder)
