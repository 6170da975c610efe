"""What starts the program of a vocabulary's draws of an index, and puts its tiles together."""

import torch
from torch import Tensor

from softdraw.kernels.triton import index_programs
from softdraw.kernels.triton.launch import FUSED, card, key_words, power_of_two
from softdraw.kernels.triton.programs import INTERPRETED
from softdraw.kernels.vocabulary.index_state import Drawn

__all__ = ["draw", "serves"]

#: classes of a tile and of a product; what a tile leaves is small beside the head's share of it
_SPAN, _CLASSES, _WIDTH = 1024, 64, 32
#: each sample makes the products again, so many are better served by one pass
_MOST_SAMPLES = 4


def serves(dtype: torch.dtype, samples: int) -> bool:
    """Whether the program does it: in float32, for few samples; tiles of torch are for the others."""
    return dtype == torch.float32 and samples <= _MOST_SAMPLES


def draw(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    rate: Tensor,
    key: tuple[int, int],
    samples: int,
    measured: bool,
    span: int = _SPAN,
    classes: int = _CLASSES,
) -> Drawn:
    """As ``kernels.vocabulary.index.forward``, before the sums become ``log_total`` and ``mean``."""
    (rows, width), size = hidden.shape, weight.shape[0]
    tiles = -(-size // span)
    hidden, weight = hidden.contiguous(), weight.contiguous()
    tops = hidden.new_full((tiles, rows), -torch.inf, dtype=torch.float32)
    sums = hidden.new_zeros((tiles, rows, 2), dtype=torch.float32) if measured else tops
    best = hidden.new_full((tiles, samples, rows), -torch.inf, dtype=torch.float32)
    chosen = torch.full_like(best, -torch.inf)
    index = torch.full_like(best, -1, dtype=torch.int64)
    allowed = None if mask is None else mask.contiguous().view(torch.uint8)
    mask_stride = 0 if mask is None or mask.shape[0] == 1 else size
    # the interpreter multiplies the bits of bfloat16 as if they were integers
    widened = hidden.dtype != weight.dtype or INTERPRETED
    block = min(max(power_of_two(max(rows, 1)), 16), 32)
    if best.numel():
        with card(hidden.device):
            index_programs.index_of_tiles[(tiles, -(-rows // block), samples)](
                hidden, weight, weight if bias is None else bias.contiguous(),
                tops if allowed is None else allowed, rate, tops, sums, best, chosen, index,
                rows, width, size, mask_stride, *key_words(*key),
                BIAS=bias is not None, MASKED=allowed is not None, MEASURED=measured,
                WIDEN=widened, SPAN=span, ROWS=block, CLASSES=classes, WIDTH=_WIDTH,
                **FUSED,
            )  # fmt: skip
    return _together(tops, sums if measured else None, best, chosen, index)


def _together(tops: Tensor, sums: Tensor | None, best: Tensor, chosen: Tensor, index: Tensor) -> Drawn:
    """The winner and the sums of all tiles; of equals the lower tile's."""
    top = tops.amax(0)
    fall = torch.where(torch.isfinite(tops), tops - top, -torch.inf)
    score = (best + fall.unsqueeze(1)).nan_to_num(nan=-torch.inf, neginf=-torch.inf)
    winner = score.argmax(0, keepdim=True)
    best, chosen, index = (one.gather(0, winner).squeeze(0) for one in (score, chosen, index))
    known = top.new_empty(0)
    if sums is not None:
        share, near = fall.double().exp(), fall.double().clamp(min=-1e4)
        total, weighted = sums.double().unbind(-1)
        sums = torch.stack(((total * share).sum(0), ((weighted + near * total) * share).sum(0)), -1)
    return Drawn(index, best, chosen, top, sums, known, known)
