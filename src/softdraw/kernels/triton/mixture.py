"""The tiles of ``kernels.vocabulary.mixture`` by Triton programs: contiguous tensors on a card, in place.

The matrix products around a tile are PyTorch's, so a tile costs one program beside them each way, for every
estimator.
"""

from typing import Any

import torch
from torch import Tensor

from softdraw.kernels.triton import mixture_programs
from softdraw.kernels.triton.launch import FUSED, card, key_words, power_of_two

__all__ = ["backward_tile", "forward_tile"]

#: as ``mixture_formulas`` has it: the first classes, whose largest logit is a row's base
_BASE_CLASSES = 256
_MOST_BLOCK = 4096


def forward_tile(
    values: Tensor,
    second: Tensor | None,
    bias: Tensor | None,
    mask: Tensor | None,
    tau: Tensor,
    state: Tensor,
    index: Tensor,
    factor: Tensor,
    key: tuple[int, int],
    class_start: int,
    *,
    first: bool,
    noisy: bool,
    quiet: bool,
    entropy: bool,
) -> None:
    """As ``kernels.vocabulary.mixture_formulas.forward_tile``."""
    del entropy  # it costs next to nothing
    if values.numel():
        with card(values.device):
            mixture_programs.forward[(values.shape[0],)](
                values, values if second is None else second, values if bias is None else bias,
                *_shared(mask, tau, state), index, factor, *_numbers(values, mask, key, class_start),
                FIRST=first, NOISY=noisy, QUIET=quiet, SECOND=second is not None, BASES=_BASE_CLASSES,
                **_constants(values, bias, mask, class_start),
            )  # fmt: skip


def backward_tile(
    values: Tensor,
    grad: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    tau: Tensor,
    state: Tensor,
    index: Tensor,
    means: Tensor,
    tau_grad: Tensor | None,
    key: tuple[int, int],
    class_start: int,
    *,
    noisy: bool,
    reinmax: bool,
    second: bool,
    weights: bool,
) -> None:
    """As ``kernels.vocabulary.mixture_formulas.backward_tile``."""
    if values.numel():
        with card(values.device):
            mixture_programs.backward[(values.shape[0],)](
                values, grad, values if bias is None else bias, *_shared(mask, tau, state), index, means,
                state if tau_grad is None else tau_grad, *_numbers(values, mask, key, class_start),
                NOISY=noisy, REINMAX=reinmax, SECOND=second, WEIGHTS=weights, SLOPES=tau_grad is not None,
                **_constants(values, bias, mask, class_start),
            )  # fmt: skip


def _shared(mask: Tensor | None, tau: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return state if mask is None else mask.view(torch.uint8), tau, state


def _numbers(values: Tensor, mask: Tensor | None, key: tuple[int, int], class_start: int) -> tuple[int, ...]:
    """Classes, the number of the first, the mask's steps from row to row, and the key's words."""
    stride = 0 if mask is None or mask.shape[0] == 1 else mask.stride(0)
    return values.shape[1], class_start, stride, *key_words(*key)


def _constants(values: Tensor, bias: Tensor | None, mask: Tensor | None, class_start: int) -> dict[str, Any]:
    block = min(max(power_of_two(class_start % 4 + values.shape[1]), 16), _MOST_BLOCK)
    return {
        "BIAS": bias is not None,
        "MASKED": mask is not None,
        "LARGEST": torch.finfo(values.dtype).max,
        "DOUBLE": values.dtype == torch.float64,
        "BLOCK": block,
        **FUSED,
    }
