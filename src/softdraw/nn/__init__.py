"""Layers with a discrete choice inside that gradients pass.

What lives here: modules with parameters, train and eval behaviour. May import: every room above. A layer of
categorical choices takes ``estimator=`` and ``tau=`` and hands them to ``Choice``, which draws; subsets,
orders, matchings and trees are in ``structured``. To add one: write ``<name>.py`` with a ``ChoiceLayer``,
export it here, and add it to ``tests/nn/examples.py``, where the promises of every layer are tested.
"""

from softdraw.nn.categorical_latent import CategoricalLatent, CategoricalLatentOutput
from softdraw.nn.choice import Choice
from softdraw.nn.concrete_selector import ConcreteSelector
from softdraw.nn.gumbel_embedding import GumbelEmbedding
from softdraw.nn.gumbel_sigmoid import GumbelSigmoid
from softdraw.nn.gumbel_softmax import GumbelSoftmax
from softdraw.nn.gumbel_vector_quantizer import GumbelVectorQuantizer, GumbelVectorQuantizerOutput
from softdraw.nn.hard_concrete_gate import HardConcreteGate
from softdraw.nn.structured import (
    LatentTree,
    SinkhornMatching,
    SoftRank,
    SoftRankOutput,
    SubsetSelector,
    TopKGate,
    TopKGateOutput,
)

__all__ = [
    "CategoricalLatent",
    "CategoricalLatentOutput",
    "Choice",
    "ConcreteSelector",
    "GumbelEmbedding",
    "GumbelSigmoid",
    "GumbelSoftmax",
    "GumbelVectorQuantizer",
    "GumbelVectorQuantizerOutput",
    "HardConcreteGate",
    "LatentTree",
    "SinkhornMatching",
    "SoftRank",
    "SoftRankOutput",
    "SubsetSelector",
    "TopKGate",
    "TopKGateOutput",
]
