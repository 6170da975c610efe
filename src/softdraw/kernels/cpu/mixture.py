"""The tiles of ``kernels.vocabulary.mixture`` by C loops: contiguous tensors on the CPU, in place."""

import torch
from torch import Tensor

import softdraw.kernels.cpu._native as _native

__all__ = ["backward_tile", "forward_tile"]

#: as ``enum mixture_operation`` in ``src/vocabulary/mixture.h`` has them
_FORWARD, _BACKWARD = range(2)
_DOUBLE, _NOISY, _FIRST, _ENTROPY, _REINMAX, _SECOND, _WEIGHTS, _QUIET = (1 << bit for bit in range(8))
#: elements that a thread takes at a time
_PIECE = 8192


def _run(
    operation: int, flags: int, values: Tensor, class_start: int, key: tuple[int, int], **rest: Tensor | None
) -> None:
    rows, classes = values.shape
    mask = rest["mask"]
    if mask is not None and mask.numel() and classes > 1 and mask.stride(1) != 1:
        raise ValueError("mask: got one whose classes do not lie side by side, expected a dense one")
    for tensor in (values, *(one for name, one in rest.items() if name != "mask")):
        if tensor is not None and not (tensor.is_contiguous() and tensor.device.type == "cpu"):
            raise ValueError("a kernel takes contiguous tensors on the CPU")
    other, bias, dense, tau, state, index, factor, means, tau_grad = (
        0 if rest.get(name) is None else rest[name].data_ptr()  # type: ignore[union-attr]
        for name in ("other", "bias", "mask", "tau", "state", "index", "factor", "means", "tau_grad")
    )
    stride = 0 if mask is None or mask.shape[0] == 1 else mask.stride(0)
    flags |= _DOUBLE * (values.dtype == torch.float64)
    seed, offset = key
    piece = max(1, _PIECE // max(1, classes))
    _native.run_mixture(
        operation, flags, rows, classes, class_start, values.data_ptr(), other, bias, dense, stride, tau,
        state, index, factor, means, tau_grad, seed, offset, piece, torch.get_num_threads(),
    )  # fmt: skip


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
    flags = (
        _NOISY * noisy | _QUIET * quiet | _FIRST * first | _ENTROPY * entropy | _SECOND * (second is not None)
    )
    _run(
        _FORWARD, flags, values, class_start, key,
        other=second, bias=bias, mask=mask, tau=tau, state=state, index=index, factor=factor,
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
    flags = _NOISY * noisy | _REINMAX * reinmax | _SECOND * second | _WEIGHTS * weights
    _run(
        _BACKWARD, flags, values, class_start, key,
        other=grad, bias=bias, mask=mask, tau=tau, state=state, index=index, means=means, tau_grad=tau_grad,
    )  # fmt: skip
