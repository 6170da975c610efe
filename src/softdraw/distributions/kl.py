"""Closed-form KL divergences, registered with ``torch.distributions.kl_divergence``."""

import math

import torch
from torch import Tensor
from torch.distributions.kl import register_kl
from torch.nn.functional import logsigmoid

from softdraw._torch import is_readable
from softdraw.distributions.categorical import Categorical
from softdraw.distributions.hard_concrete import HardConcrete
from softdraw.distributions.one_hot_categorical import OneHotCategorical
from softdraw.distributions.relaxed.base import Relaxed
from softdraw.kernels.formulas import compute_dtype, wide


@register_kl(Categorical, Categorical)  # type: ignore[no-untyped-call, untyped-decorator]
def kl_categorical(p: Categorical, q: Categorical) -> Tensor:
    """``Σ p (log p - log q)`` over the classes that ``p`` allows: ``inf`` where ``q`` forbids one of them.

    Rows of ``p`` without a class give 0, so padding costs nothing. Gradients are finite at masked classes.
    """
    covered = q._allowed | ~p._allowed
    both = p._allowed & q._allowed
    log_p = p._log_probs.masked_fill(~p._allowed, 0.0)
    log_q = q._log_probs.masked_fill(~q._allowed, 0.0)
    weight = p._log_probs.exp()
    terms = torch.where(both, weight * (log_p - log_q), 0.0)
    return torch.where(covered.all(-1), terms.sum(-1), math.inf)


@register_kl(OneHotCategorical, OneHotCategorical)  # type: ignore[no-untyped-call, untyped-decorator]
def kl_one_hot_categorical(p: OneHotCategorical, q: OneHotCategorical) -> Tensor:
    """The divergence of the categorical distributions behind ``p`` and ``q``."""
    value: Tensor = kl_categorical(p._categorical, q._categorical)
    return value


@register_kl(Relaxed, Relaxed)  # type: ignore[no-untyped-call, untyped-decorator]
def kl_relaxed(p: Relaxed, q: Relaxed) -> Tensor:
    """No closed form: says what to use instead."""
    raise NotImplementedError(
        f"the KL divergence from {type(p).__name__} to {type(q).__name__} has no closed form: estimate it "
        "with softdraw.distributions.kl_estimate(p, q, draws), or take that of the discrete distributions "
        "behind them (p.categorical and q.categorical, or Bernoulli(logits=p.logits)), as discrete VAEs do"
    )


@register_kl(HardConcrete, HardConcrete)  # type: ignore[no-untyped-call, untyped-decorator]
def kl_hard_concrete(p: HardConcrete, q: HardConcrete) -> Tensor:
    """KL divergence of two hard Concrete gates of one temperature and stretch, ``[*batch_shape]``.

    Both are one monotone map of a logistic variable around the logits ``a`` and ``b``, so the atoms give
    ``P log(P / Q)`` each, and the part between them, with ``u = sigmoid(x - a)`` and ``c = exp(-|a - b|)``,
    ``∫ |a - b| + 2 log(c + (1 - c) s) ds``, whose antiderivative is elementary (``s`` is ``u`` or ``1 - u``).

    Raises:
        NotImplementedError: temperature, gamma or zeta differ; use ``kl_estimate``, or
            ``kl_divergence(p.gate, q.gate)`` for whether the gates are open.
    """
    same = (p.gamma, p.zeta) == (q.gamma, q.zeta)
    if same and is_readable(p.temperature, q.temperature):
        same = bool((p.temperature == q.temperature).all())
    if not same:
        raise NotImplementedError(
            "the KL divergence of two HardConcretes has a closed form only for one temperature, gamma and "
            "zeta: use softdraw.distributions.kl_estimate(p, q, draws), or kl_divergence(p.gate, q.gate)"
        )
    dtype = wide(p._scores.device)
    tau = p.temperature.to(dtype)
    x0, x1 = tau * p._ends[0], tau * p._ends[1]
    a, b = p._finite_scores(dtype), q._finite_scores(dtype)
    distance = (b - a).abs()
    at_0 = torch.sigmoid(x0 - a) * (logsigmoid(x0 - a) - logsigmoid(x0 - b))
    at_1 = torch.sigmoid(a - x1) * (logsigmoid(a - x1) - logsigmoid(b - x1))
    # s runs from P(z = 0) up, or from P(z = 1) up: each end as a sigmoid of its own, for no digit is lost
    # then.
    rises = b > a
    s0 = torch.where(rises, torch.sigmoid(a - x1), torch.sigmoid(x0 - a))
    s1 = torch.where(rises, torch.sigmoid(a - x0), torch.sigmoid(x1 - a))
    value = at_0 + at_1 + distance * (s1 - s0) + 2.0 * _log_line_integral(distance, s0, s1)
    # A certain p costs the log probability of its atom under q; a certain q forbids all else.
    shut, wide_open = p._scores == -math.inf, p._scores == math.inf
    certain = torch.where(wide_open, -logsigmoid(b - x1), -logsigmoid(x0 - b))
    value = torch.where(shut | wide_open, certain, value)
    value = torch.where(q._allowed, value, torch.where(p._scores == q._scores, 0.0, math.inf).to(dtype))
    return value.to(compute_dtype(torch.promote_types(p._dtype, q._dtype)))


def _log_line_integral(distance: Tensor, s0: Tensor, s1: Tensor) -> Tensor:
    """``∫ log(c + (1 - c) s) ds`` from ``s0`` to ``s1``, for ``c = exp(-distance)``."""
    slope = -torch.expm1(-distance)
    flat = slope < 1e-2
    # Near c = 1 the antiderivative divides two small numbers: its power series in the slope, to rounding
    # error.
    t0, t1 = 1.0 - s0, 1.0 - s1
    small = torch.where(flat, slope, 0.0)
    series = torch.zeros_like(small)
    for k in range(1, 9):
        series = series - small**k * (t0 ** (k + 1) - t1 ** (k + 1)) / (k * (k + 1))
    steep = torch.where(flat, 1.0, slope)
    w0, w1 = 1.0 - steep * t0, 1.0 - steep * t1
    exact = (torch.xlogy(w1, w1) - torch.xlogy(w0, w0)) / steep - (s1 - s0)
    return torch.where(flat, series, exact)
