"""The backend for CUDA and ROCm, in Triton; without a card it runs through Triton's interpreter, for the
tests.

The functions are those of ``softdraw.kernels.backend``. A program works on one row (the hard draw and the
softmax need its maximum) in pieces of ``BLOCK`` classes, and makes the noise again in each pass rather than
keep it. ``mixture`` works on tiles of a vocabulary, whose matrix products are PyTorch's.
May import: ``kernels.formulas``, ``kernels.estimator_gradients``, Triton, torch.
"""

import torch
from torch import Tensor

from softdraw.kernels import estimator_gradients

# One pass of PyTorch each: not worth a program of its own.
from softdraw.kernels.estimator_gradients import reinmax_backward
from softdraw.kernels.formulas import compute_dtype, scores
from softdraw.kernels.triton import mixture, programs, structure_programs, structures
from softdraw.kernels.triton import vocabulary as index_draws
from softdraw.kernels.triton.launch import FUSED, card, key_words, power_of_two

__all__ = [
    "INTERPRETED",
    "hard",
    "hard_backward",
    "hard_with_index",
    "index",
    "index_draws",
    "mixture",
    "name",
    "noise",
    "rao_backward",
    "reinmax_backward",
    "soft",
    "soft_backward",
    "structures",
    "top_k",
]

#: Triton was imported with TRITON_INTERPRET=1, so the programs run on the CPU, slowly.
INTERPRETED = programs.INTERPRETED
#: the longest order that programs keep, and how many candidates of all tiles of a row they merge
_MOST_TOP = 64
_MOST_CANDIDATES = 16384
_LAWS = {"gumbel": 0, "logistic": 1, "exponential": 2, "uniform": 3}


def name() -> str:
    """``triton``."""
    return "triton"


def _block(classes: int) -> int:
    """Classes a program handles at a time: a power of two."""
    return min(max(power_of_two(classes), 16), 4096)


def _mask(mask: Tensor | None, logits: Tensor) -> tuple[Tensor, bool]:
    return (logits, False) if mask is None else (mask.contiguous().view(torch.uint8), True)


