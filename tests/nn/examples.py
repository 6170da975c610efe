"""One example of every layer: a new one joins the tests of what all of them promise by one line."""

from collections.abc import Callable

import torch

import softdraw as sd

Examples = dict[str, tuple[Callable[..., torch.nn.Module], torch.Tensor]]

#: name -> (layer for given options, an input for it), of layers that take ``estimator=``
CHOICES: Examples = {
    "Choice": (lambda **o: sd.nn.Choice(**o), torch.linspace(-1, 1, 40).reshape(2, 5, 4)),
    "GumbelSoftmax": (lambda **o: sd.nn.GumbelSoftmax(**o), torch.linspace(-1, 1, 40).reshape(2, 5, 4)),
    "GumbelSigmoid": (lambda **o: sd.nn.GumbelSigmoid(**o), torch.linspace(-1, 1, 40).reshape(2, 5, 4)),
    "CategoricalLatent": (
        lambda **o: sd.nn.CategoricalLatent(3, 4, prior="learned", **o),
        torch.linspace(-1, 1, 60).reshape(5, 12),
    ),
    "GumbelVectorQuantizer": (
        lambda **o: sd.nn.GumbelVectorQuantizer(6, 8, groups=2, entries=5, **o),
        torch.linspace(-1, 1, 60).reshape(2, 5, 6),
    ),
    "HardConcreteGate": (
        lambda **o: sd.nn.HardConcreteGate(6, **o),
        torch.linspace(-1, 1, 60).reshape(2, 5, 6),
    ),
    "ConcreteSelector": (
        lambda **o: sd.nn.ConcreteSelector(6, 3, **o),
        torch.linspace(-1, 1, 60).reshape(2, 5, 6),
    ),
}
#: the same of subsets, orders, matchings and trees
STRUCTURED: Examples = {
    "TopKGate": (
        lambda **o: sd.nn.TopKGate(6, 4, **({"k": 2} | o)),
        torch.linspace(-1, 1, 60).reshape(2, 5, 6),
    ),
    "SubsetSelector": (
        lambda **o: sd.nn.SubsetSelector(**({"k": 2} | o)),
        torch.linspace(-1, 1, 40).reshape(2, 5, 4),
    ),
    "SoftRank": (
        lambda **o: sd.nn.SoftRank(**({"noise": True} | o)),
        torch.linspace(-1, 1, 40).reshape(2, 5, 4),
    ),
    "SinkhornMatching": (
        lambda **o: sd.nn.SinkhornMatching(**o),
        torch.linspace(-1, 1, 40).sin().reshape(2, 5, 4),
    ),
    "LatentTree": (
        lambda **o: sd.nn.LatentTree(**o),
        torch.linspace(-1, 1, 48).mul(7).sin().reshape(3, 4, 4),
    ),
}
#: the same of tokens from a vocabulary, which have estimators of their own
TOKENS: Examples = {
    "GumbelEmbedding": (
        lambda **o: sd.nn.GumbelEmbedding(6, 6, **o),
        torch.linspace(-1, 1, 60).sin().reshape(2, 5, 6),
    ),
}
EXAMPLES: Examples = {**CHOICES, **STRUCTURED, **TOKENS}
#: layers whose logits are there, so that ``Adaptive`` may watch their gradient
WATCHED = [name for name in EXAMPLES if name not in TOKENS]
#: what makes the value of a layer depend on its temperature
SOFT: dict[str, dict[str, object]] = (
    {name: {} if name == "HardConcreteGate" else {"estimator": "gumbel-softmax"} for name in CHOICES}
    | {name: {} for name in STRUCTURED}
    | {name: {"hard": False} for name in TOKENS}
)


def first(output: object) -> torch.Tensor:
    """The tensor that a layer returns, or the first of those."""
    return output[0] if isinstance(output, tuple) else output


def make(name: str, **options: object) -> tuple[torch.nn.Module, torch.Tensor]:
    """The layer with fixed parameters, and its input."""
    build, x = EXAMPLES[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build(**options), x.clone()
