"""Everything that reads logits, in one list: functions, distributions, estimators and layers.

A promise about arguments, devices or tracing is tested over this list. What is new joins by the list of its
own room.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

import softdraw as sd

from .distributions.examples import DISCRETE
from .distributions.examples import EXAMPLES as DISTRIBUTIONS
from .filters.examples import EXAMPLES as FILTERS
from .functional.examples import EXAMPLES as FUNCTIONS
from .functional.examples import INDICES
from .nn.examples import EXAMPLES as LAYERS
from .nn.examples import first

__all__ = ["READERS", "Reader"]


@dataclass
class Reader:
    """Something that reads logits.

    ``build(**options)`` makes what is called with logits and arguments. ``argument`` is what the first
    argument is called, ``tau`` what a temperature is called (None without one), ``takes`` the other
    arguments, ``options`` which of them ``build`` takes, ``dims`` how many dims logits have at least (0 for
    what has no dim of classes).
    """

    build: Callable[..., Callable[..., Any]]
    argument: str = "logits"
    tau: str | None = None
    takes: frozenset[str] = field(default_factory=frozenset)
    dims: int = 1
    shape: tuple[int, ...] = (3, 4)
    options: frozenset[str] = field(default_factory=frozenset)

    def call(self, logits: Any, **given: Any) -> Any:
        """One draw of one that is made for it."""
        options = {name: given.pop(name) for name in self.options & given.keys()}
        return self.build(**options)(logits, **given)

    def logits(self, **options: Any) -> torch.Tensor:
        """Logits, or another input, that are right."""
        return torch.linspace(-1, 1, torch.Size(self.shape).numel(), **options).reshape(self.shape)


def _function(name: str) -> Reader:
    # the examples give a temperature of their own by position; errors are looked for in the function itself
    base = name.split(maxsplit=1)[0]
    function = getattr(sd, base)
    options = {"k": 2} if "top_k" in base else {}
    tau = None if name in INDICES else "tau"
    takes = {"mask", "noise", "key", "generator"}
    takes |= {"dim"} if base in ("gumbel_softmax", "gumbel_max", "gumbel_top_k") else set()
    takes |= {"sample_shape"} if name in INDICES else set()
    takes |= {"tau"} if tau else set()
    if "hard" in name:
        options["hard"] = True
    if "successive" in name or "sparse" in name:
        options["method"] = name.rsplit(maxsplit=1)[-1]
    return Reader(
        lambda: partial(function, **options),
        tau=tau,
        takes=frozenset(takes),
        dims=0 if base == "gumbel_sigmoid" else 1,
    )


def _scores(function: Callable[..., Any], *takes: str, dims: int = 1, **options: Any) -> Reader:
    """A function whose first argument is called ``scores``."""
    return Reader(
        lambda: partial(function, **options),
        argument="scores",
        tau="tau",
        takes=frozenset({"tau", *takes}),
        dims=dims,
    )


def _distribution(name: str) -> Reader:
    cls = getattr(sd.distributions, name)
    relaxed = name not in DISCRETE
    binary = "Bernoulli" in name or name == "HardConcrete"

    def call(logits: Any, temperature: Any = 0.5, mask: Any = None, **draw: Any) -> torch.Tensor:
        head = (temperature,) if relaxed else ()
        d = cls(*head, logits=logits, mask=mask)
        sample = d.rsample if relaxed else d.sample
        return sample(draw.pop("sample_shape", ()), **draw)

    takes = {"mask", "sample_shape", "key", "generator"} | ({"temperature"} if relaxed else set())
    return Reader(
        lambda: call,
        tau="temperature" if relaxed else None,
        takes=frozenset(takes),
        dims=0 if binary else 1,
    )


def _estimator(name: str, form: str) -> Reader:
    classes = 2 if sd.estimators.get(name).binary else 3
    tempered = isinstance(sd.estimators.get(name), sd.estimators._core.tempered.TemperedEstimator)

    def build() -> Callable[..., torch.Tensor]:
        with torch.device("cpu"):  # whatever the default is: what an estimator has lies with its logits
            est = sd.estimators.get(name)
        if form == "expectation":
            return partial(est.expectation, lambda z: (z * z.cumsum(-1)).sum((-1, -2)))
        return est

    return Reader(
        build,
        tau="tau" if tempered else None,
        takes=frozenset({"mask", "key", "generator"} | ({"tau"} if tempered else set())),
        dims=2 if form == "expectation" else 1,
        shape=(3, 2, classes),
    )


def _layer(name: str, mode: str) -> Reader:
    build, x = LAYERS[name]
    argument = {
        **dict.fromkeys(("GumbelVectorQuantizer", "HardConcreteGate", "ConcreteSelector", "TopKGate"), "x"),
        **dict.fromkeys(("SoftRank", "SinkhornMatching"), "scores"),
        "LatentTree": "edge_logits",
        "GumbelEmbedding": "hidden",
    }.get(name, "logits")
    masked = name not in ("HardConcreteGate", "ConcreteSelector")
    takes = {"key", "generator"} | ({"mask"} if masked else set())

    def made(**options: Any) -> Callable[..., torch.Tensor]:
        with torch.device("cpu"), torch.random.fork_rng():
            torch.manual_seed(0)
            layer = build(**options).train(mode == "train")
        return lambda value, **given: first(layer(value, **given))

    return Reader(
        made,
        argument=argument,
        tau="tau" if mode == "train" else None,
        takes=frozenset(takes),
        dims={"GumbelSigmoid": 0, "SinkhornMatching": 2, "LatentTree": 2}.get(name, 1),
        shape=tuple(x.shape),
        options=frozenset({"tau"}),
    )


TENSOR = [name for name in sd.estimators.names() if sd.estimators.get(name).needs == "tensor"]
READERS: dict[str, Reader] = {
    **{name: _function(name) for name in FUNCTIONS},
    "soft_sort": _scores(sd.soft_sort),
    "soft_sort neuralsort": _scores(sd.soft_sort, method="neuralsort"),
    "topk.entropic": _scores(sd.topk.entropic, "mask", k=2),
    "topk.successive": _scores(sd.topk.successive, "mask", k=2),
    "topk.sparse": _scores(sd.topk.sparse, "mask", k=2),
    **{
        f"filters.{name}": Reader(partial(partial, filter_), takes=frozenset({"mask"}))
        for name, filter_ in FILTERS.items()
    },
    "gumbel_sinkhorn": _scores(sd.gumbel_sinkhorn, "mask", "noise", "key", "generator", dims=2),
    **{name: _distribution(name) for name in DISTRIBUTIONS},
    **{f"{name} expectation": _estimator(name, "expectation") for name in sd.estimators.names()},
    **{f"{name} sample": _estimator(name, "sample") for name in TENSOR},
    **{f"{name} {mode}": _layer(name, mode) for name in LAYERS for mode in ("train", "eval")},
}
