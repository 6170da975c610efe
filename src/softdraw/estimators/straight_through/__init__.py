"""Hard samples whose backward borrows another sample's gradient.

May import: ``estimators._core``. The order of the imports is that in which ``names()`` lists the family.
"""

# ruff: noqa: I001
from softdraw.estimators.straight_through.st import StraightThrough
from softdraw.estimators.straight_through.st_gumbel_softmax import STGumbelSoftmax
from softdraw.estimators.straight_through.decoupled_st_gumbel_softmax import DecoupledSTGumbelSoftmax
from softdraw.estimators.straight_through.gapped_st import GappedST
from softdraw.estimators.straight_through.gumbel_rao import GumbelRao
from softdraw.estimators.straight_through.reinmax import ReinMax
from softdraw.estimators.straight_through.reinmax_rao import ReinMaxRao
from softdraw.estimators.straight_through.redge import ReDGE

__all__ = [
    "DecoupledSTGumbelSoftmax",
    "GappedST",
    "GumbelRao",
    "ReDGE",
    "ReinMax",
    "ReinMaxRao",
    "STGumbelSoftmax",
    "StraightThrough",
]
