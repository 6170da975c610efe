"""Estimators that sum over classes or states.

May import: ``estimators._core``. The order of the imports is that in which ``names()`` lists the family.
"""

from softdraw.estimators.exact.enumeration import Enumeration
from softdraw.estimators.exact.indecater import IndeCateR

__all__ = [
    "Enumeration",
    "IndeCateR",
]
