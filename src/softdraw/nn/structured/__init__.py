"""Layers whose choice is more than one class: a subset, an order, a matching, a tree.

What lives here: ``StructuredLayer``, which holds temperature and ranks, and one layer a module. They are
public in ``softdraw.nn``. May import: every room above ``softdraw.nn``. To add one: write ``<name>.py`` with
a ``StructuredLayer``, export it here and in ``softdraw.nn``, and add it to ``STRUCTURED`` in
``tests/nn/examples.py``.
"""

from softdraw.nn.structured.latent_tree import LatentTree
from softdraw.nn.structured.sinkhorn_matching import SinkhornMatching
from softdraw.nn.structured.soft_rank import SoftRank, SoftRankOutput
from softdraw.nn.structured.subset_selector import SubsetSelector
from softdraw.nn.structured.top_k_gate import TopKGate, TopKGateOutput

__all__ = [
    "LatentTree",
    "SinkhornMatching",
    "SoftRank",
    "SoftRankOutput",
    "SubsetSelector",
    "TopKGate",
    "TopKGateOutput",
]
