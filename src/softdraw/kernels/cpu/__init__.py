"""The backend for the CPU: C loops behind one stable-ABI extension, chosen among AVX-512, AVX2 and generic.

The functions are those of ``softdraw.kernels.backend``. Tensors are handed over as addresses, so the
extension is built without torch and serves every version of it; ``src/README.md`` is the map of the C files.
May import: its extension, torch.
"""

import ctypes
from pathlib import Path

import torch
from torch import Tensor

# By its full name, so that a missing extension is a ModuleNotFoundError and a broken one is not.
import softdraw.kernels.cpu._native as _native
from softdraw.kernels.cpu import blocks, mixture, structures, vocabulary
from softdraw.kernels.cpu.tensors import DTYPES, dense
from softdraw.kernels.formulas import compute_dtype, scores

__all__ = [
    "blocks",
    "hard",
    "hard_backward",
    "hard_with_index",
    "index",
    "mixture",
    "name",
    "noise",
    "rao_backward",
    "reinmax_backward",
    "soft",
    "soft_backward",
    "structures",
    "top_k",
    "vocabulary",
]

#: as ``enum operation`` and ``enum law`` in ``src/job.h`` have them
_NOISE, _INDEX, _SOFT, _HARD, _SOFT_BACKWARD, _HARD_BACKWARD, _REINMAX_BACKWARD, _RAO_BACKWARD, _TOP_K = (
    range(9)
)
#: what Python hands to C, as a number that ``src/job.h`` holds too and that changes with it
_INTERFACE = 2
#: the longest order that the loops keep; as ``MOST_TOP`` there
_MOST_TOP = 256
_LAWS = {"gumbel": 0, "logistic": 1, "exponential": 2, "uniform": 3}
_run = _native.run
_threads = torch.get_num_threads


def _team() -> int:
    """Address of the function that starts torch's own OpenMP threads, 0 where there is none."""
    try:
        library = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"))
        return ctypes.cast(library.GOMP_parallel, ctypes.c_void_p).value or 0
    except (OSError, AttributeError):
        return 0


if getattr(_native, "INTERFACE", 0) != _INTERFACE:
    # it would read what it is handed as something else
    raise ImportError(
        f"{_native.__file__} was built from other sources than these: got interface "
        f"{getattr(_native, 'INTERFACE', 0)}, expected {_INTERFACE}; install softdraw again, which builds it"
    )
_native.use_team(_team())
_native.use_dtypes((*DTYPES, torch.int64, torch.bool))


def name() -> str:
    """``cpu-avx512``, ``cpu-avx2`` or ``cpu-generic``."""
    return f"cpu-{_native.instructions()}"


def noise(
    law: str,
    samples: int,
    rows: int,
    classes: int,
    seed: int,
    offset: int,
    dtype: torch.dtype,
    device: torch.device,
    class_start: int = 0,
) -> Tensor:
    """Noise ``[samples, rows, classes]`` of ``law``; the first class is number ``class_start``."""
    out = torch.empty((samples, rows, classes), dtype=dtype, device=device)
    _run(
        _NOISE, DTYPES[dtype], samples, rows, classes, _threads(),
        out=out, seed=seed, offset=offset, law=_LAWS[law], class_start=class_start,
    )  # fmt: skip
    return out


def index(logits: Tensor, mask: Tensor | None, seed: int, offset: int, samples: int) -> Tensor:
    """Gumbel-Max indices, int64 ``[samples, *logits.shape[:-1]]``; -1 where there is none."""
    logits = logits.contiguous()
    *rows, classes = logits.shape
    out = torch.empty((samples, *rows), dtype=torch.int64, device=logits.device)
    mask, stride = (None, 0) if mask is None else dense(mask, classes)
    _run(
        _INDEX, DTYPES[logits.dtype], samples, logits.numel() // classes, classes, _threads(),
        index=out, values=logits, mask=mask, mask_stride=stride, seed=seed, offset=offset,
    )  # fmt: skip
    return out


