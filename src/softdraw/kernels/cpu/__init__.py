"""The backend for the CPU: C loops behind one stable-ABI extension, chosen among AVX-512, AVX2 and generic.

Arguments as in ``softdraw.kernels.reference``. Tensors are handed over as addresses, so the extension is
built without torch and serves every version of it. May import: ``kernels.formulas``, its extension, torch.
"""

import ctypes
from pathlib import Path

import torch
from torch import Tensor

from softdraw.kernels.cpu import _native

__all__ = [
    "hard",
    "hard_backward",
    "hard_with_index",
    "index",
    "name",
    "noise",
    "rao_backward",
    "reinmax_backward",
    "soft",
    "soft_backward",
]

_NOISE, _INDEX, _SOFT, _HARD, _SOFT_BACKWARD, _HARD_BACKWARD, _REINMAX_BACKWARD, _RAO_BACKWARD = range(8)
_LAWS = {"gumbel": 0, "logistic": 1, "exponential": 2, "uniform": 3}
_DTYPES = {torch.float32: 0, torch.float64: 1, torch.bfloat16: 2, torch.float16: 3}
_run = _native.run
_threads = torch.get_num_threads


def _team() -> int:
    """Address of the function that starts torch's own OpenMP threads, 0 where there is none."""
    try:
        library = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"))
        return ctypes.cast(library.GOMP_parallel, ctypes.c_void_p).value or 0
    except (OSError, AttributeError):
        return 0


_native.use_team(_team())


def name() -> str:
    """``cpu-avx512``, ``cpu-avx2`` or ``cpu-generic``."""
    return f"cpu-{_native.instructions()}"


_UNMASKED = None, 0, 0


def _masked(mask: Tensor, logits: Tensor) -> tuple[Tensor | None, int, int]:
    """The mask (to be kept alive), its address, and its stride from row to row: 0 for one of all rows."""
    classes = logits.shape[-1]
    if mask.stride(-1) == 1 and not any(mask.stride()[:-1]):
        return mask, mask.data_ptr(), 0
    mask = mask.contiguous()
    return mask, mask.data_ptr(), classes


def _temperature(tau: float | Tensor) -> tuple[float, int]:
    return (1.0, tau.data_ptr()) if isinstance(tau, Tensor) else (tau, 0)


