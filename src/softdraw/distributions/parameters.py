"""Constructor arguments that all distributions share, checked once and in one way."""

import math
from typing import Any

import torch
from torch import Tensor

from softdraw._torch import is_batched


def wide(device: torch.device) -> torch.dtype:
    """The dtype of log-space values and densities: float64 wherever the device has it."""
    return torch.float32 if device.type == "mps" else torch.float64


def computed(dtype: torch.dtype) -> torch.dtype:
    """float64 for float64, else float32: noise and densities are never in half precision."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def readable(*tensors: Tensor | None) -> bool:
    """Whether the values of ``tensors`` may be looked at: not under ``torch.compile`` or ``vmap``."""
    if torch.compiler.is_compiling():
        return False
    return not any(t is not None and is_batched(t) for t in tensors)


def broadcast(*shapes: torch.Size) -> torch.Size:
    """``torch.broadcast_shapes``, with types."""
    return torch.broadcast_shapes(*shapes)  # type: ignore[no-any-return, no-untyped-call]


def choose(owner: str, probs: Any, logits: Any) -> tuple[Tensor, bool]:
    """Return which of ``probs`` and ``logits`` was given, as a tensor, and whether it was ``probs``."""
    if (probs is None) == (logits is None):
        given = "both" if probs is not None else "neither"
        raise ValueError(f"{owner}: exactly one of probs and logits must be given, got {given}")
    name, value = ("logits", logits) if probs is None else ("probs", probs)
    tensor = value if isinstance(value, Tensor) else torch.tensor(value, dtype=torch.get_default_dtype())
    if not tensor.is_floating_point():
        raise ValueError(f"{owner}: {name} must be of a floating-point dtype, got {tensor.dtype}")
    return tensor, logits is None


def check_values(owner: str, name: str, value: Tensor, right: Tensor, expected: str) -> None:
    """Raise a ValueError that names the argument unless ``right`` holds everywhere."""
    if readable(value, right) and not right.all():
        wrong = value.detach()[~right.expand(value.shape)].flatten()[:3].tolist()
        shape = tuple(value.shape)
        raise ValueError(f"{owner}: {name} must be {expected}, got values such as {wrong} in shape {shape}")


def log_of(value: Tensor) -> Tensor:
    """``log`` in float32 or wider: ``-inf`` with gradient 0 at 0 (where torch's chain rule makes NaN)."""
    value = value.to(computed(value.dtype))
    positive = value > 0
    return torch.where(positive, torch.where(positive, value, 1.0).log(), -math.inf)


def allowed_classes(owner: str, scores: Tensor, mask: Tensor | None) -> Tensor:
    """Where a class is allowed: the mask is True and the logit is not ``-inf``; shape of ``scores``."""
    allowed = scores.detach() != -math.inf
    if mask is None:
        return allowed
    if mask.dtype != torch.bool:
        raise ValueError(f"{owner}: mask must be boolean (True = allowed), got dtype {mask.dtype}")
    try:
        return allowed & mask.expand(scores.shape)
    except RuntimeError:
        shapes = f"mask of shape {tuple(mask.shape)} and logits of shape {tuple(scores.shape)}"
        raise ValueError(f"{owner}: mask must be broadcastable to the logits, got {shapes}") from None


def as_temperature(owner: str, temperature: Any, like: Tensor, validate: bool) -> Tensor:
    """The temperature as a tensor on the device of ``like``, checked to be positive if ``validate``."""
    if isinstance(temperature, Tensor):
        # A copy: a schedule that steps before `backward` must not change what this sample was drawn with.
        tau = temperature.to(like.device, copy=True)
    else:
        tau = torch.tensor(temperature, dtype=computed(like.dtype), device=like.device)
    if not tau.is_floating_point():
        tau = tau.to(computed(like.dtype))
    if validate:
        check_values(owner, "temperature", tau, tau > 0, "> 0 (the density has no limit at 0)")
    return tau


def row_temperature(owner: str, tau: Tensor, logits: Tensor) -> Tensor:
    """One temperature a row: shape ``[]``, or one that broadcasts against ``logits.shape[:-1]``."""
    if tau.dim() == logits.dim() and tau.shape[-1] == 1:
        return tau.squeeze(-1)
    if tau.dim() < logits.dim():
        try:
            broadcast(tau.shape, logits.shape[:-1])
        except RuntimeError:
            pass
        else:
            return tau
    raise ValueError(
        f"{owner}: temperature must be a number or have one value a row (shape {tuple(logits.shape[:-1])} or "
        f"{(*logits.shape[:-1], 1)} or broadcastable to it) for logits of shape {tuple(logits.shape)}, "
        f"got shape {tuple(tau.shape)}"
    )
