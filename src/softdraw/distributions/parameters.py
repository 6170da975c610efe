"""Constructor arguments that all distributions share, checked once and in one way."""

import math
from typing import Any

import torch
from torch import Tensor

from softdraw._torch import is_readable
from softdraw.arguments import (
    check_classes,
    check_floating,
    read_mask,
    read_number,
    read_temperature,
    wrong_value,
)
from softdraw.kernels import formulas
from softdraw.kernels.formulas import compute_dtype


def broadcast(*shapes: torch.Size) -> torch.Size:
    """``torch.broadcast_shapes``, with types."""
    return torch.broadcast_shapes(*shapes)  # type: ignore[no-any-return, no-untyped-call]


def choose(probs: Any, logits: Any, *, numbers: bool = False) -> tuple[Tensor, bool]:
    """Which of ``probs`` and ``logits`` was given, as a tensor, and whether it was ``probs``.

    ``numbers`` allows a number, as torch's distributions without a dim of classes do.

    Raises:
        TypeError: it is no dense tensor of float16, bfloat16, float32 or float64, and no number.
        ValueError: both are given, or neither; no classes, where there is a dim of them.
    """
    if (probs is None) == (logits is None):
        count = "both" if probs is not None else "neither"
        raise ValueError(f"probs and logits: got {count}, expected exactly one of them")
    name, value = ("logits", logits) if probs is None else ("probs", probs)
    if numbers and not isinstance(value, Tensor):
        value = torch.tensor(read_number(name, value), dtype=torch.get_default_dtype())
    if numbers:
        check_floating(name, value)
    else:
        check_classes(name, value)
    return value, logits is None


def check_values(name: str, value: Tensor, right: Tensor, expected: str) -> None:
    """Refuse values that are not ``right``, where they may be looked at.

    Raises:
        ValueError: with the first of the wrong values.
    """
    if is_readable(value, right) and not right.all():
        wrong = value.detach()[~right.expand(value.shape)].flatten()[:3].tolist()
        raise ValueError(f"{name}: got values such as {wrong}, expected all {expected}")


def log_of(value: Tensor) -> Tensor:
    """``log`` in float32 or wider: ``-inf`` with gradient 0 at 0 (where torch's chain rule makes NaN)."""
    value = value.to(compute_dtype(value.dtype))
    positive = value > 0
    return torch.where(positive, torch.where(positive, value, 1.0).log(), -math.inf)


def allowed_classes(scores: Tensor, mask: Tensor | None) -> Tensor:
    """Where a class is allowed: the mask is True and the logit is not ``-inf``; shape of ``scores``.

    Raises:
        TypeError: the mask is no tensor of bool.
        ValueError: the mask is on another device or does not broadcast.
    """
    return formulas.allowed_classes(scores.detach(), read_mask(mask, scores))


def as_temperature(temperature: Any, like: Tensor, validate: bool) -> Tensor:
    """The temperature as a tensor on the device of ``like``, checked to be positive if ``validate``.

    Raises:
        TypeError: no number and no dense tensor of float16, bfloat16, float32 or float64.
        ValueError: negative or NaN (in a tensor on the CPU, or if ``validate``); 0, if ``validate``.
    """
    if isinstance(temperature, Tensor):
        check_floating("temperature", temperature)
        # A copy: a schedule that steps before `backward` must not change what this sample was drawn with.
        tau = temperature.to(like.device, copy=True)
    else:
        number = read_temperature("temperature", temperature)
        tau = torch.tensor(number, dtype=compute_dtype(like.dtype), device=like.device)
    if validate:
        check_values("temperature", tau, tau > 0, "> 0 (the density has no limit at 0)")
    elif tau.device.type == "cpu":
        check_values("temperature", tau, tau >= 0, ">= 0, none of them NaN")
    return tau


def row_temperature(tau: Tensor, logits: Tensor) -> Tensor:
    """One temperature a row: shape ``[]``, or one that broadcasts with ``logits.shape[:-1]``.

    Raises:
        ValueError: another shape.
    """
    if tau.dim() == logits.dim() and tau.shape[-1] == 1:
        return tau.squeeze(-1)
    rows = logits.shape[:-1]
    if tau.dim() < logits.dim() and _fit(tau.shape, rows):
        return tau
    raise wrong_value(
        "temperature",
        tau,
        f"a number or one value a row, of shape {tuple(rows)} or {(*rows, 1)} or one that broadcasts with "
        f"it, for logits of shape {tuple(logits.shape)}",
    )


def element_temperature(tau: Tensor, logits: Tensor, name: str = "temperature") -> Tensor:
    """A temperature that broadcasts with ``logits``: one value a row, or one an element.

    Raises:
        ValueError: another shape.
    """
    column = tau.unsqueeze(-1) if 0 < tau.dim() < logits.dim() else tau
    if not _fit(column.shape, logits.shape):
        raise wrong_value(
            name,
            tau,
            f"a number, one value a row or one an element of logits of shape {tuple(logits.shape)}",
        )
    return column


def _fit(one: torch.Size, other: torch.Size) -> bool:
    """Whether two shapes broadcast."""
    common = min(len(one), len(other))
    # of one length, since torch.compile of 2.8 takes no zip of others
    ends = zip(one[len(one) - common :], other[len(other) - common :], strict=True)
    return all(a == b or 1 in (a, b) for a, b in ends)
