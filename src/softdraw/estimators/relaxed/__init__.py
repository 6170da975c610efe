"""Pathwise gradients of soft samples.

May import: ``estimators._core``. The order of the imports is that in which ``names()`` lists the family.
"""

# ruff: noqa: I001
from softdraw.estimators.relaxed.gumbel_softmax import GumbelSoftmax
from softdraw.estimators.relaxed.binary_concrete import BinaryConcrete

__all__ = [
    "BinaryConcrete",
    "GumbelSoftmax",
]
