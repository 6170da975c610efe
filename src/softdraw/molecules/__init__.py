"""The flagship: molecular graphs whose atoms and bonds are categorical draws.

What lives here: the generator and, in rooms along the route of the data, what it is made of. May import every
other room but the command line. A new property goes into ``chemistry``, a new score into ``scoring``, a new
source of molecules into ``data``. Needs the extra ``softdraw[molecules]``, which is imported when a name that
needs it is first touched: the room itself costs nothing and comes with ``from softdraw import *``.
"""

import importlib
from typing import TYPE_CHECKING, Any

from softdraw.molecules.errors import (
    CheckpointError,
    DataError,
    MoleculeError,
    OptionError,
    OutputError,
    SetError,
    TargetError,
)

if TYPE_CHECKING:
    from softdraw.molecules.chemistry.property import Property
    from softdraw.molecules.generator import MoleculeGenerator
    from softdraw.molecules.runtime.remarks import MoleculeWarning
    from softdraw.molecules.scoring.scores import Scores, score
    from softdraw.molecules.steering.targets import Target

__all__ = [
    "CheckpointError",
    "DataError",
    "MoleculeError",
    "MoleculeGenerator",
    "MoleculeWarning",
    "OptionError",
    "OutputError",
    "Property",
    "Scores",
    "SetError",
    "Target",
    "TargetError",
    "score",
]

_HOMES = {
    "MoleculeGenerator": "generator",
    "MoleculeWarning": "runtime.remarks",
    "Property": "chemistry.property",
    "Scores": "scoring.scores",
    "Target": "steering.targets",
    "score": "scoring.scores",
}

# hidden from type checkers, for which it would make every name that there is not one of type Any
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module 'softdraw.molecules' has no attribute {name!r}")
        try:
            home = importlib.import_module(f"softdraw.molecules.{_HOMES[name]}")
        except ModuleNotFoundError as error:
            if (error.name or "softdraw").startswith("softdraw"):
                raise
            raise ImportError(
                f"softdraw.molecules needs {error.name}: pip install 'softdraw[molecules]'", name=error.name
            ) from error
        return globals().setdefault(name, getattr(home, name))


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(_HOMES))
