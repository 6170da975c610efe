"""REINFORCE and its baselines: f may be a black box.

May import: ``estimators._core``. The order of the imports is that in which ``names()`` lists the family.
"""

# ruff: noqa: I001
from softdraw.estimators.score_function.reinforce import Reinforce
from softdraw.estimators.score_function.rloo import RLOO
from softdraw.estimators.score_function.unordered_set import UnorderedSet
from softdraw.estimators.score_function.arm import ARM
from softdraw.estimators.score_function.disarm import DisARM
from softdraw.estimators.score_function.arsm import ARSM
from softdraw.estimators.score_function.vimco import VIMCO
from softdraw.estimators.score_function.rodeo import RODEO

__all__ = [
    "ARM",
    "ARSM",
    "RLOO",
    "RODEO",
    "VIMCO",
    "DisARM",
    "Reinforce",
    "UnorderedSet",
]
