"""Layers with a categorical choice inside, trained by any estimator that returns a sample.

What lives here: modules with parameters, train and eval behaviour. May import: every room above. Each takes
``estimator=`` and ``tau=`` and hands them to ``Choice``, which draws. To add one: write ``<name>.py`` with a
``ChoiceLayer``, export it here, and add it to ``tests/nn/examples.py``, where the promises of every layer are
tested.
"""

from softdraw.nn.categorical_latent import CategoricalLatent, CategoricalLatentOutput
from softdraw.nn.choice import Choice
from softdraw.nn.concrete_selector import ConcreteSelector
from softdraw.nn.gumbel_sigmoid import GumbelSigmoid
from softdraw.nn.gumbel_softmax import GumbelSoftmax
from softdraw.nn.gumbel_vector_quantizer import GumbelVectorQuantizer, GumbelVectorQuantizerOutput
from softdraw.nn.hard_concrete_gate import HardConcreteGate

__all__ = [
    "CategoricalLatent",
    "CategoricalLatentOutput",
    "Choice",
    "ConcreteSelector",
    "GumbelSigmoid",
    "GumbelSoftmax",
    "GumbelVectorQuantizer",
    "GumbelVectorQuantizerOutput",
    "HardConcreteGate",
]
