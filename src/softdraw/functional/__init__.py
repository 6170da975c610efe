"""Stateless functions: draw a category (``gumbel_max``), relax the draw (``gumbel_softmax``,
``gumbel_sigmoid``), and give one tensor the gradient of another (``straight_through``).

May import: ``softdraw.random``, ``softdraw.kernels``, torch. To add a function, write
``functional/<name>.py`` with the argument rules of ``arguments.py``, export it here, and add it to
``EXAMPLES`` in ``tests/functional/examples.py``.
"""

from softdraw.functional.gumbel_max import gumbel_max
from softdraw.functional.gumbel_sigmoid import gumbel_sigmoid
from softdraw.functional.gumbel_softmax import gumbel_softmax
from softdraw.functional.straight_through import straight_through

__all__ = ["gumbel_max", "gumbel_sigmoid", "gumbel_softmax", "straight_through"]
