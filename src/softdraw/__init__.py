"""softdraw: discrete choices that a neural network can learn through.

``gumbel_max`` draws categories, ``gumbel_softmax`` relaxes the draw at a temperature so that gradients pass,
``softdraw.schedules`` lowers that temperature while training, and ``softdraw.molecules`` generates molecules
whose atoms and bonds are such draws. Rooms are imported when first touched, so that ``import softdraw`` needs
torch and nothing else.
"""

import importlib
from typing import TYPE_CHECKING, Any

from softdraw import random
from softdraw.functional import gumbel_max, gumbel_sigmoid, gumbel_softmax, straight_through
from softdraw.random import Key

if TYPE_CHECKING:
    from softdraw import kernels, schedules

__version__ = "0.1.0"
__all__ = [
    "Key",
    "gumbel_max",
    "gumbel_sigmoid",
    "gumbel_softmax",
    "kernels",
    "random",
    "schedules",
    "straight_through",
]

_ROOMS = frozenset(
    {"kernels", "schedules", "distributions", "estimators", "nn", "diagnostics", "integrations", "molecules"}
)


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"softdraw.{name}")
    raise AttributeError(f"module 'softdraw' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(set(globals()) | _ROOMS)
