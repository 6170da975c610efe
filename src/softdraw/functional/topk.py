"""Relaxed top-k of scores, without noise: ``entropic``, ``successive`` and ``sparse``.

``softdraw.relaxed_top_k`` adds the noise. Each function maps scores ``[*, n]`` to weights ``[*, n]`` that
tend to the k-hot of the k largest as ``tau`` tends to 0.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from softdraw.arguments import check_classes, read_choice, read_count, read_mask, read_tau, sizes_of
from softdraw.functional.order import best_first, k_hot, ranked
from softdraw.kernels import dispatch, formulas
from softdraw.kernels.fast_path import is_plain
from softdraw.kernels.formulas import Scores
from softdraw.kernels.structures import entropic as fused
from softdraw.recording import recordable

__all__ = ["entropic", "sparse", "successive"]

#: Newton's method inside a bracket: 7 steps reach rounding error on every row that was tried
_STEPS = 16


@recordable
def entropic(
    scores: Tensor, k: int, tau: float | Tensor = 1.0, hard: bool = False, *, mask: Tensor | None = None
) -> Tensor:
    """y_i = sigmoid((x_i - ν) / tau), with the ν at which Σ y = k: always in [0, 1], always k in sum.

    It maximises ``x · y + tau Σ H(y_i)`` over all y in [0, 1] with sum k. The gradient is that of the exact
    root: with s = y (1 - y), dy / dx = (diag(s) - s sᵀ / Σ s) / tau, whatever finds the root.

    Args:
        scores: x, ``[*, n]`` of any floating dtype.
        k: how many, from 0 to n.
        tau: the temperature, as in :func:`softdraw.gumbel_softmax`; 0 gives the k-hot without gradient,
            ``inf`` gives k / n.
        hard: the k-hot of the k largest, with the gradient of the soft value.
        mask: boolean, broadcastable to the scores; False gives exactly 0. A row with k allowed scores or
            fewer is 1 on all of them.

    Returns:
        Weights in the shape and dtype of the scores; gradients reach them and ``tau``. NaN or ``+inf`` in
        a row makes it NaN.

    Raises:
        TypeError: the scores are not floating, ``k`` no int, ``mask`` not boolean.
        ValueError: k out of range, or a ``tau`` or ``mask`` that does not fit.

    Example:
        >>> import softdraw as sd, torch
        >>> y = sd.topk.entropic(torch.tensor([2.0, 1.0, 0.0, -1.0]), k=2, tau=0.5)
        >>> y, y.sum()
        (tensor([0.9526, 0.7311, 0.2689, 0.0474]), tensor(2.))

    Reference:
        Amos, Koltun, Kolter, "The limited multi-label projection layer", 2019, which is this program at
        tau = 1; Paulus, Choi, Tarlow, Krause, Maddison, "Gradient estimation with stochastic softmax
        tricks", NeurIPS 2020, call it the binary-entropy relaxation.
    """
    k, tau, mask = _checked(scores, k, tau, mask)
    y = fused_entropic(scores, mask, k, tau, hard)
    if y is None:
        y = relax("entropic", without_noise(scores, mask), k, tau, hard)
    return y.to(scores.dtype)


@recordable
def successive(
    scores: Tensor, k: int, tau: float | Tensor = 1.0, hard: bool = False, *, mask: Tensor | None = None
) -> Tensor:
    """The sum of k softmaxes, each of scores lowered by log(1 - what the one before took).

    For comparison with published results: it sums to k, but **its entries exceed 1** (by up to 1.8 for 5
    of 20 at tau 1), and at low temperatures its gradient is large. ``1 - p`` is taken from the other entries
    where p is near 1, so that neither value nor gradient is NaN. Arguments as for ``entropic``.

    Example:
        >>> import softdraw as sd, torch
        >>> y = sd.topk.successive(torch.tensor([2.0, 1.0, 0.0, -1.0]), k=2, tau=0.5)
        >>> y, y.sum()
        (tensor([1.3560, 0.5515, 0.0814, 0.0111]), tensor(2.))

    Reference:
        Xie, Ermon, "Reparameterizable subset sampling via continuous relaxations", IJCAI 2019, algorithm 2;
        Plötz, Roth, "Neural nearest neighbors networks", NeurIPS 2018, equation 8.
    """
    return relax("successive", *_read(scores, k, tau, mask), hard).to(scores.dtype)


@recordable
def sparse(
    scores: Tensor, k: int, tau: float | Tensor = 1.0, hard: bool = False, *, mask: Tensor | None = None
) -> Tensor:
    """The nearest point to ``x / tau`` among all y in [0, 1] with sum k: most entries are exactly 0 or 1.

    y_i = clip(x_i / tau - ν, 0, 1), whose gradient moves only the entries strictly between 0 and 1. Arguments
    as for ``entropic``.

    Example:
        >>> import softdraw as sd, torch
        >>> sd.topk.sparse(torch.tensor([2.0, 1.0, 0.5, -1.0]), k=2)
        tensor([1.0000, 0.7500, 0.2500, 0.0000])

    Reference:
        Wang, Lu, "Projection onto the capped simplex", 2015.
    """
    return relax("sparse", *_read(scores, k, tau, mask), hard).to(scores.dtype)


def _checked(
    scores: Tensor, k: int, tau: float | Tensor, mask: Tensor | None
) -> tuple[int, float | Tensor, Tensor | None]:
    check_classes("scores", scores, "[*batch, n]")
    k = read_count("k", k, 0, sizes_of(scores)[-1])
    tau = read_tau(tau, scores, eager=is_plain(scores))
    return k, tau, read_mask(mask, scores)


def _read(
    scores: Tensor, k: int, tau: float | Tensor, mask: Tensor | None
) -> tuple[Scores, int, float | Tensor]:
    k, tau, mask = _checked(scores, k, tau, mask)
    return without_noise(scores, mask), k, tau


def fused_entropic(z: Tensor, mask: Tensor | None, k: int, tau: float | Tensor, hard: bool) -> Tensor | None:
    """``entropic`` of scores (with their noise) by one loop; None where that is for ``relax`` to do."""
    if not is_plain(z):
        return None
    wide = z.to(formulas.compute_dtype(z.dtype))
    if mask is not None:
        wide = torch.where(mask, wide, -torch.inf)
    y = fused.entropic(wide, k, tau)
    if y is None or not hard:
        return y
    hot = k_hot(wide, wide.detach() != -torch.inf, k).to(y.dtype)
    hot = torch.where(y.detach().isnan(), torch.nan, hot)
    return hot + (y - y.detach())


def without_noise(scores: Tensor, mask: Tensor | None) -> Scores:
    """Scores that nothing perturbs."""
    none = torch.zeros((), dtype=scores.dtype, device=scores.device)
    return formulas.scores(scores, read_mask(mask, scores), none)


def check_method(method: str) -> None:
    """Refuse what is no relaxation of this module."""
    read_choice("method", method, tuple(_METHODS))


def relax(method: str, drawn: Scores, k: int, tau: float | Tensor, hard: bool) -> Tensor:
    """The relaxation called ``method`` of perturbed scores, in the dtype that is computed in."""
    z, allowed, bad = drawn
    top, middle = _split(z, allowed, k)
    hot = top.to(z.dtype)
    column = tau.unsqueeze(-1) if isinstance(tau, Tensor) and tau.dim() else tau
    least = 1e-30
    if isinstance(column, Tensor):
        floor = column.to(z.dtype).clamp(min=least)
    else:
        floor = torch.full((), max(column, least), dtype=z.dtype, device=z.device)
    # For k = 0 every entry is replaced, and z only keeps the result in the graph.
    soft = z if k == 0 else _METHODS[method](z, middle, floor, top, allowed, k)
    few = allowed.sum(-1, keepdim=True) <= (k or sizes_of(z)[-1])
    y = torch.where(few | ~allowed, hot, soft)
    if isinstance(column, Tensor):
        y = torch.where(column == 0, hot, y)
    elif column == 0:
        y = hot + y * 0.0  # the product keeps the result in the graph, with gradient 0
    if hard:
        y = hot + (y - y.detach())
    return torch.where(bad, torch.nan, y)


def _split(z: Tensor, allowed: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Which are the k largest, and the value ``[*, 1]`` half-way between the k-th and the next."""
    n = sizes_of(z)[-1]
    order = ranked(z, allowed)
    index = best_first(order, min(k + 1, n))
    top = torch.zeros_like(allowed).scatter(-1, index[..., :k], 1) & allowed
    if k in (0, n):
        return top, torch.zeros_like(z[..., :1])
    edge = order.gather(-1, index[..., k - 1 :])
    # halved first, because the sum of two large numbers may overflow
    middle = (0.5 * edge).sum(-1, keepdim=True)
    return top, torch.where(torch.isfinite(middle), middle, 0.0)


