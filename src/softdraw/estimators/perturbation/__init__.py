"""Gradients of perturbed maximisers.

May import: ``estimators._core``. The order of the imports is that in which ``names()`` lists the family.
"""

from softdraw.estimators.perturbation.imle import IMLE
from softdraw.estimators.perturbation.perturbed_argmax import PerturbedArgmax

__all__ = [
    "IMLE",
    "PerturbedArgmax",
]