def top_k(logits: Tensor, mask: Tensor | None, seed: int, offset: int, samples: int, k: int) -> Tensor:
    """The k best indices ``[samples, *logits.shape[:-1], k]``, best first; torch sorts long orders."""
    logits = logits.contiguous()
    *rows, classes = logits.shape
    if k > _MOST_TOP:
        shape = (samples, logits.numel() // classes, classes, seed, offset)
        drawn = noise("gumbel", *shape, compute_dtype(logits.dtype), logits.device)
        return scores(logits, mask, drawn.view(samples, *logits.shape)).best(k)
    out = torch.empty((samples, *rows, k), dtype=torch.int64, device=logits.device)
    if k > 0:
        mask, stride = (None, 0) if mask is None else dense(mask, classes)
        _run(
            _TOP_K, DTYPES[logits.dtype], samples, logits.numel() // classes, classes, _threads(),
            index=out, values=logits, mask=mask, mask_stride=stride, seed=seed, offset=offset, draws=k,
        )  # fmt: skip
    return out


def soft(logits: Tensor, mask: Tensor | None, tau: float | Tensor, seed: int, offset: int) -> Tensor:
    """Gumbel-Softmax samples in the logits' dtype."""
    logits = logits.contiguous()
    classes = logits.shape[-1]
    out = torch.empty_like(logits)
    mask, stride = (None, 0) if mask is None else dense(mask, classes)
    _run(
        _SOFT, DTYPES[logits.dtype], 1, logits.numel() // classes, classes, _threads(),
        out=out, values=logits, mask=mask, mask_stride=stride, tau=tau, seed=seed, offset=offset,
    )  # fmt: skip
    return out


def soft_backward(grad: Tensor, y: Tensor, tau: float | Tensor) -> Tensor:
    """Gradient of the logits for the upstream gradient ``grad`` of the soft sample ``y``."""
    y, grad = y.contiguous(), grad.contiguous()
    classes = grad.shape[-1]
    out = torch.empty_like(grad)
    _run(
        _SOFT_BACKWARD, DTYPES[grad.dtype], 1, grad.numel() // classes, classes, _threads(),
        out=out, grad=grad, values=y, tau=tau,
    )  # fmt: skip
    return out


def hard(logits: Tensor, mask: Tensor | None, seed: int, offset: int) -> Tensor:
    """One-hot samples in the logits' dtype."""
    logits = logits.contiguous()
    classes = logits.shape[-1]
    out = torch.empty_like(logits)
    mask, stride = (None, 0) if mask is None else dense(mask, classes)
    _run(
        _HARD, DTYPES[logits.dtype], 1, logits.numel() // classes, classes, _threads(),
        out=out, values=logits, mask=mask, mask_stride=stride, seed=seed, offset=offset,
    )  # fmt: skip
    return out


def hard_with_index(
    logits: Tensor, mask: Tensor | None, seed: int, offset: int, samples: int | None
) -> tuple[Tensor, Tensor]:
    """One-hot samples ``[samples, *logits.shape]`` and their indices; without the first dim for ``None``."""
    logits = logits.contiguous()
    classes = logits.shape[-1]
    if samples is None:
        out = torch.empty_like(logits)
    else:
        out = torch.empty((samples, *logits.shape), dtype=logits.dtype, device=logits.device)
    found = torch.empty(out.shape[:-1], dtype=torch.int64, device=logits.device)
    mask, stride = (None, 0) if mask is None else dense(mask, classes)
    _run(
        _HARD, DTYPES[logits.dtype], 1 if samples is None else samples,
        logits.numel() // classes, classes, _threads(),
        out=out, index=found, values=logits, mask=mask, mask_stride=stride, seed=seed, offset=offset,
    )  # fmt: skip
    return out, found


def hard_backward(
    grad: Tensor, logits: Tensor, mask: Tensor | None, tau: float | Tensor, seed: int, offset: int
) -> Tensor:
    """Gradient of the soft sample at the same key, whose noise is made again."""
    logits, grad = logits.contiguous(), grad.contiguous()
    classes = grad.shape[-1]
    out = torch.empty_like(grad)
    mask, stride = (None, 0) if mask is None else dense(mask, classes)
    _run(
        _HARD_BACKWARD, DTYPES[grad.dtype], 1, grad.numel() // classes, classes, _threads(),
        out=out, grad=grad, values=logits, mask=mask, mask_stride=stride, tau=tau, seed=seed, offset=offset,
    )  # fmt: skip
    return out


def reinmax_backward(
    grad: Tensor, logits: Tensor, mask: Tensor | None, index: Tensor, tau: float | Tensor
) -> Tensor:
    """ReinMax's gradient ``[samples, *logits.shape]`` for the winners ``index``; tau is positive."""
    logits, grad, index = logits.contiguous(), grad.contiguous(), index.contiguous()
    classes = grad.shape[-1]
    samples = 1 if grad.dim() == logits.dim() else grad.shape[0]
    out = torch.empty_like(grad)
    mask, stride = (None, 0) if mask is None else dense(mask, classes)
    _run(
        _REINMAX_BACKWARD, DTYPES[grad.dtype], samples,
        grad.numel() // (samples * classes), classes, _threads(),
        out=out, index=index, grad=grad, values=logits, mask=mask, mask_stride=stride, tau=tau,
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
    logits, grad, index = logits.contiguous(), grad.contiguous(), index.contiguous()
    classes = grad.shape[-1]
    samples = 1 if grad.dim() == logits.dim() else grad.shape[0]
    out = torch.empty_like(grad)
    mask, stride = (None, 0) if mask is None else dense(mask, classes)
    _run(
        _RAO_BACKWARD, DTYPES[grad.dtype], samples,
        grad.numel() // (samples * classes), classes, _threads(),
        out=out, index=index, grad=grad, values=logits,
        mask=mask, mask_stride=stride, tau=tau, seed=seed, offset=offset,
        law=int(reinmax), draws=draws, group=group,
    )  # fmt: skip
    return out