def _quotient(z: Tensor, floor: Tensor, bound: float) -> Tensor:
    """``z / tau`` within the bound, beyond which the relaxation is flat: tau's gradient stays finite."""
    limit = (bound * floor.detach()).clamp(max=torch.finfo(z.dtype).max)
    inside = torch.minimum(torch.maximum(z, -limit), limit)
    return torch.where(torch.isfinite(floor), inside / floor, 0.0)


def _flat(dtype: torch.dtype) -> float:
    """The distance at which a sigmoid is 0 or 1 in ``dtype``."""
    return 800.0 if dtype == torch.float64 else 110.0


def _entropic(z: Tensor, middle: Tensor, floor: Tensor, top: Tensor, allowed: Tensor, k: int) -> Tensor:
    v = _quotient(z - middle, floor, _flat(z.dtype))
    sign = torch.where(top, -1.0, 1.0).to(v.dtype)
    u = torch.where(allowed, v * sign, -torch.inf)
    shift = balance(u.detach(), sign, top, k)
    # Two steps of Newton's method from the root change no value, and carry its derivatives of first, second
    # and third order, under every transform.
    for _ in range(2):
        p = torch.sigmoid(u + sign * shift)
        slope = (p * (1.0 - p)).sum(-1, keepdim=True)
        shift = shift - (sign * p).sum(-1, keepdim=True) / torch.where(slope == 0, 1.0, slope)
    p = torch.sigmoid(u + sign * shift)
    return torch.where(top, 1.0 - p, p)


