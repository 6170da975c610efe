"""Estimators of the gradient of E[f(z)], z a categorical sample: one interface, one estimator a file.

May import ``kernels``, ``random``, ``functional``, ``schedules`` and ``distributions``. ``expectation``
serves any cost; those that ``needs`` only a tensor also return a differentiable sample. To add one, subclass
``Estimator`` or ``TensorEstimator`` under ``@register(name)``, import it here and give it a proof in
``tests/estimators/test_proofs.py``, which fails without.
"""

from softdraw.estimators.arm import ARM
from softdraw.estimators.arsm import ARSM
from softdraw.estimators.base import Cost, Estimator, TensorEstimator
from softdraw.estimators.binary_concrete import BinaryConcrete
from softdraw.estimators.decoupled_st_gumbel_softmax import DecoupledSTGumbelSoftmax
from softdraw.estimators.disarm import DisARM
from softdraw.estimators.enumeration import Enumeration
from softdraw.estimators.gapped_st import GappedST
from softdraw.estimators.gumbel_rao import GumbelRao
from softdraw.estimators.gumbel_softmax import GumbelSoftmax
from softdraw.estimators.imle import IMLE
from softdraw.estimators.indecater import IndeCateR
from softdraw.estimators.perturbed_argmax import PerturbedArgmax
from softdraw.estimators.rebar import REBAR
from softdraw.estimators.redge import ReDGE
from softdraw.estimators.registry import get, names, register
from softdraw.estimators.reinforce import Reinforce
from softdraw.estimators.reinmax import ReinMax
from softdraw.estimators.reinmax_rao import ReinMaxRao
from softdraw.estimators.relax import RELAX
from softdraw.estimators.rloo import RLOO
from softdraw.estimators.rodeo import RODEO
from softdraw.estimators.st import StraightThrough
from softdraw.estimators.st_gumbel_softmax import STGumbelSoftmax
from softdraw.estimators.unordered_set import UnorderedSet
from softdraw.estimators.vimco import VIMCO

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
    "UnorderedSet",
    "get",
    "names",
    "register",
]
