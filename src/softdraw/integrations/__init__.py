"""softdraw inside other people's training loops.

What lives here: one module a package, importable only where that package is installed: ``lightning``,
``transformers``, ``pyro``; each is imported when it is first touched. May import: every room above, and its
own package. To add one: write ``<package>.py`` that raises an ImportError saying what to install, a test that
trains with it, a line in ``_MODULES`` and in the import for type checkers, and a section in
``docs/coming-from.md``.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from softdraw.integrations import lightning as lightning
    from softdraw.integrations import pyro as pyro
    from softdraw.integrations import transformers as transformers

_MODULES = ("lightning", "pyro", "transformers")
__all__: list[str] = []

# hidden from type checkers, for which it would make every name that there is not one of type Any
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name in _MODULES:
            return importlib.import_module(f"softdraw.integrations.{name}")
        raise AttributeError(f"module 'softdraw.integrations' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