def balance(u: Tensor, sign: Tensor, top: Tensor, k: int) -> Tensor:
    """The shift ``[*, 1]`` at which the k largest lack as much of 1 as all others have above 0.

    With v the scores in units of tau, centred between the k-th and the next, it is the c at which
    Σ_rest sigmoid(v + c) = Σ_top sigmoid(-v - c), which is Σ sigmoid(v + c) = k without its cancellation.
    c lies between -log(n - k) and log k. Newton's method on the difference of the logarithms, whose slope
    is near 2 wherever the sums are small, kept in that bracket.

    Args:
        u: v times ``sign``, no gradient; ``-inf`` for what is not allowed.
        sign: -1 for the k largest, 1 for the others.
        top: which are the k largest.
        k: how many, 1 or more.
    """
    others = (~top & (u != -torch.inf)).sum(-1, keepdim=True).clamp(min=1)
    low, high = -torch.log(others.to(u.dtype)), torch.full_like(u[..., :1], math.log(k))
    programs = dispatch.programs_of(u) if is_plain(u) else None
    if programs is not None:
        found: Tensor = programs.balance(u, top, low, high, _STEPS)
        return found
    shift = torch.zeros_like(high)
    tolerance = 4.0 * torch.finfo(u.dtype).eps
    eager = is_plain(u) and u.is_cpu
    for _ in range(_STEPS):
        p = torch.sigmoid(u + sign * shift)
        q = p * (1.0 - p)
        above, lack = p.masked_fill(top, 0.0).sum(-1, keepdim=True), (p * top).sum(-1, keepdim=True)
        both = (above > 0) & (lack > 0)
        above, lack = torch.where(both, above, 1.0), torch.where(both, lack, 1.0)
        rate = q.masked_fill(top, 0.0).sum(-1, keepdim=True) / above + (q * top).sum(-1, keepdim=True) / lack
        step = torch.log(lack / above) / torch.where(rate > 0, rate, 1.0)
        low, high = torch.where(step > 0, shift, low), torch.where(step > 0, high, shift)
        next_shift = shift + step
        inside = (next_shift >= low) & (next_shift <= high)
        shift = torch.where(inside, next_shift, 0.5 * (low + high))
        if eager and bool((step.abs() <= tolerance).all()):
            break
    return shift


