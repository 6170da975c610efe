"""Bias, variance and their kin from draws of a gradient, each with a standard error."""

import math
from dataclasses import asdict, dataclass, replace

import torch
from torch import Tensor

from softdraw.arguments import wrong_value

__all__ = ["Measures", "measure"]


@dataclass(frozen=True)
class Measures:
    """What draws of one estimator say about it. Every figure is followed by its standard error.

    Attributes:
        estimator: its name or repr.
        tau: its temperature, or None.
        draws: how many independent estimates were made.
        evaluations: values of f that one estimate asks for.
        bias: length of E[g] - exact, over all logits together, with the share that noise adds removed.
        variance: trace of the covariance of g.
        mse: mean of |g - exact|^2, which is bias^2 + variance.
        cosine: mean cosine between g and the exact gradient.
        dead: share of rows (one variable of one batch element) whose gradient is below 1e-6 of the largest
            row of the exact gradient.
        seconds: time of one ``expectation`` and its backward, for the whole batch.
    """

    estimator: str
    tau: float | None
    draws: int
    evaluations: int
    bias: float
    bias_error: float
    variance: float
    variance_error: float
    mse: float
    mse_error: float
    cosine: float
    cosine_error: float
    dead: float
    dead_error: float
    seconds: float = math.nan
    seconds_error: float = math.nan

    def with_seconds(self, seconds: float, error: float) -> "Measures":
        """The same with the time filled in."""
        return replace(self, seconds=seconds, seconds_error=error)

    def to_dict(self) -> dict[str, float | int | str | None]:
        """Plain values, one entry per figure."""
        return asdict(self)


def measure(
    gradients: Tensor, exact: Tensor, *, estimator: str, tau: float | None, evaluations: int
) -> Measures:
    """Summarise draws ``[N, *batch, D, C]`` of a gradient against the exact one ``[*batch, D, C]``, or in any
    other shape that has a dim.

    Raises:
        ValueError: fewer than two draws, or shapes that do not fit.

    Example:
        >>> import torch
        >>> from softdraw.diagnostics.measures import measure
        >>> g = torch.tensor([[[1.0, -1.0]], [[3.0, -3.0]]])
        >>> m = measure(g, torch.tensor([[2.0, -2.0]]), estimator="x", tau=None, evaluations=1)
        >>> m.bias, m.variance, m.mse, round(m.cosine, 6)
        (0.0, 4.0, 2.0, 1.0)
    """
    count = gradients.shape[0]
    if count < 2 or gradients.shape[1:] != exact.shape:
        raise wrong_value("gradients", gradients, f"2 or more draws of shape {tuple(exact.shape)}")
    draws = gradients.double().reshape(count, -1)
    truth = exact.double().reshape(-1)
    mean = draws.mean(0)
    off = mean - truth
    spread = (draws - mean).square().sum(1) * count / (count - 1)
    variance = spread.mean()
    # E|mean - truth|^2 is bias^2 + variance / N
    bias = (off.square().sum() - variance / count).clamp_min(0.0).sqrt()
    length = off.norm()
    along = draws @ (off / length) if length > 0 else draws[:, 0]
    error = (draws - truth).square().sum(1)
    scale = truth.norm() * draws.norm(dim=1)
    cosine = torch.where(scale > 0, draws @ truth / scale.clamp_min(1e-300), torch.zeros_like(scale))
    rows = gradients.double().norm(dim=-1).reshape(count, -1)
    threshold = 1e-6 * exact.double().norm(dim=-1).amax().clamp_min(1e-6)
    dead = (rows < threshold).double().mean(1)
    return Measures(
        estimator=estimator,
        tau=tau,
        draws=count,
        evaluations=evaluations,
        bias=float(bias),
        bias_error=_error(along),
        variance=float(variance),
        variance_error=_error(spread),
        mse=float(error.mean()),
        mse_error=_error(error),
        cosine=float(cosine.mean()),
        cosine_error=_error(cosine),
        dead=float(dead.mean()),
        dead_error=_error(dead),
    )


def _error(values: Tensor) -> float:
    return float(values.std() / values.numel() ** 0.5)
