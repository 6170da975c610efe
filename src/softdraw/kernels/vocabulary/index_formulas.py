"""What is done to a tile of a vocabulary's logits, in PyTorch on any device: the definition of the C loops.

A tile holds the products ``[rows, classes]`` of rows from number ``row`` on and classes from number
``class_start`` on; ``rate`` is 1 / tau of all rows. It may be changed in place.
"""

import torch
from torch import Tensor

from softdraw.kernels.dispatch import backend_of
from softdraw.kernels.vocabulary.index_state import Drawn, Upstream

__all__ = ["draw_tile", "gradient_tile"]


def draw_tile(
    tile: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    rate: Tensor,
    drawn: Drawn,
    row: int,
    class_start: int,
    seed: int,
    offset: int,
) -> None:
    """Bring ``drawn`` up to date with a tile."""
    rows, classes = tile.shape
    here = slice(row, row + rows)
    z = _logits(tile, bias, mask, rate[here])
    before, highest = drawn.top[here], z.amax(-1)
    # NaN and +inf reach the maximum, and NaN stays.
    top = torch.maximum(before, torch.where(highest == torch.inf, torch.nan, highest))
    shift = torch.where(torch.isfinite(top), top, 0.0)
    rise = torch.where(before == top, 0.0, top - before)
    best = torch.where(before == -torch.inf, -torch.inf, drawn.best[:, here] - rise)
    samples = drawn.index.shape[0]
    backend = backend_of(tile)
    noise = backend.noise(
        "gumbel", samples, rows, classes, seed, offset + row, tile.dtype, tile.device, class_start
    )
    distance = z - shift.unsqueeze(-1)
    score = torch.nan_to_num(noise.add_(distance), nan=-torch.inf, posinf=-torch.inf, neginf=-torch.inf)
    found = score.argmax(-1)
    reached = score.gather(-1, found.unsqueeze(-1)).squeeze(-1)
    better = (reached > best) & torch.isfinite(top)
    logit = z.expand(samples, rows, classes).gather(-1, found.unsqueeze(-1)).squeeze(-1)
    drawn.index[:, here] = torch.where(better, found + class_start, drawn.index[:, here])
    drawn.chosen[:, here] = torch.where(better, logit, drawn.chosen[:, here])
    drawn.best[:, here] = torch.where(better, reached, best)
    drawn.top[here] = top
    if drawn.sums is not None:
        share, sums = torch.exp(-rise).to(drawn.sums.dtype), drawn.sums[here]
        total, weighted = sums.unbind(-1)
        rise = torch.where(share > 0, rise, 0.0)
        distance = distance.clamp(min=-1e4)
        weight = distance.exp()
        sums.copy_(
            torch.stack(
                (
                    total * share + weight.sum(-1),
                    (weighted - rise * total) * share + (weight * distance).sum(-1),
                ),
                -1,
            )
        )


def gradient_tile(
    tile: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    rate: Tensor,
    drawn: Drawn,
    upstream: Upstream,
    row: int,
    class_start: int,
) -> None:
    """Make a tile the gradient of its products; add to ``upstream.along``."""
    rows, classes = tile.shape
    here = slice(row, row + rows)
    top, log_total, mean = (one[here].unsqueeze(-1) for one in (drawn.top, drawn.log_total, drawn.mean))
    known = torch.isfinite(top)
    z = _logits(tile, bias, mask, rate[here])
    distance = torch.where(known, (z - top).clamp(min=-1e4), 0.0)
    total, spread = upstream.total[here].unsqueeze(-1), upstream.spread[here].unsqueeze(-1)
    grad = -(distance - log_total).exp() * (total + spread * (distance - mean))
    place = drawn.index[:, here].mT - class_start
    inside = (place >= 0) & (place < classes)
    grad.scatter_add_(-1, place.clamp(0, classes - 1), torch.where(inside, upstream.picked[:, here].mT, 0.0))
    grad = torch.where(known, grad, 0.0)
    if upstream.along is not None:
        upstream.along[here] += (grad * distance).sum(-1)
    torch.mul(grad, rate[here].unsqueeze(-1), out=tile)


def _logits(tile: Tensor, bias: Tensor | None, mask: Tensor | None, rate: Tensor) -> Tensor:
    """The logits in the place of the products, ``-inf`` where a class is not allowed."""
    if bias is not None:
        tile.add_(bias)
    tile.mul_(rate.unsqueeze(-1))
    return tile if mask is None else tile.masked_fill_(~mask, -torch.inf)