def _successive(z: Tensor, middle: Tensor, floor: Tensor, top: Tensor, allowed: Tensor, k: int) -> Tensor:
    best = torch.where(allowed, z.detach(), -torch.inf).amax(-1, keepdim=True)
    x = _quotient(z - torch.where(torch.isfinite(best), best, 0.0), floor, 1e7)
    lowest = -1e30
    x = torch.where(allowed, x, lowest)
    total = torch.zeros_like(x)
    for step in range(k):
        first = torch.zeros_like(allowed).scatter(-1, x.detach().argmax(-1, keepdim=True), 1)
        rest = torch.where(first, lowest, x).logsumexp(-1, keepdim=True)
        p = torch.where(allowed, x.softmax(-1), 0.0)
        total = total + p
        if step < k - 1:
            # 1 - p of the largest is what the others have together; the others' p are at most 1/2
            left = torch.where(first, -softplus(x - rest), torch.log1p(-p.masked_fill(first, 0.0)))
            x = (x + left).clamp(min=lowest)
    return total


def _sparse(z: Tensor, middle: Tensor, floor: Tensor, top: Tensor, allowed: Tensor, k: int) -> Tensor:
    v = torch.where(allowed, _quotient(z - middle, floor, 100.0), -1e3)
    # Σ clip(v - ν, 0, 1) grows, as ν falls, from each v on and no more from each v - 1 on.
    fixed = v.detach()
    ends, order = torch.cat((fixed, fixed - 1.0), -1).sort(dim=-1, descending=True)
    turn = torch.where(order < v.shape[-1], 1.0, -1.0).to(v.dtype)
    slope = turn.cumsum(-1)
    grown = torch.cat((torch.zeros_like(ends[..., :1]), (slope[..., :-1] * -ends.diff(dim=-1))), -1).cumsum(
        -1
    )
    at = (grown < k).sum(-1, keepdim=True).clamp(max=sizes_of(ends)[-1] - 1)
    rate = slope.gather(-1, (at - 1).clamp(min=0))
    root = ends.gather(-1, at) + (grown.gather(-1, at) - k) / torch.where(rate == 0, 1.0, rate)
    ones, inner = fixed - root >= 1, (fixed > root) & (fixed - root < 1)
    # The same root once more, from the entries that are strictly inside, whose sum carries the gradient.
    count = inner.sum(-1, keepdim=True)
    room = k - ones.sum(-1, keepdim=True)
    root = torch.where(count > 0, ((v * inner).sum(-1, keepdim=True) - room) / count.clamp(min=1), root)
    return torch.where(ones, 1.0, torch.where(inner, (v - root).clamp(0.0, 1.0), 0.0))


_METHODS = {"entropic": _entropic, "successive": _successive, "sparse": _sparse}
