"""The setting of Liu et al. 2023 (arXiv:2304.08612), and what each estimator was tuned to.

Learning rates and temperatures are those of the code of ReinMax and of the search that the repository
ReinMax_ASC writes down beside it ("according to table 8"). What neither names (``redge``, ``rloo``,
``disarm``) has the learning rate of ReinMax.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

import softdraw as sd
from softdraw.estimators import Estimator

__all__ = ["ESTIMATORS", "LATENTS", "PACKAGE", "Latents", "Setting", "serves", "setting_of"]

PACKAGE = "reinmax (package)"
"""The PyPI package of ReinMax's authors, in the same loop."""
RATE = 5e-4
#: how each estimator is made at a temperature
ESTIMATORS: dict[str, Callable[[float], Estimator]] = {
    "st": lambda tau: sd.estimators.get("st", tau=tau),
    "st-gumbel-softmax": lambda tau: sd.estimators.get("st-gumbel-softmax", tau=tau),
    "gumbel-rao": lambda tau: sd.estimators.get("gumbel-rao", tau=tau, draws=100),
    "gapped-st": lambda tau: sd.estimators.get("gapped-st", tau=tau, gap=1.0),
    "reinmax": lambda tau: sd.estimators.get("reinmax", tau=tau),
    "redge": lambda tau: sd.estimators.get("redge", steps=5, t1=0.5),
    "rloo": lambda tau: sd.estimators.get("rloo", samples=4),
    "disarm": lambda tau: sd.estimators.get("disarm"),
}
#: temperature of each estimator by the latents; those that have none are left out
TEMPERATURES = {
    "8x4": {"st": 1.3, "st-gumbel-softmax": 0.5, "gumbel-rao": 0.5, "gapped-st": 1.0, "reinmax": 1.3},
    "4x24": {"st": 1.5, "st-gumbel-softmax": 0.3, "gumbel-rao": 0.3, "gapped-st": 0.5, "reinmax": 1.5},
    # ours: binary, and as many states as 8x4
    "2x12": {"st": 1.3, "st-gumbel-softmax": 0.5, "gumbel-rao": 0.5, "gapped-st": 1.0, "reinmax": 1.3},
}
#: where it is not ``RATE``
RATES = {("8x4", "st"): 1e-3, ("8x4", "st-gumbel-softmax"): 3e-4}


@dataclass(frozen=True)
class Latents:
    """``variables`` choices among ``classes``; the paper writes classes first."""

    classes: int
    variables: int

    @property
    def states(self) -> int:
        """How many codes there are."""
        return self.classes**self.variables


LATENTS = {"8x4": Latents(8, 4), "4x24": Latents(4, 24), "2x12": Latents(2, 12)}


@dataclass(frozen=True)
class Setting:
    """What a run is made of."""

    latents: str
    estimator: str
    tau: float | None
    rate: float
    optimizer: str

    def make_optimizer(self, weights: list[Tensor]) -> torch.optim.Optimizer:
        """The optimizer, over these weights."""
        if self.optimizer == "Adam":
            return torch.optim.Adam(weights, lr=self.rate, fused=True)
        return torch.optim.RAdam(weights, lr=self.rate)


def serves(estimator: str, latents: str) -> bool:
    """DisARM is for binary choices alone."""
    return estimator != "disarm" or LATENTS[latents].classes == 2


def setting_of(latents: str, estimator: str, tau: float | None = None) -> Setting:
    """The tuned setting, or another temperature in it."""
    name = "reinmax" if estimator == PACKAGE else estimator
    if name not in ESTIMATORS:
        raise SystemExit(
            f"--estimators: got {estimator!r}, expected some of {', '.join([*ESTIMATORS, PACKAGE])}"
        )
    if not serves(name, latents):
        raise SystemExit(f"--estimators: disarm serves binary choices, not {latents}; ask for --latents 2x12")
    chosen = TEMPERATURES[latents].get(name) if tau is None else tau
    optimizer = "RAdam" if latents == "4x24" else "Adam"
    return Setting(latents, estimator, chosen, RATES.get((latents, name), RATE), optimizer)
