"""Estimators for structures: any distribution with marginals or a relaxation; logits are its simplest case.

May import: ``estimators._core``, and the families that a one-hot sample leads back to. The order of the
imports is that in which ``names()`` lists the family.
"""

from softdraw.estimators.structured.marginal import Marginal
from softdraw.estimators.structured.relaxed import Relaxed
from softdraw.estimators.structured.st_relaxed import STRelaxed

__all__ = [
    "Marginal",
    "Relaxed",
    "STRelaxed",
]
