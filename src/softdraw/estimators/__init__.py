"""Estimators of the gradient of E[f(z)], z a categorical sample: one interface, one estimator a file.

May import ``kernels``, ``random``, ``functional``, ``schedules`` and ``distributions``. ``expectation``
serves any cost; those that ``needs`` only a tensor also return a differentiable sample. To add one, subclass
``Estimator`` or ``TensorEstimator`` under ``@register(name)``, import it here and give it a proof in
``tests/estimators/test_proofs.py``, which fails without.
"""

from softdraw.estimators._core.base import Cost, Estimator, TensorEstimator
from softdraw.estimators._core.errors import TooManyStatesError, UnsuitableError
from softdraw.estimators._core.registry import get, names, register
from softdraw.estimators.control_variate.rebar import REBAR
from softdraw.estimators.control_variate.relax import RELAX
from softdraw.estimators.exact.enumeration import Enumeration
from softdraw.estimators.exact.indecater import IndeCateR
from softdraw.estimators.perturbation.imle import IMLE
from softdraw.estimators.perturbation.perturbed_argmax import PerturbedArgmax
from softdraw.estimators.relaxed.binary_concrete import BinaryConcrete
from softdraw.estimators.relaxed.gumbel_softmax import GumbelSoftmax
from softdraw.estimators.score_function.arm import ARM
from softdraw.estimators.score_function.arsm import ARSM
from softdraw.estimators.score_function.disarm import DisARM
from softdraw.estimators.score_function.reinforce import Reinforce
from softdraw.estimators.score_function.rloo import RLOO
from softdraw.estimators.score_function.rodeo import RODEO
from softdraw.estimators.score_function.unordered_set import UnorderedSet
from softdraw.estimators.score_function.vimco import VIMCO
from softdraw.estimators.straight_through.decoupled_st_gumbel_softmax import DecoupledSTGumbelSoftmax
from softdraw.estimators.straight_through.gapped_st import GappedST
from softdraw.estimators.straight_through.gumbel_rao import GumbelRao
from softdraw.estimators.straight_through.redge import ReDGE
from softdraw.estimators.straight_through.reinmax import ReinMax
from softdraw.estimators.straight_through.reinmax_rao import ReinMaxRao
from softdraw.estimators.straight_through.st import StraightThrough
from softdraw.estimators.straight_through.st_gumbel_softmax import STGumbelSoftmax

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
    "PerturbedArgmax",
    "ReDGE",
    "ReinMax",
    "ReinMaxRao",
    "Reinforce",
    "STGumbelSoftmax",
    "StraightThrough",
    "TensorEstimator",
    "TooManyStatesError",
    "UnorderedSet",
    "UnsuitableError",
    "get",
    "names",
    "register",
]
