"""Stateless functions: draw a category (``gumbel_max``) or k of them (``gumbel_top_k``), relax the draw
(``gumbel_softmax``, ``gumbel_sigmoid``, ``relaxed_top_k``, ``gumbel_sinkhorn``), relax what has no noise
(``topk``, ``soft_sort``), and give one tensor the gradient of another (``straight_through``).

May import: ``softdraw.random``, ``softdraw.kernels``, torch. To add a function, write
``functional/<name>.py`` with the argument rules of ``arguments.py``, export it here, and add it to
``EXAMPLES`` in ``tests/functional/examples.py``.
"""

from softdraw.functional import topk
from softdraw.functional.gumbel_max import gumbel_max
from softdraw.functional.gumbel_sigmoid import gumbel_sigmoid
from softdraw.functional.gumbel_sinkhorn import gumbel_sinkhorn
from softdraw.functional.gumbel_softmax import gumbel_softmax
from softdraw.functional.gumbel_top_k import gumbel_top_k
from softdraw.functional.relaxed_top_k import relaxed_top_k
from softdraw.functional.soft_sort import soft_sort
from softdraw.functional.straight_through import straight_through

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
