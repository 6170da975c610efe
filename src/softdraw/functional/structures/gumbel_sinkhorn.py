"""``gumbel_sinkhorn``: relaxed or straight-through matchings of perturbed scores."""

import warnings
from typing import Any, Literal, overload

import torch
from torch import Tensor

from softdraw.arguments import (
    check_floating,
    read_count,
    read_mask,
    read_noise,
    read_number,
    read_tau,
    wrong_value,
)
from softdraw.functional.straight_through import straight_through
from softdraw.kernels.fast_path import is_plain
from softdraw.kernels.formulas import allowed_classes, centred, wide
from softdraw.kernels.structures import matching_operations
from softdraw.random import Key, source

__all__ = ["gumbel_sinkhorn", "sinkhorn_limit"]

#: scores are not told apart beyond this many units of tau below the best one of their matrix
_FAR = 1e8


@overload
def gumbel_sinkhorn(
    scores: Tensor,
    tau: float | Tensor = ...,
    hard: bool = ...,
    *,
    tolerance: float = ...,
    max_iterations: int = ...,
    mask: Tensor | None = ...,
    key: Key | None = ...,
    generator: torch.Generator | None = ...,
    noise: Tensor | None = ...,
    return_error: Literal[False] = ...,
) -> Tensor: ...
@overload
def gumbel_sinkhorn(
    scores: Tensor,
    tau: float | Tensor = ...,
    hard: bool = ...,
    *,
    tolerance: float = ...,
    max_iterations: int = ...,
    mask: Tensor | None = ...,
    key: Key | None = ...,
    generator: torch.Generator | None = ...,
    noise: Tensor | None = ...,
    return_error: Literal[True],
) -> tuple[Tensor, Tensor]: ...
def gumbel_sinkhorn(
    scores: Tensor,
    tau: float | Tensor = 1.0,
    hard: bool = False,
    *,
    tolerance: float = 1e-3,
    max_iterations: int = 10_000,
    mask: Tensor | None = None,
    key: Key | None = None,
    generator: torch.Generator | None = None,
    noise: Tensor | None = None,
    return_error: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """The doubly stochastic matrix exp((scores + Gumbel noise) / tau + u_i + v_j), or the best matching.

    Rows and columns are normalised in turn, in log space, until the sum of each row is within ``tolerance``
    of what it should be; the columns then are exact. A fixed number of iterations is not enough: 20 leave
    rows that are off by a third for 50 x 50 scores at tau 0.1. The gradient is that of the limit, found by a
    linear system, so that memory does not grow with the iterations. **The noise does not make the result a
    sample of a law with a density**: as tau tends to 0 it becomes the best matching of perturbed scores,
    which is not a draw with probability proportional to exp(sum of scores).

    Args:
        scores: ``[*batch, n, m]``, of any floating dtype; ``-inf`` is a pair that is not allowed.
        tau: the temperature: a number, a 0-dim tensor, or one for each matrix, in a shape that broadcasts to
            ``batch``. 0 gives the best matching without gradient.
        hard: the best matching of the perturbed scores, with the gradient of the soft one; needs SciPy.
        tolerance: the largest error of a row's sum.
        max_iterations: where to give up. Then the error is larger, and in eager mode there is a warning.
        mask: boolean, broadcastable to the scores, False where a pair is not allowed. Rows and columns
            without an allowed pair are padding: they stay zero, and the others are matched as if alone.
        key: the name of the noise, one number for each pair; the last dim counts as class.
        generator: a source of a fresh key. Without any source, torch's default generator is one.
        noise: the caller's own noise, broadcastable to the scores; gradients reach it. Zeros give Sinkhorn's
            matrix of the scores themselves.
        return_error: also return the largest error of a row's sum, ``[*batch]``.

    Returns:
        ``[*batch, n, m]`` in the dtype of the scores. Each row sums to 1 and each column to at most 1, or
        the other way round where there are fewer columns. Gradients reach scores, tau and noise. NaN or
        ``+inf`` in an allowed pair makes a matrix NaN.

    Raises:
        TypeError: ``scores`` or ``noise`` is not floating, ``mask`` not boolean, or ``key`` no ``Key``.
        ValueError: fewer than two dims, a ``tau`` that is negative, NaN or does not fit, a ``mask`` or
            ``noise`` that does not broadcast, or more than one of key, generator and noise.
        ImportError: SciPy is not installed, and the best matching is asked for.

    Example:
        >>> import softdraw as sd, torch
        >>> scores = torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]], requires_grad=True)
        >>> y, error = sd.gumbel_sinkhorn(scores, tau=0.5, key=sd.Key(0), return_error=True)
        >>> bool(error <= 1e-3), bool((y.sum(-1) - 1).abs().max() <= 1e-3), bool(y.sum(-2).max() <= 1.001)
        (True, True, True)
        >>> sd.gumbel_sinkhorn(scores, hard=True, noise=torch.zeros(2, 3)).detach()
        tensor([[1., 0., 0.],
                [0., 1., 0.]])

    Reference:
        Mena, Belanger, Linderman, Snoek, "Learning latent permutations with Gumbel-Sinkhorn networks",
        ICLR 2018, equation 7; Sinkhorn, Knopp, "Concerning nonnegative matrices and doubly stochastic
        matrices", 1967. The gradient: Eisenberger et al., "A unified framework for implicit Sinkhorn
        differentiation", CVPR 2022.
    """
    check_floating("scores", scores)
    if scores.dim() < 2 or 0 in scores.shape[-2:]:
        raise wrong_value("scores", scores, "shape [*batch, n, m] with n and m of 1 or more")
    tolerance = read_number("tolerance", tolerance, above=0.0)
    max_iterations = read_count("max_iterations", max_iterations, 1)
    if key is not None or generator is not None or noise is not None:
        source.one_source(key, generator, noise)
    eager = is_plain(scores)
    tau = read_tau(tau, scores.flatten(-2), eager=eager)
    if eager and mask is None and noise is None and _is_usual(scores, tau):
        noise = source.noise("gumbel", scores, 1, key, generator, eager)[0]
        y, error = _usual(scores, noise, float(tau), hard, tolerance, max_iterations)
        _warn_of(error, tolerance, max_iterations)
        return (y, error) if return_error else y
    allowed = allowed_classes(scores.detach(), read_mask(mask, scores))
    if noise is None:
        noise = source.noise("gumbel", scores, 1, key, generator, eager)[0]
    else:
        noise = read_noise(noise, scores.shape, scores)
    z = torch.where(allowed, centred(scores.to(noise.dtype), allowed, 2) + noise, 0.0)
    best = None
    # (torch.jit.trace knows no full of a bool)
    cold = tau == 0 if isinstance(tau, Tensor) else torch.full((), float(tau == 0), device=scores.device) > 0
    # Outside eager mode temperatures are not read, and one that is a tensor is taken to be positive.
    if hard or (eager and bool(cold.any())) or (not isinstance(tau, Tensor) and tau == 0):
        best = matching_operations.assignment(torch.where(allowed, z.detach(), -torch.inf))
    y, error = sinkhorn_limit(z, allowed, tau, tolerance, max_iterations)
    if best is not None:
        y = torch.where(cold[..., None, None], best, y)
        error = torch.where(cold, 0.0, error)
    if eager:
        _warn_of(error, tolerance, max_iterations)
    result = (y if best is None or not hard else straight_through(best.to(y.dtype), y)).to(scores.dtype)
    return (result, error) if return_error else result


def _warn_of(error: Tensor, tolerance: float, max_iterations: int) -> None:
    if bool((error > tolerance).any()):
        warnings.warn(
            f"gumbel_sinkhorn: rows are off by up to {float(error.detach().max()):.2g} after "
            f"{max_iterations} iterations, more than tolerance={tolerance:g}; raise tau or max_iterations",
            RuntimeWarning,
            stacklevel=3,
        )


def sinkhorn_limit(
    z: Tensor, allowed: Tensor, tau: float | Tensor, tolerance: float, max_iterations: int
) -> tuple[Tensor, Tensor]:
    """Sinkhorn's matrix of ``z / tau`` and its largest error of a row's sum.

    Args:
        z: ``[*batch, n, m]``, finite, 0 where not allowed.
        allowed: boolean, in the shape of z.
        tau: a positive number, or one for each matrix in a shape that broadcasts to ``batch``.
        tolerance: where to stop.
        max_iterations: where to stop at the latest.
    """
    if z.shape[-2] > z.shape[-1]:
        y, error = sinkhorn_limit(z.mT, allowed.mT, tau, tolerance, max_iterations)
        return y.mT, error
    dtype = wide(z.device)
    x = z.to(dtype)
    column = (
        tau.reshape(*tau.shape, 1, 1)
        if isinstance(tau, Tensor)
        else torch.full((), tau, dtype=dtype, device=x.device)
    )
    rate = column.to(x.device, dtype).clamp(min=1e-30)
    top = torch.where(allowed, x.detach(), -torch.inf).amax((-2, -1), keepdim=True)
    top = torch.where(torch.isfinite(top), top, 0.0)
    x = torch.maximum(x - top, -_FAR * rate.detach())
    x = torch.where(torch.isfinite(rate), x / torch.where(torch.isfinite(rate), rate, 1.0), 0.0)
    bad = (allowed & ~torch.isfinite(z.detach())).flatten(-2).any(-1)
    x = torch.where(allowed, x, -torch.inf)
    rows, columns = allowed.any(-1).to(dtype), allowed.any(-2)
    # Columns that no row takes go to one more row, which stands for all that are missing.
    missing = columns.sum(-1).to(dtype) - rows.sum(-1)
    few = missing < 0  # more rows than columns beneath a mask: every row has a share of what there is
    share = torch.where(few, columns.sum(-1).to(dtype) / rows.sum(-1).clamp(min=1.0), 1.0)
    masses = torch.cat((rows * share.unsqueeze(-1), missing.clamp(min=0.0).unsqueeze(-1)), -1)
    rest = torch.where(columns, 0.0, -torch.inf).to(dtype).unsqueeze(-2)
    y, error, _ = matching_operations.sinkhorn(torch.cat((x, rest), -2), masses, max_iterations, tolerance)
    y = torch.where(bad[..., None, None], torch.nan, y[..., :-1, :])
    return y.to(z.dtype), torch.where(bad, torch.nan, error).to(z.dtype)


def _is_usual(scores: Tensor, tau: float | Tensor) -> bool:
    """Whether all pairs are allowed, no number is none, and there are as many columns as rows or more."""
    if isinstance(tau, Tensor) or not 1e-30 <= tau < torch.inf or scores.shape[-2] > scores.shape[-1]:
        return False
    return bool(torch.isfinite(scores.detach().sum()))


def _usual(
    scores: Tensor, noise: Tensor, tau: float, hard: bool, tolerance: float, max_iterations: int
) -> tuple[Tensor, Tensor]:
    """``gumbel_sinkhorn`` of usual scores and their noise: the same by a third of the operations."""
    n, m = scores.shape[-2:]
    with torch.no_grad():
        x = scores.to(wide(scores.device), copy=True)
        x.sub_(x.amax((-2, -1), keepdim=True)).add_(noise)
        best = matching_operations.assignment(x) if hard else None
        x.sub_(x.amax((-2, -1), keepdim=True)).div_(tau).clamp_(min=-_FAR)
    x = _Scaled.apply(scores, x, 1.0 / tau)  # type: ignore[no-untyped-call]
    masses = x.new_ones((*x.shape[:-2], n))
    if n < m:  # one more row stands for those that are missing
        masses = torch.cat((masses, x.new_full((*x.shape[:-2], 1), float(m - n))), -1)
        x = torch.cat((x, x.new_zeros((*x.shape[:-2], 1, m))), -2)
    y, error, _ = matching_operations.sinkhorn(x, masses, max_iterations, tolerance)
    y = y[..., :n, :] if n < m else y
    result = y if best is None else straight_through(best, y)
    return result.to(scores.dtype), error.to(noise.dtype)


class _Scaled(torch.autograd.Function):
    """What was made of the scores, with a slope: a shift moves nothing in Sinkhorn's limit."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, x: Tensor, slope: float) -> Tensor:
        ctx.slope, ctx.dtype = slope, scores.dtype
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return (grad * ctx.slope).to(ctx.dtype), None, None
