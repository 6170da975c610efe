"""The arithmetic between noise and sample, as differentiable PyTorch.

The reference backend evaluates it, and so does every call whose derivative goes beyond the fast path:
gradients of the temperature or of the caller's noise, forward mode, ``torch.func`` and compiled graphs.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = [
    "Scores",
    "allowed_classes",
    "centred",
    "compute_dtype",
    "largest",
    "masked_log_softmax",
    "masked_softmax",
    "normalised",
    "one_hot",
    "relaxed",
    "row_top",
    "scores",
    "weights",
    "wide",
]


def compute_dtype(dtype: torch.dtype) -> torch.dtype:
    """float64 for float64, float32 for every narrower type."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def wide(device: torch.device) -> torch.dtype:
    """The dtype of log-space values, densities and log partitions: float64 wherever the device has it."""
    return torch.float32 if device.type == "mps" else torch.float64


#: a logit this far (in units of tau) below its row's maximum has probability exactly 0 in every dtype
_NEGLIGIBLE = -2e3


class Scores(NamedTuple):
    """Perturbed logits ``z = logits - max + noise``, and what may be drawn of them.

    ``z`` is finite or below: 0 where ``allowed`` is False. ``bad`` marks, with a last dim of 1, the rows
    whose allowed logits hold NaN or +inf.
    """

    z: Tensor
    allowed: Tensor
    bad: Tensor

    def ranked(self) -> Tensor:
        """``z`` with ``-inf`` where a class is not allowed."""
        return torch.where(self.allowed, self.z, -torch.inf)

    def winner(self) -> Tensor:
        """The first best class of each row; -1 for a row with NaN, +inf or no allowed class."""
        none = self.bad.squeeze(-1) | ~self.allowed.any(-1)
        # An allowed class may score -inf (a difference of logits that overflows), so it must outrank the
        # others.
        ranked = torch.where(
            self.allowed, self.z.detach().clamp(min=torch.finfo(self.z.dtype).min), -torch.inf
        )
        return torch.where(none, -1, ranked.argmax(-1))

    def best(self, k: int) -> Tensor:
        """The k best classes ``[*, k]`` of each row, best first and of equals the lower; -1 after the last
        allowed one, and throughout a row with NaN or +inf.
        """
        ranked = torch.where(
            self.allowed, self.z.detach().clamp(min=torch.finfo(self.z.dtype).min), -torch.inf
        )
        index = largest(ranked, k)
        return torch.where(self.allowed.gather(-1, index) & ~self.bad, index, -1)

    def hot(self, index: Tensor | None = None) -> Tensor:
        """The winner's one-hot, exact zeros and ones: rows of zeros for an empty row, of NaN for a bad one.

        ``index`` is ``winner()``, from a caller who has it.
        """
        index = self.winner() if index is None else index
        return torch.where(self.bad, torch.nan, one_hot(index, self.z.shape[-1], self.z.dtype))


def largest(values: Tensor, k: int) -> Tensor:
    """Indices ``[*, k]`` of the k largest, best first and of equals the lower."""
    if torch.onnx.is_in_onnx_export():
        return values.topk(k).indices  # by ONNX's definition the lower of equals; it has no stable sort
    return values.sort(dim=-1, descending=True, stable=True).indices[..., :k]


def scores(logits: Tensor, mask: Tensor | None, noise: Tensor, top: Tensor | None = None) -> Scores:
    """Scores of ``logits`` (classes last) under ``noise``, in the dtype that is computed in.

    ``top`` is the rows' ``row_top``, from a caller who has only some of their classes.
    """
    dtype = compute_dtype(logits.dtype)
    wide = logits.to(dtype)
    allowed = allowed_classes(wide, mask)
    top = row_top(wide, allowed) if top is None else top
    # NaN and +inf reach the maximum, so one test of it finds them.
    bad = torch.isnan(top) | (top == torch.inf)
    usable = torch.where(torch.isfinite(top), top, 0.0)
    z = torch.where(allowed & ~bad, wide - usable, 0.0) + noise.to(dtype)
    allowed = allowed.expand(z.shape)
    bad = (bad | (torch.isnan(z.detach()) & allowed).any(-1, keepdim=True)).expand(*z.shape[:-1], 1)
    return Scores(torch.where(allowed & ~bad, z, 0.0), allowed, bad)


def row_top(logits: Tensor, allowed: Tensor) -> Tensor:
    """The largest allowed logit of each row, with a last dim of 1; NaN where one of them is, no gradient."""
    return torch.where(allowed, logits.detach(), -torch.inf).amax(-1, keepdim=True)


def centred(values: Tensor, allowed: Tensor, dims: int = 1) -> Tensor:
    """Values ``[*]`` less their largest allowed one over the last ``dims``: noise that is added then is not
    rounded to the steps of large numbers. ``-inf`` stays, and nothing finite becomes it.
    """
    where = tuple(range(-dims, 0))
    top = torch.where(allowed, values.detach(), -torch.inf).amax(where, keepdim=True)
    lower = (values - torch.where(torch.isfinite(top), top, 0.0)).clamp(min=torch.finfo(values.dtype).min)
    return torch.where(values.detach() == -torch.inf, -torch.inf, lower)


