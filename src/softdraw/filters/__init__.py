"""Filters of classes before a draw: logits in, a boolean mask out, True where a class may be drawn.

A mask goes to ``mask=`` of any draw. Noise belongs to a class and not to its rank, so a filter that keeps
the class that would win without it keeps the draw. What lives here: one filter a module, and ``rows``, which
reads their arguments. May import: ``softdraw.arguments``, ``softdraw.kernels``, torch. To add a filter, write
``filters/<name>.py`` with ``rows.read``, export it here, and add it to ``tests/filters/examples.py``.
"""

from softdraw.filters.min_p import min_p
from softdraw.filters.top_k import top_k
from softdraw.filters.top_p import top_p
from softdraw.filters.typical import typical

__all__ = ["min_p", "top_k", "top_p", "typical"]
