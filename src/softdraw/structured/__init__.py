"""Distributions over sets, orders, matchings, trees and chains: exact where it is possible.

What lives here: one class for each law, all of them ``torch.distributions`` citizens with exact draws,
probabilities, marginals and relaxations. ``softdraw.estimators.Law`` says what an estimator asks of them.
May import: ``softdraw.random``, ``softdraw.functional``, ``softdraw.kernels``, torch. To add a law: write
``<name>.py`` with a subclass of ``Structured`` (``base`` says which methods), export it here, and add it to
``tests/structured/laws.py``, where the promises of all of them are tested by enumeration.
"""

from softdraw.structured.arborescence import Arborescence
from softdraw.structured.base import Structured
from softdraw.structured.chain import Chain
from softdraw.structured.matching import Matching
from softdraw.structured.ordered_subset import OrderedSubset
from softdraw.structured.spanning_tree import SpanningTree
from softdraw.structured.subset import Subset

__all__ = ["Arborescence", "Chain", "Matching", "OrderedSubset", "SpanningTree", "Structured", "Subset"]
