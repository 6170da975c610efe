"""What every estimator needs of a categorical variable: classes, probabilities, one-hots, a temperature.

An estimator's logits are ``[*batch, D, C]``. A class is allowed where the mask is True and the logit is not
``-inf``; a row with no allowed class has probabilities zero and the zero vector as its only sample, so
padding adds nothing to a score function and gets no gradient.
"""

from typing import Any

from torch import Tensor, contiguous_format

from softdraw.arguments import read_tau
from softdraw.kernels.fast_path import is_plain
from softdraw.kernels.formulas import (
    allowed_classes,
    compute_dtype,
    masked_log_softmax,
    masked_softmax,
    one_hot,
)

__all__ = [
    "allowed_classes",
    "column",
    "compute_dtype",
    "log_probabilities",
    "one_hot",
    "probabilities",
    "row_tau",
    "row_temperature",
]

#: softmax(logits / tau) over the allowed classes, differentiable
probabilities = masked_softmax


def log_probabilities(logits: Tensor, allowed: Tensor) -> Tensor:
    """Log softmax(logits) over the allowed classes, ``-inf`` elsewhere; no gradient."""
    return masked_log_softmax(logits.detach(), allowed)


def column(tau: float | Tensor) -> float | Tensor:
    """A temperature that was read (a number, or one value a row) as it broadcasts against the logits."""
    return tau.unsqueeze(-1) if isinstance(tau, Tensor) and tau.dim() else tau


def row_temperature(tau: Any, logits: Tensor, name: str = "tau") -> Any:
    """A temperature that an estimator holds or was given, as a number or one value a row; None stays so."""
    # a number was read when it was given
    return (
        tau if tau is None or type(tau) is float else read_tau(tau, logits, eager=is_plain(logits), name=name)
    )


def row_tau(tau: float | Tensor, logits: Tensor) -> float | Tensor:
    """The same as the kernels take it: a float, or a tensor of one value a row, ``[*rows]``."""
    if not isinstance(tau, Tensor):
        return tau
    # a copy: a schedule may step before the backward
    return tau.expand(logits.shape[:-1]).clone(memory_format=contiguous_format)
