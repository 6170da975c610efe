"""softdraw: discrete choices that a neural network can learn through.

``gumbel_max`` draws categories, ``gumbel_softmax`` relaxes the draw at a temperature so that gradients pass,
``softdraw.schedules`` lowers that temperature while training, and ``softdraw.molecules`` generates molecules
whose atoms and bonds are such draws.

What lives here: the rooms, under their names, and the few functions that most programs need. May import:
every room; but ``import softdraw`` imports only ``random``, ``functional`` and what is below them, and so
needs torch and nothing else. The others are imported when first touched; type checkers see them all.
"""

import importlib
from typing import TYPE_CHECKING, Any

from softdraw import functional, kernels, random
from softdraw.functional import gumbel_max, gumbel_sigmoid, gumbel_softmax, straight_through
from softdraw.random import Key

if TYPE_CHECKING:
    from softdraw import (
        diagnostics,
        distributions,
        estimators,
        filters,
        integrations,
        molecules,
        nn,
        schedules,
        structured,
        vocabulary,
    )
    from softdraw.functional import gumbel_sinkhorn, gumbel_top_k, relaxed_top_k, soft_sort, topk

__version__ = "0.1.0"
__all__ = [
    "Key",
    "diagnostics",
    "distributions",
    "estimators",
    "filters",
    "functional",
    "gumbel_max",
    "gumbel_sigmoid",
    "gumbel_sinkhorn",
    "gumbel_softmax",
    "gumbel_top_k",
    "integrations",
    "kernels",
    "molecules",
    "nn",
    "random",
    "relaxed_top_k",
    "schedules",
    "soft_sort",
    "straight_through",
    "structured",
    "topk",
    "vocabulary",
]

# a room that is not imported above is named here, in the import for type checkers, and in __all__
_ROOMS = frozenset(
    {
        "diagnostics",
        "distributions",
        "estimators",
        "filters",
        "integrations",
        "molecules",
        "nn",
        "schedules",
        "structured",
        "vocabulary",
    }
)

# hidden from type checkers, for which it would make every name that there is not a room of type Any
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name in _ROOMS:
            return importlib.import_module(f"softdraw.{name}")
        if name in functional.__all__:  # one that ``functional`` imports when it is first touched
            found = getattr(functional, name)
            globals()[name] = found
            return found
        raise AttributeError(f"module 'softdraw' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(set(globals()) | _ROOMS | set(functional.__all__))
