"""The reference backend: every operation in plain PyTorch, against which the other backends are tested.

Arguments as ``softdraw.kernels.backend`` says.
"""

import torch
from torch import Tensor

from softdraw.kernels import estimator_gradients
from softdraw.kernels.estimator_gradients import reinmax_backward
from softdraw.kernels.formulas import compute_dtype, relaxed, scores
from softdraw.kernels.layout import LOW_WORD_FLAG, REFINED_BELOW
from softdraw.kernels.philox import philox

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
    "top_k",
]

_WORD = 0xFFFFFFFF


def name() -> str:
    """``"reference"``."""
    return "reference"


def _words(
    seed: int, offset: int, samples: int, rows: int, classes: int, flag: int, device: torch.device, start: int
) -> Tensor:
    """One 32-bit word for each element, ``[samples, rows, classes]`` int64, as ``layout`` says."""
    block = torch.arange(start // 4, -(-(start + classes) // 4), device=device) | flag
    # int64 addition wraps, which is the offset's arithmetic modulo 2^64
    row = (torch.arange(rows, device=device) + offset).unsqueeze(1)
    sample = torch.arange(samples, device=device).view(-1, 1, 1)
    words = philox((block, row & _WORD, (row >> 32) & _WORD, sample), (seed & _WORD, (seed >> 32) & _WORD))
    return torch.stack(words, -1).flatten(-2)[..., start % 4 :][..., :classes]


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
    high = _words(seed, offset, samples, rows, classes, 0, device, class_start)
    upper = high >= 1 << 31
    m = torch.where(upper, high ^ _WORD, high)
    p = (m.to(dtype) + 0.5) * 2.0**-32
    refined = m < REFINED_BELOW if dtype == torch.float32 else torch.ones_like(upper)
    # Off the CPU, asking whether there is such an element would wait for the device.
    if dtype != torch.float32 or device.type != "cpu" or bool(refined.any()):
        low = _words(seed, offset, samples, rows, classes, LOW_WORD_FLAG, device, class_start)
        low = torch.where(upper, low ^ _WORD, low)
        fine = m.to(dtype) * 2.0**-32 + (low.to(dtype) + 0.5) * 2.0**-64
        p = torch.where(refined, fine, p)
    if law == "uniform":
        # 1 - p rounds to 1 next to the end, and a uniform is less than 1
        return torch.where(upper, (1.0 - p).clamp(max=1.0 - torch.finfo(dtype).eps / 2), p)
    if law == "logistic":
        size = torch.log1p(-p) - torch.log(p)
        return torch.where(upper, size, -size)
    exponential = torch.where(upper, -torch.log(p), -torch.log1p(-p))
    return exponential if law == "exponential" else -torch.log(exponential)


def _noise_for(logits: Tensor, seed: int, offset: int, samples: int) -> Tensor:
    classes = logits.shape[-1]
    rows = logits.numel() // classes
    dtype = compute_dtype(logits.dtype)
    drawn = noise("gumbel", samples, rows, classes, seed, offset, dtype, logits.device)
    return drawn.view(samples, *logits.shape)


def index(logits: Tensor, mask: Tensor | None, seed: int, offset: int, samples: int) -> Tensor:
    """Gumbel-Max indices, int64 ``[samples, *logits.shape[:-1]]``; -1 where there is none."""
    return scores(logits, mask, _noise_for(logits, seed, offset, samples)).winner()


def top_k(logits: Tensor, mask: Tensor | None, seed: int, offset: int, samples: int, k: int) -> Tensor:
    """The k best indices ``[samples, *logits.shape[:-1], k]``, best first."""
    classes = logits.shape[-1]
    dtype = compute_dtype(logits.dtype)
    drawn = noise("gumbel", samples, logits.numel() // classes, classes, seed, offset, dtype, logits.device)
    return scores(logits, mask, drawn.view(samples, *logits.shape)).best(k)


def soft(logits: Tensor, mask: Tensor | None, tau: float | Tensor, seed: int, offset: int) -> Tensor:
    """Gumbel-Softmax samples in the logits' dtype."""
    drawn = scores(logits.contiguous(), mask, _noise_for(logits, seed, offset, 1)[0])
    return relaxed(drawn, _column(tau)).to(logits.dtype)


def soft_backward(grad: Tensor, y: Tensor, tau: float | Tensor) -> Tensor:
    """Gradient of the logits for the upstream gradient ``grad`` of the soft sample ``y``; differentiable."""
    dtype = compute_dtype(y.dtype)
    # Halved, because the difference of two gradients may overflow where the result does not.
    g, wide = grad.to(dtype) * 0.5, y.to(dtype)
    # A row of NaN moves with no logit: its gradient is 0, and so is the gradient of that.
    lost = torch.isnan(wide)
    wide = torch.where(lost, 0.0, wide)
    centred = wide * (g - (wide * g).sum(-1, keepdim=True))
    rate = _rate(tau, dtype)
    return torch.where(lost, 0.0, centred * rate).to(y.dtype)


def hard(logits: Tensor, mask: Tensor | None, seed: int, offset: int) -> Tensor:
    """One-hot samples in the logits' dtype."""
    drawn = scores(logits.contiguous(), mask, _noise_for(logits, seed, offset, 1)[0])
    return drawn.hot().to(logits.dtype)


def hard_with_index(
    logits: Tensor, mask: Tensor | None, seed: int, offset: int, samples: int | None
) -> tuple[Tensor, Tensor]:
    """One-hot samples ``[samples, *logits.shape]`` and their indices; without the first dim for ``None``."""
    made = _noise_for(logits, seed, offset, 1 if samples is None else samples)
    drawn = scores(logits, mask, made[0] if samples is None else made)
    found = drawn.winner()
    return drawn.hot(found).to(logits.dtype), found


def hard_backward(
    grad: Tensor, logits: Tensor, mask: Tensor | None, tau: float | Tensor, seed: int, offset: int
) -> Tensor:
    """Gradient of the soft sample at the same key, whose noise is made again."""
    return soft_backward(grad, soft(logits, mask, tau, seed, offset), tau)


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


def _column(tau: float | Tensor) -> float | Tensor:
    return tau.unsqueeze(-1) if isinstance(tau, Tensor) else tau


def _rate(tau: float | Tensor, dtype: torch.dtype) -> float | Tensor:
    """2 / tau, at most the largest finite number, and 0 where tau is 0."""
    largest = torch.finfo(dtype).max
    if isinstance(tau, Tensor):
        return torch.where(tau == 0, 0.0, (2.0 / tau).clamp(max=largest)).unsqueeze(-1)
    return 0.0 if tau == 0 else min(2.0 / tau, largest) if tau > 2.0 / largest else largest
