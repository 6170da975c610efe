"""softdraw inside other people's training loops.

What lives here: one module a package, importable only where that package is installed: ``lightning``,
``lightning_monitor``, ``transformers``, ``pyro``; each is imported when it is first touched. May import every
room above, and its own package. To add one: write ``<package>.py`` that raises an ImportError saying what to
install, a test that trains with it, a line in ``_MODULES``, and a section in ``docs/coming-from.md``.
"""

import importlib
from typing import Any

_MODULES = ("lightning", "lightning_monitor", "pyro", "transformers")
__all__: list[str] = []


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"softdraw.integrations.{name}")
    raise AttributeError(f"module 'softdraw.integrations' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *_MODULES]
