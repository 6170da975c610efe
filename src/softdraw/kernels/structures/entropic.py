"""Entropic top-k on plain tensors of the CPU, by one loop each way."""

from types import ModuleType
from typing import Any, cast

import torch
from torch import Tensor

from softdraw.kernels.dispatch import structure_loops_of
from softdraw.kernels.fast_path import is_plain, kernel_serves
from softdraw.kernels.saved import keep, kept

__all__ = ["entropic"]


def entropic(x: Tensor, k: int, tau: float | Tensor) -> Tensor | None:
    """sigmoid((x - nu) / tau) with the nu of each row for which the sum is k; or None: not here.

    Args:
        x: ``[*batch, n]`` of float32 (float64 asks for more figures than y (1 - y) has); ``-inf`` gives 0, a
            row of k items or fewer is 1 on them.
        k: 1 or more.
        tau: a number, or one for each row ``[*batch]`` without a gradient; positive.
    """
    if k == 0 or x.dtype != torch.float32 or not is_plain(x) or not x.is_cpu or x.numel() == 0:
        return None
    if isinstance(tau, Tensor) and (tau.requires_grad or not is_plain(tau) or not bool((tau > 0).all())):
        return None
    if not isinstance(tau, Tensor) and not tau > 0:
        return None
    if structure_loops_of(x) is None:
        return None
    shape = x.shape[:-1]
    if isinstance(tau, Tensor):
        rows = tau.detach().to(x.device, torch.float64).expand(shape).reshape(-1)
    else:
        rows = torch.full((shape.numel(),), tau, dtype=torch.float64, device="cpu")
    result: Tensor = _Entropic.apply(x, k, rows.contiguous())  # type: ignore[no-untyped-call]
    return result


class _Entropic(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, k: int, tau: Tensor) -> Tensor:
        loops = cast(ModuleType, structure_loops_of(x))
        y: Tensor = loops.entropic(x.reshape(-1, x.shape[-1]).contiguous(), k, tau).reshape(x.shape)
        keep(ctx, y, tau)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        y, tau = kept(ctx)
        if kernel_serves(grad) and is_plain(y):
            loops = cast(ModuleType, structure_loops_of(y))
            flat = (-1, y.shape[-1])
            upstream = grad.to(y.dtype).reshape(flat).contiguous()
            found: Tensor = loops.entropic_backward(upstream, y.reshape(flat).contiguous(), tau.contiguous())
            return found.reshape(y.shape), None, None
        # A second derivative follows, through y, or a batch of gradients comes.
        weight = torch.where(y.isnan(), 0.0, y * (1.0 - y))
        mass = weight.sum(-1, keepdim=True)
        mean = (weight * grad).sum(-1, keepdim=True) / torch.where(mass > 0, mass, 1.0)
        return weight * (grad - mean) / tau.to(y.dtype).reshape(*y.shape[:-1], 1), None, None
