"""What every estimator needs of a categorical variable: allowed classes, probabilities, one-hots.

An estimator's logits are ``[*batch, D, C]``. A class is allowed where the mask is True and the logit is not
``-inf``; a row with no allowed class has probabilities zero and the zero vector as its only sample, so
padding adds nothing to a score function and gets no gradient.
"""

import math

import torch
from torch import Tensor

from softdraw.kernels.formulas import compute_dtype, masked_softmax

__all__ = [
    "allowed_classes",
    "as_tau",
    "compute_dtype",
    "log_probabilities",
    "one_hot",
    "probabilities",
    "row_tau",
]

#: softmax(logits / tau) over the allowed classes, differentiable
probabilities = masked_softmax


def allowed_classes(logits: Tensor, mask: Tensor | None) -> Tensor:
    """Boolean tensor in the shape of the logits: True where a class may be drawn."""
    allowed = logits != -math.inf
    return allowed if mask is None else allowed & mask


def as_tau(tau: float | Tensor, logits: Tensor) -> float | Tensor:
    """A temperature in a shape that broadcasts against the logits.

    A tensor with as many dims as the logits has size 1 at the last; one with fewer dims broadcasts against
    the batch shape ``logits.shape[:-1]``.

    Raises:
        ValueError: a negative or NaN float, or a tensor of another shape.
    """
    if not isinstance(tau, Tensor):
        if not tau >= 0.0:
            raise ValueError(f"tau={tau!r}: expected a temperature >= 0")
        return float(tau)
    tau = tau.to(compute_dtype(logits.dtype))
    if tau.dim() == 0:
        return tau
    if tau.dim() == logits.dim() and tau.shape[-1] == 1:
        return tau
    rows = logits.shape[:-1]
    if tau.dim() < logits.dim() and _broadcasts(tau.shape, rows):
        return tau.unsqueeze(-1)
    raise ValueError(
        f"tau has shape {tuple(tau.shape)}: expected a scalar, size 1 at the last dim, or a shape that "
        f"broadcasts against {tuple(rows)} for logits of shape {tuple(logits.shape)}"
    )


def row_tau(tau: float | Tensor, logits: Tensor) -> float | Tensor:
    """The same as the kernels take it: a float or one value a row, ``[*rows]``."""
    tau = as_tau(tau, logits)
    if not isinstance(tau, Tensor):
        return tau
    rows = (tau.squeeze(-1) if tau.dim() else tau).expand(logits.shape[:-1])
    # a copy: a schedule may step before the backward
    return rows.clone(memory_format=torch.contiguous_format)


def _broadcasts(shape: torch.Size, target: torch.Size) -> bool:
    return all(a in (1, b) for a, b in zip(reversed(shape), reversed(target), strict=False))


def log_probabilities(logits: Tensor, allowed: Tensor) -> Tensor:
    """Log softmax(logits) over the allowed classes, ``-inf`` elsewhere; no gradient."""
    values = logits.detach().to(compute_dtype(logits.dtype)).masked_fill(~allowed, -math.inf)
    return values.log_softmax(-1).masked_fill(~allowed, -math.inf)


def one_hot(index: Tensor, classes: int, dtype: torch.dtype, poison: Tensor | None = None) -> Tensor:
    """One-hot vectors ``[..., classes]`` of indices ``[...]``; index -1 gives a row of zeros.

    ``poison`` (0 or NaN, in the shape of the index) fills the rows whose index is -1, so that a row with a
    NaN logit does not pass for an empty one.
    """
    drawn = index >= 0
    base = torch.zeros((), dtype=dtype, device=index.device)
    if poison is not None:
        base = torch.where(drawn, base, poison.to(dtype)).unsqueeze(-1)
    src = drawn.to(dtype) if poison is None else torch.where(drawn, 1.0, poison).to(dtype)
    return base.expand(*index.shape, classes).scatter(-1, index.clamp_min(0).unsqueeze(-1), src.unsqueeze(-1))
