"""How the arguments of a vocabulary are read."""

import torch
from torch import Tensor

from softdraw.arguments import check_classes, check_floating, read_mask, read_number, read_tau, wrong_value
from softdraw.kernels.fast_path import is_plain

__all__ = ["check_head", "read_positive_tau", "rows_of_mask"]


def check_head(hidden: Tensor, weight: Tensor, bias: Tensor | None) -> torch.Size:
    """The batch shape, after a look at types, shapes and devices.

    Raises:
        TypeError: a tensor is no dense one of float16, bfloat16, float32 or float64.
        ValueError: shapes that do not fit, no class, or a tensor on another device than ``hidden``.
    """
    check_floating("hidden", hidden)
    if hidden.dim() == 0:
        raise wrong_value("hidden", hidden, "shape [*batch, d]")
    check_floating("weight", weight)
    if weight.dim() != 2 or weight.shape[1] != hidden.shape[-1]:
        raise wrong_value(
            "weight", weight, f"shape [V, {hidden.shape[-1]}], as hidden of {tuple(hidden.shape)}"
        )
    check_classes("weight", weight.detach().mT, "[d, V]")
    if bias is not None:
        check_floating("bias", bias)
        if bias.shape != weight.shape[:1]:
            raise wrong_value("bias", bias, f"shape [{weight.shape[0]}], as weight of {tuple(weight.shape)}")
    for name, one in (("weight", weight), ("bias", bias)):
        if one is not None and one.device != hidden.device:
            raise ValueError(
                f"{name}: got a tensor on {one.device}, expected one on {hidden.device}, as hidden"
            )
    return hidden.shape[:-1]


def rows_of_mask(mask: Tensor | None, logits: Tensor) -> Tensor | None:
    """The mask ``[rows, V]``, or ``[1, V]`` where all rows have the same, for logits ``[*batch, V]``."""
    expanded = read_mask(mask, logits)
    if mask is None or expanded is None:
        return None
    classes = logits.shape[-1]
    if all(size == 1 for size in mask.shape[:-1]):
        return mask.reshape(1, -1).expand(1, classes)
    return expanded.reshape(-1, classes)


def read_positive_tau(tau: float | Tensor, logits: Tensor) -> Tensor:
    """Temperatures ``[rows]`` that are positive and finite, for logits ``[*batch, V]``.

    Raises:
        TypeError: no number and no floating tensor.
        ValueError: 0, negative, infinite or NaN, or of a shape that has no value a row.
    """
    batch = logits.shape[:-1]
    if not isinstance(tau, Tensor):
        if not hasattr(tau, "tau"):
            tau = read_number("tau", tau, above=0.0, below=torch.inf)
        tau = read_tau(tau, logits)
        return torch.full(batch, float(tau), dtype=logits.dtype, device=logits.device).flatten()
    eager = is_plain(logits) and is_plain(tau)
    if eager and tau.device.type == "cpu" and tau.dtype.is_floating_point:
        values = tau.detach()
        if not bool(((values > 0) & (values < torch.inf)).all()):
            worst = values[~((values > 0) & (values < torch.inf))].flatten()[0].item()
            raise ValueError(f"tau: got a tensor that holds {worst}, expected finite temperatures > 0")
    read = torch.as_tensor(read_tau(tau, logits))
    # a copy in full: a schedule may step before the backward
    return read.expand(batch).clone(memory_format=torch.contiguous_format).reshape(-1)
