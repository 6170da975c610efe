"""Estimators of the gradient of E[f(z)], z a categorical sample or a draw of any distribution.

One interface, a folder for each family. May import ``kernels``, ``random``, ``functional``, ``schedules`` and
``distributions``; other distributions are known by their methods alone (``_core/laws.py``). ``expectation``
serves any cost; those that ``needs`` only a tensor also return a differentiable sample. To add one, subclass
``Estimator``, ``TensorEstimator`` or ``TemperedEstimator`` under ``@register(name)`` in the folder of its
family, import it in that folder's ``__init__`` and here, and give it a proof in
``tests/estimators/test_proofs.py``, which fails without.
"""

from softdraw.estimators._core.base import Cost, Estimator, TensorEstimator
from softdraw.estimators._core.errors import TooManyStatesError, UnsuitableError
from softdraw.estimators._core.laws import Law
from softdraw.estimators._core.registry import get, names, register
from softdraw.estimators._core.tempered import TemperedEstimator
from softdraw.estimators.control_variate import REBAR, RELAX
from softdraw.estimators.exact import Enumeration, IndeCateR
from softdraw.estimators.perturbation import IMLE, PerturbedArgmax
from softdraw.estimators.relaxed import BinaryConcrete, GumbelSoftmax
from softdraw.estimators.score_function import ARM, ARSM, RLOO, RODEO, VIMCO, DisARM, Reinforce, UnorderedSet
from softdraw.estimators.straight_through import (
    DecoupledSTGumbelSoftmax,
    GappedST,
    GumbelRao,
    ReDGE,
    ReinMax,
    ReinMaxRao,
    STGumbelSoftmax,
    StraightThrough,
)
from softdraw.estimators.structured import Marginal, Relaxed, STRelaxed

__all__ = [
    "ARM",
    "ARSM",
    "IMLE",
    "REBAR",
    "RELAX",
    "RLOO",
    "RODEO",
    "VIMCO",
    "BinaryConcrete",
    "Cost",
    "DecoupledSTGumbelSoftmax",
    "DisARM",
    "Enumeration",
    "Estimator",
    "GappedST",
    "GumbelRao",
    "GumbelSoftmax",
    "IndeCateR",
    "Law",
    "Marginal",
    "PerturbedArgmax",
    "ReDGE",
    "ReinMax",
    "ReinMaxRao",
    "Reinforce",
    "Relaxed",
    "STGumbelSoftmax",
    "STRelaxed",
    "StraightThrough",
    "TemperedEstimator",
    "TensorEstimator",
    "TooManyStatesError",
    "UnorderedSet",
    "UnsuitableError",
    "get",
    "names",
    "register",
]
