"""Costs of relaxed draws of a distribution."""

from typing import Any

from torch import Tensor

from softdraw.arguments import described
from softdraw.estimators._core.base import Cost, Estimator, call_cost
from softdraw.estimators._core.draws import Draws
from softdraw.estimators._core.laws import ask

__all__ = ["relaxed_cost"]


def relaxed_cost(
    caller: Estimator, f: Cost, law: Any, draws: Draws, tau: float | Tensor, *, hard: bool
) -> Tensor:
    """Mean costs ``[*batch]`` of S relaxed draws, with the gradient that ``relax`` of the law gives them."""
    y: Tensor = ask(caller, law, "relax", tau, hard=hard, sample_shape=(draws.samples,), key=draws.key)
    if y.shape[: 1 + len(law.batch_shape)] != (draws.samples, *law.batch_shape):
        raise ValueError(
            f"relax: got {described(y)} from {type(law).__name__}, expected "
            f"{(draws.samples, *law.batch_shape)} in front"
        )
    return call_cost(f, y, differentiable=True, caller=caller, batch=law.batch_shape).mean(0)
