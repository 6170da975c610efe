"""Stateless functions: draw a category (``gumbel_max``) or k of them (``gumbel_top_k``), relax the draw
(``gumbel_softmax``, ``gumbel_sigmoid``, ``relaxed_top_k``, ``gumbel_sinkhorn``), relax what has no noise
(``topk``, ``soft_sort``), and give one tensor the gradient of another (``straight_through``).

``structures`` holds those of sets, orders and matchings. May import: ``softdraw.random``,
``softdraw.kernels``, torch. To add a function, write ``functional/<name>.py`` with the argument rules of
``arguments.py``, export it here, and add it to ``EXAMPLES`` in ``tests/functional/examples.py``.
"""

import importlib
from typing import TYPE_CHECKING, Any

from softdraw.functional.gumbel_max import gumbel_max
from softdraw.functional.gumbel_sigmoid import gumbel_sigmoid
from softdraw.functional.gumbel_softmax import gumbel_softmax
from softdraw.functional.straight_through import straight_through

if TYPE_CHECKING:
    from softdraw.functional import topk
    from softdraw.functional.structures.gumbel_sinkhorn import gumbel_sinkhorn
    from softdraw.functional.structures.gumbel_top_k import gumbel_top_k
    from softdraw.functional.structures.relaxed_top_k import relaxed_top_k
    from softdraw.functional.structures.soft_sort import soft_sort

__all__ = [
    "gumbel_max",
    "gumbel_sigmoid",
    "gumbel_sinkhorn",
    "gumbel_softmax",
    "gumbel_top_k",
    "relaxed_top_k",
    "soft_sort",
    "straight_through",
    "topk",
]

# Those of ``structures`` are imported when first touched, so that a program without them starts sooner.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name == "topk":
            return importlib.import_module("softdraw.functional.topk")
        if name in __all__:
            return getattr(importlib.import_module("softdraw.functional.structures"), name)
        raise AttributeError(f"module 'softdraw.functional' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
