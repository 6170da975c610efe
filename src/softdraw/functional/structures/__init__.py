"""Draws and relaxations of sets, orders and matchings, imported when the first of them is asked for.

May import: what ``softdraw.functional`` may, and its other modules.
"""

from softdraw.functional.structures.gumbel_sinkhorn import gumbel_sinkhorn
from softdraw.functional.structures.gumbel_top_k import gumbel_top_k
from softdraw.functional.structures.relaxed_top_k import relaxed_top_k
from softdraw.functional.structures.soft_sort import soft_sort

__all__ = ["gumbel_sinkhorn", "gumbel_top_k", "relaxed_top_k", "soft_sort"]