def relaxed(drawn: Scores, tau: float | Tensor) -> Tensor:
    """softmax(z / tau) over the allowed classes: 0 elsewhere, NaN in bad rows, a one-hot at ``tau = 0``.

    ``tau`` is a float or broadcasts against ``z``. At ``tau = 0`` the gradient is 0.
    """
    weight = weights(drawn, tau, drawn.ranked().detach().amax(-1, keepdim=True))
    return normalised(drawn, weight, weight.sum(-1, keepdim=True), tau, drawn.hot)


def weights(drawn: Scores, tau: float | Tensor, best: Tensor) -> Tensor:
    """exp((z - best) / tau) of the allowed classes and 0 elsewhere; ``best`` is the row's largest ``z``."""
    z, allowed, _ = drawn
    s = torch.where(allowed, z - torch.where(torch.isfinite(best), best, 0.0), 0.0)
    least = 1e-30
    if isinstance(tau, Tensor):
        floor = tau.to(z.dtype).clamp(min=least)
    else:
        floor = torch.full((), max(tau, least), dtype=z.dtype, device=z.device)
    # Below this the exponential is 0; the bound keeps the quotient, and with it tau's gradient, finite.
    lowest = -800.0 if z.dtype == torch.float64 else -110.0
    bound = (lowest * floor.detach()).clamp(min=torch.finfo(z.dtype).min)
    quotient = torch.where(torch.isfinite(floor), torch.maximum(s, bound) / floor, 0.0)
    return torch.where(allowed, torch.exp(quotient), 0.0)


def normalised(
    drawn: Scores, weight: Tensor, total: Tensor, tau: float | Tensor, hot: Callable[[], Tensor]
) -> Tensor:
    """The sample of ``weights`` and their sum; ``hot`` makes its limit, for rows at ``tau = 0``."""
    y = weight / torch.where(total == 0, 1.0, total)
    if isinstance(tau, Tensor):
        y = torch.where(tau == 0, hot(), y)
    elif tau == 0:
        # The product keeps the sample in the graph, with gradient 0.
        y = hot() + y * 0.0
    return torch.where(drawn.bad, torch.nan, y)


def one_hot(index: Tensor, classes: int, dtype: torch.dtype, poison: Tensor | None = None) -> Tensor:
    """One-hot rows ``[*, classes]`` of indices ``[*]``; index -1 gives a row of zeros.

    ``poison`` (0 or NaN, in the shape of the index) fills the rows whose index is -1, so that a row with a
    NaN logit does not pass for an empty one.
    """
    hot = (torch.arange(classes, device=index.device) == index.unsqueeze(-1)).to(dtype)
    if poison is None:
        return hot
    return torch.where((index < 0).unsqueeze(-1), poison.to(dtype).unsqueeze(-1), hot)


def allowed_classes(logits: Tensor, mask: Tensor | None) -> Tensor:
    """Where a class may be drawn: the mask is True and the logit not ``-inf``; the shape of the logits."""
    allowed = logits != -torch.inf
    return allowed if mask is None else allowed & mask


def masked_softmax(logits: Tensor, allowed: Tensor, tau: float | Tensor = 1.0) -> Tensor:
    """softmax(logits / tau) over the allowed classes of the last dim, differentiable in logits and tau.

    A row with none is 0 throughout. Computed in float32 (float64 for float64 logits) on logits less their
    row's maximum and returned in that dtype. ``tau = 0`` gives the one-hot of the largest logit with gradient
    zero, ``tau = inf`` is uniform.
    """
    values = logits.to(compute_dtype(logits.dtype)).masked_fill(~allowed, -torch.inf)
    top = values.detach().amax(-1, keepdim=True)
    # an empty row is shifted by 0 instead of by -inf, which would make NaN of every entry
    values = (values - top.masked_fill(top == -torch.inf, 0.0)).masked_fill(~allowed, 0.0)
    scaled = _divide(values, tau, allowed)
    return scaled.masked_fill(~allowed, -torch.inf).softmax(-1).masked_fill(~allowed, 0.0)


def masked_log_softmax(logits: Tensor, allowed: Tensor) -> Tensor:
    """Log softmax(logits) over the allowed classes of the last dim, ``-inf`` elsewhere; no gradient is NaN.

    Computed and returned in float32 (float64 for float64 logits).
    """
    values = logits.to(compute_dtype(logits.dtype)).masked_fill(~allowed, -torch.inf)
    # A row of -inf would make NaN of its gradient: it is replaced before, and masked after.
    values = torch.where(allowed.any(-1, keepdim=True), values, 0.0)
    return values.log_softmax(-1).masked_fill(~allowed, -torch.inf)


def _divide(values: Tensor, tau: float | Tensor, allowed: Tensor) -> Tensor:
    if not isinstance(tau, Tensor):
        if tau == 1.0:
            return values
        if tau == 0.0:
            return _limit(values, allowed)
        return values.clamp_min(_NEGLIGIBLE * tau) / tau
    cold = tau == 0
    safe = tau.masked_fill(cold, 1.0)
    scaled = torch.maximum(values, _NEGLIGIBLE * safe.detach()) / safe
    return torch.where(cold, _limit(values, allowed), scaled)


def _limit(values: Tensor, allowed: Tensor) -> Tensor:
    best = values.detach().masked_fill(~allowed, -torch.inf).argmax(-1, keepdim=True)
    return torch.full_like(values, -torch.inf).scatter(-1, best, 0.0)