def noise(
    law: str,
    samples: int,
    rows: int,
    classes: int,
    seed: int,
    offset: int,
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor:
    """Noise ``[samples, rows, classes]`` of ``law``: gumbel, logistic, exponential or uniform."""
    out = torch.empty((samples, rows, classes), dtype=dtype, device=device)
    _run(
        _NOISE, _LAWS[law], _DTYPES[dtype], out.data_ptr(), 0, 0, 0, 0, 0,
        samples, rows, classes, 1.0, 0, seed, offset, _threads(), 1, 1,
    )  # fmt: skip
    return out


def index(logits: Tensor, mask: Tensor | None, seed: int, offset: int, samples: int) -> Tensor:
    """Gumbel-Max indices, int64 ``[samples, *logits.shape[:-1]]``; -1 where there is none."""
    classes = logits.shape[-1]
    out = torch.empty((samples, *logits.shape[:-1]), dtype=torch.int64)
    _kept, place, stride = _UNMASKED if mask is None else _masked(mask, logits)
    _run(
        _INDEX, 0, _DTYPES[logits.dtype], 0, out.data_ptr(), 0, logits.data_ptr(), place, stride,
        samples, logits.numel() // classes, classes, 1.0, 0, seed, offset, _threads(), 1, 1,
    )  # fmt: skip
    return out


def soft(logits: Tensor, mask: Tensor | None, tau: float | Tensor, seed: int, offset: int) -> Tensor:
    """Gumbel-Softmax samples in the logits' dtype."""
    classes = logits.shape[-1]
    out = torch.empty_like(logits)
    _kept, place, stride = _UNMASKED if mask is None else _masked(mask, logits)
    number, column = (tau, 0) if type(tau) is float else _temperature(tau)
    _run(
        _SOFT, 0, _DTYPES[logits.dtype], out.data_ptr(), 0, 0, logits.data_ptr(), place, stride,
        1, logits.numel() // classes, classes, number, column, seed, offset, _threads(), 1, 1,
    )  # fmt: skip
    return out


def soft_backward(grad: Tensor, y: Tensor, tau: float | Tensor) -> Tensor:
    """Gradient of the logits for the upstream gradient ``grad`` of the soft sample ``y``."""
    classes = y.shape[-1]
    out = torch.empty_like(y)
    number, column = (tau, 0) if type(tau) is float else _temperature(tau)
    _run(
        _SOFT_BACKWARD, 0, _DTYPES[y.dtype], out.data_ptr(), 0, grad.data_ptr(), y.data_ptr(), 0, 0,
        1, y.numel() // classes, classes, number, column, 0, 0, _threads(), 1, 1,
    )  # fmt: skip
    return out


def hard(logits: Tensor, mask: Tensor | None, seed: int, offset: int) -> Tensor:
    """One-hot samples in the logits' dtype."""
    classes = logits.shape[-1]
    out = torch.empty_like(logits)
    _kept, place, stride = _UNMASKED if mask is None else _masked(mask, logits)
    _run(
        _HARD, 0, _DTYPES[logits.dtype], out.data_ptr(), 0, 0, logits.data_ptr(), place, stride,
        1, logits.numel() // classes, classes, 1.0, 0, seed, offset, _threads(), 1, 1,
    )  # fmt: skip
    return out


def hard_with_index(
    logits: Tensor, mask: Tensor | None, seed: int, offset: int, samples: int | None
) -> tuple[Tensor, Tensor]:
    """One-hot samples ``[samples, *logits.shape]`` and their indices; without the first dim for ``None``."""
    classes = logits.shape[-1]
    if samples is None:
        out = torch.empty_like(logits)
    else:
        out = torch.empty((samples, *logits.shape), dtype=logits.dtype)
    found = torch.empty(out.shape[:-1], dtype=torch.int64)
    _kept, place, stride = _UNMASKED if mask is None else _masked(mask, logits)
    _run(
        _HARD, 0, _DTYPES[logits.dtype], out.data_ptr(), found.data_ptr(), 0, logits.data_ptr(), place,
        stride, 1 if samples is None else samples, logits.numel() // classes, classes, 1.0, 0, seed, offset,
        _threads(), 1, 1,
    )  # fmt: skip
    return out, found


def hard_backward(
    grad: Tensor, logits: Tensor, mask: Tensor | None, tau: float | Tensor, seed: int, offset: int
) -> Tensor:
    """Gradient of the soft sample at the same key, whose noise is made again."""
    classes = logits.shape[-1]
    out = torch.empty_like(logits)
    _kept, place, stride = _UNMASKED if mask is None else _masked(mask, logits)
    number, column = (tau, 0) if type(tau) is float else _temperature(tau)
    _run(
        _HARD_BACKWARD, 0, _DTYPES[logits.dtype], out.data_ptr(), 0, grad.data_ptr(), logits.data_ptr(),
        place, stride, 1, logits.numel() // classes, classes, number, column, seed, offset, _threads(), 1, 1,
    )  # fmt: skip
    return out


def reinmax_backward(
    grad: Tensor, logits: Tensor, mask: Tensor | None, index: Tensor, tau: float | Tensor
) -> Tensor:
    """ReinMax's gradient ``[samples, *logits.shape]`` for the winners ``index``."""
    classes = logits.shape[-1]
    out = torch.empty_like(grad)
    _kept, place, stride = _UNMASKED if mask is None else _masked(mask, logits)
    number, column = (tau, 0) if type(tau) is float else _temperature(tau)
    _run(
        _REINMAX_BACKWARD, 0, _DTYPES[logits.dtype], out.data_ptr(), index.data_ptr(), grad.data_ptr(),
        logits.data_ptr(), place, stride, grad.numel() // logits.numel(), logits.numel() // classes, classes,
        number, column, 0, 0, _threads(), 1, 1,
    )  # fmt: skip
    return out


def rao_backward(
    grad: Tensor,
    logits: Tensor,
    mask: Tensor | None,
    index: Tensor,
    tau: float | Tensor,
    seed: int,
    offset: int,
    draws: int,
    group: int,
    reinmax: bool,
) -> Tensor:
    """Gumbel-Rao's gradient ``[samples, *logits.shape]``, or ReinMax-Rao's, for the winners ``index``."""
    classes = logits.shape[-1]
    out = torch.empty_like(grad)
    _kept, place, stride = _UNMASKED if mask is None else _masked(mask, logits)
    number, column = (tau, 0) if type(tau) is float else _temperature(tau)
    _run(
        _RAO_BACKWARD, int(reinmax), _DTYPES[logits.dtype], out.data_ptr(), index.data_ptr(), grad.data_ptr(),
        logits.data_ptr(), place, stride, grad.numel() // logits.numel(), logits.numel() // classes, classes,
        number, column, seed, offset, _threads(), draws, group,
    )  # fmt: skip
    return out