def _tau(tau: float | Tensor, logits: Tensor) -> Tensor:
    """One temperature a row, in the dtype that is computed in."""
    rows = logits.numel() // logits.shape[-1]
    dtype = compute_dtype(logits.dtype)
    if isinstance(tau, Tensor):
        return tau.reshape(rows).contiguous()
    return torch.full((rows,), tau, dtype=dtype, device=logits.device)


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
    if out.numel():
        # words come in blocks of four classes, so the first program begins at a multiple of four
        skipped = class_start % 4
        block = _block(skipped + classes)
        grid = (samples * rows, -(-(skipped + classes) // block))
        with card(out.device):
            programs.noise[grid](
                out, rows, classes, class_start, *key_words(seed, offset),
                LAW=_LAWS[law], DOUBLE=dtype == torch.float64, BLOCK=block, **FUSED,
            )  # fmt: skip
    return out


def index(logits: Tensor, mask: Tensor | None, seed: int, offset: int, samples: int) -> Tensor:
    """Gumbel-Max indices, int64 ``[samples, *logits.shape[:-1]]``; -1 where there is none."""
    out = torch.empty((samples, *logits.shape[:-1]), dtype=torch.int64, device=logits.device)
    if out.numel():
        _draw(logits, mask, 1.0, seed, offset, samples, out, logits, "index")
    return out


def top_k(logits: Tensor, mask: Tensor | None, seed: int, offset: int, samples: int, k: int) -> Tensor:
    """The k best indices ``[samples, *logits.shape[:-1], k]``, best first; torch sorts long orders."""
    *lead, classes = logits.shape
    rows, dtype = logits.numel() // classes, compute_dtype(logits.dtype)
    block = _block(classes)
    tiles = -(-classes // block)
    if k > _MOST_TOP or tiles * k > _MOST_CANDIDATES:
        drawn = noise("gumbel", samples, rows, classes, seed, offset, dtype, logits.device)
        return scores(logits, mask, drawn.view(samples, *logits.shape)).best(k)
    out = torch.empty((samples, *lead, k), dtype=torch.int64, device=logits.device)
    if not out.numel():
        return out
    logits = logits.contiguous()
    allowed, masked = _mask(mask, logits)
    options = {"MASKED": masked, "DOUBLE": logits.dtype == torch.float64, "BLOCK": block, **FUSED}
    tops = torch.empty(rows, dtype=dtype, device=logits.device)
    values = torch.empty((samples * rows, tiles * k), dtype=dtype, device=logits.device)
    found = out if tiles == 1 else torch.empty_like(values, dtype=torch.int64)
    with card(logits.device):
        structure_programs.tops[(rows,)](logits, allowed, tops, classes, **options)
        structure_programs.top_k_of_tiles[(samples * rows, tiles)](
            logits, allowed, tops, values, found, rows, classes, k, *key_words(seed, offset), **options
        )
        if tiles > 1:
            structure_programs.top_k_of_candidates[(samples * rows,)](
                values, found, out, tiles * k, k, BLOCK=power_of_two(tiles * k), **FUSED
            )
    return out


def soft(logits: Tensor, mask: Tensor | None, tau: float | Tensor, seed: int, offset: int) -> Tensor:
    """Gumbel-Softmax samples in the logits' dtype."""
    logits = logits.contiguous()
    out = torch.empty_like(logits)
    if out.numel():
        _draw(logits, mask, tau, seed, offset, 1, None, out, "soft")
    return out


def hard(logits: Tensor, mask: Tensor | None, seed: int, offset: int) -> Tensor:
    """One-hot samples in the logits' dtype."""
    logits = logits.contiguous()
    out = torch.empty_like(logits)
    if out.numel():
        _draw(logits, mask, 1.0, seed, offset, 1, None, out, "hard")
    return out


def hard_with_index(
    logits: Tensor, mask: Tensor | None, seed: int, offset: int, samples: int | None
) -> tuple[Tensor, Tensor]:
    """One-hot samples ``[samples, *logits.shape]`` and their indices; without the first dim for ``None``."""
    lead = () if samples is None else (samples,)
    out = torch.empty((*lead, *logits.shape), dtype=logits.dtype, device=logits.device)
    found = torch.empty(out.shape[:-1], dtype=torch.int64, device=logits.device)
    if out.numel():
        _draw(logits, mask, 1.0, seed, offset, samples or 1, found, out, "hard")
    return out, found


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
    drawn = estimator_gradients.numbered_noise(noise, logits, seed, offset)
    return estimator_gradients.rao_backward(drawn, grad, logits, mask, index, tau, draws, group, reinmax)


def _draw(
    logits: Tensor,
    mask: Tensor | None,
    tau: float | Tensor,
    seed: int,
    offset: int,
    samples: int,
    indices: Tensor | None,
    out: Tensor,
    kind: str,
) -> None:
    classes = logits.shape[-1]
    rows = logits.numel() // classes
    logits = logits.contiguous()
    allowed, masked = _mask(mask, logits)
    with card(logits.device):
        programs.draw[(samples * rows,)](
            logits, allowed, _tau(tau, logits), out if indices is None else indices, out, rows, classes,
            *key_words(seed, offset), MASKED=masked, INDEXED=indices is not None,
            KIND={"index": 0, "soft": 1, "hard": 2}[kind],
            DOUBLE=logits.dtype == torch.float64, BLOCK=_block(classes), **FUSED,
        )  # fmt: skip


def soft_backward(grad: Tensor, y: Tensor, tau: float | Tensor) -> Tensor:
    """Gradient of the logits for the upstream gradient ``grad`` of the soft sample ``y``."""
    y, grad = y.contiguous(), grad.contiguous()
    out = torch.empty_like(y)
    if out.numel():
        classes = y.shape[-1]
        with card(y.device):
            programs.backward[(y.numel() // classes,)](
                grad, y, _tau(tau, y), out, classes,
                LARGEST=torch.finfo(compute_dtype(y.dtype)).max,
                DOUBLE=y.dtype == torch.float64, BLOCK=_block(classes), **FUSED,
            )  # fmt: skip
    return out


def hard_backward(
    grad: Tensor, logits: Tensor, mask: Tensor | None, tau: float | Tensor, seed: int, offset: int
) -> Tensor:
    """Gradient of the soft sample at the same key, whose noise is made again."""
    return soft_backward(grad, soft(logits, mask, tau, seed, offset), tau)
