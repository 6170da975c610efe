"""The drawing functions for DTensors; ``draw`` is that of ``softdraw.functional``, for local logits."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from softdraw.arguments import check_samples, read_sample_shape, wrong_value
from softdraw.kernels.formulas import (
    Scores,
    allowed_classes,
    compute_dtype,
    normalised,
    row_top,
    scores,
    weights,
)
from softdraw.random import Key, source
from softdraw.sharding.collectives import max_over, sum_over
from softdraw.sharding.spread import Spread
from softdraw.sharding.winner import winner_of

__all__ = ["binary", "index", "sample"]


def index(
    draw: Callable[..., Tensor],
    logits: Tensor,
    dim: int,
    sample_shape: Sequence[int],
    mask: Tensor | None,
    key: Key | None,
    generator: torch.Generator | None,
    noise: Tensor | None,
    sizes: Sequence[int] | None,
) -> Tensor:
    """``gumbel_max`` of a DTensor: a DTensor of indices."""
    _refuse_sizes(sizes)
    at = Spread(logits, dim)
    source.one_source(key, generator, noise)
    shape = read_sample_shape(sample_shape)
    check_samples(math.prod(shape))
    mask = at.mask(mask)
    given = _source(at, "gumbel", shape, key, generator, noise)
    if at.class_axes:
        drawn = _scores(at, at.local.detach(), mask, given["noise"].detach(), len(shape))
        found = winner_of(drawn, at.start[at.dim], at.class_axes).classes
    else:
        found = draw(at.local, at.dim, sample_shape=shape, mask=mask, **given)
    return at.result(found, shape, without_classes=True)


def sample(
    draw: Callable[..., Tensor],
    logits: Tensor,
    tau: float | Tensor,
    hard: bool,
    dim: int,
    mask: Tensor | None,
    key: Key | None,
    generator: torch.Generator | None,
    noise: Tensor | None,
    sizes: Sequence[int] | None,
) -> Tensor:
    """``gumbel_softmax`` of a DTensor: a DTensor that is spread as the logits are."""
    _refuse_sizes(sizes)
    at = Spread(logits, dim)
    source.one_source(key, generator, noise)
    tau, mask = at.tau(tau, at.dim), at.mask(mask)
    given = _source(at, "gumbel", (), key, generator, noise)
    if not at.class_axes:
        return at.result(draw(at.local, tau, hard, dim=at.dim, mask=mask, **given))
    if isinstance(tau, Tensor) and tau.dim():
        tau = tau.movedim(at.dim, -1)
    y = _relaxed(at, _scores(at, at.local, mask, given["noise"], 0), tau, hard)
    y = y[..., : at.local.shape[at.dim]].movedim(-1, at.dim)
    return at.result(y.to(logits.dtype))


def binary(
    draw: Callable[..., Tensor],
    logits: Tensor,
    tau: float | Tensor,
    hard: bool,
    mask: Tensor | None,
    key: Key | None,
    generator: torch.Generator | None,
    noise: Tensor | None,
) -> Tensor:
    """``gumbel_sigmoid`` of a DTensor: a DTensor that is spread as the logits are."""
    at = Spread(logits, -1 if logits.dim() else None)
    source.one_source(key, generator, noise)
    tau, mask = at.tau(tau, -1), at.mask(mask)
    given = _source(at, "logistic", (), key, generator, noise)
    return at.result(draw(at.local, tau, hard, mask=mask, **given))


def _source(
    at: Spread,
    law: str,
    shape: tuple[int, ...],
    key: Key | None,
    generator: torch.Generator | None,
    noise: Tensor | None,
) -> dict[str, Any]:
    """What the local draw is given: a key, where one says where its elements stand, and otherwise noise."""
    if noise is not None:
        return {"noise": at.noise(noise, shape)}
    key = at.key(key, generator)
    first = at.row_start()
    if first is not None and not at.class_axes:
        return {"key": key.rows(first)}
    drawn = at.drawn_noise(law, math.prod(shape), key).movedim(-1, at.dim + 1)
    return {"noise": drawn.reshape(*shape, *at.local.shape)}


def _scores(at: Spread, x: Tensor, mask: Tensor | None, noise: Tensor, samples: int) -> Scores:
    """Scores with the classes last, of this rank's classes less the row's maximum on all ranks.

    A rank without classes has one that is not allowed.
    """
    x, mask = x.movedim(at.dim, -1), None if mask is None else mask.movedim(at.dim, -1)
    noise = noise.movedim(samples + at.dim, -1)
    if x.shape[-1] == 0:
        x, noise = (
            torch.cat((one, one.new_full((*one.shape[:-1], 1), fill)), -1)
            for one, fill in ((x, -math.inf), (noise, 0.0))
        )
        mask = None
    wide = x.detach().to(compute_dtype(x.dtype))
    top = row_top(wide, allowed_classes(wide, mask))
    # a reduction need not carry NaN; to a row it is what +inf is
    top = max_over(torch.where(torch.isnan(top), math.inf, top), at.class_axes)
    return scores(x, mask, noise, top)


def _relaxed(at: Spread, drawn: Scores, tau: float | Tensor, hard: bool) -> Tensor:
    """The soft sample or the hard one of rows that lie on several ranks."""
    won = winner_of(drawn, at.start[at.dim], at.class_axes)
    drawn = Scores(drawn.z, drawn.allowed, won.bad.unsqueeze(-1))

    def hot() -> Tensor:
        return drawn.hot(torch.where(won.classes < 0, -1, won.classes - at.start[at.dim]))

    learned = drawn.z.requires_grad or (isinstance(tau, Tensor) and tau.requires_grad)
    if hard and not (learned and torch.is_grad_enabled()):
        return hot()
    weight = weights(drawn, tau, won.value.unsqueeze(-1))
    total = sum_over(weight.sum(-1, keepdim=True), at.class_axes)
    y = normalised(drawn, weight, total, tau, hot)
    return hot() + (y - y.detach()) if hard else y


def _refuse_sizes(sizes: Sequence[int] | None) -> None:
    if sizes is not None:
        raise wrong_value("sizes", tuple(sizes), "None beside logits that are a DTensor")
