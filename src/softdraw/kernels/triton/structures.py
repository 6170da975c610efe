"""What starts the programs of orders, subsets and matchings; None where a problem is too large for them.

Tensors lie on one card, in float32 or float64, with the rows of the batch first.
"""

import torch
from torch import Tensor

from softdraw.kernels.triton import structure_programs as programs
from softdraw.kernels.triton.launch import FUSED, card, power_of_two

__all__ = ["balance", "sinkhorn", "subsets"]

#: elements of the largest matrix, and numbers of the tables that the recursion of subsets may keep
_MOST_PAIRS = 64 * 64
_MOST_KEPT = 1 << 28
_MOST_TAKEN = 1024


def balance(u: Tensor, top: Tensor, low: Tensor, high: Tensor, steps: int) -> Tensor:
    """The shift ``[*rows, 1]`` of entropic top-k, from bounds of that shape: ``functional.topk.balance``."""
    u, n = u.contiguous(), u.shape[-1]
    out = torch.empty_like(high, memory_format=torch.contiguous_format)
    if out.numel():
        with card(u.device):
            programs.balance[(out.numel(),)](
                u, top.contiguous().view(torch.uint8), out, n, low.contiguous(), high.contiguous(),
                STEPS=steps, BLOCK=min(power_of_two(n), 4096), **FUSED,
            )  # fmt: skip
    return out


def subsets(
    p: Tensor, q: Tensor, k: int, direction: Tensor | None, wanted: bool
) -> tuple[Tensor, Tensor | None] | None:
    """P(k are taken) ``[rows]``, and the marginals or their derivative in a direction ``[rows, n]``.

    Args:
        p: ``[rows, n]``, the probabilities to be taken.
        q: those not to be.
        k: how many are taken.
        direction: ``[rows, n]`` or None, for the marginals themselves.
        wanted: whether more than P(k) is.
    """
    rows, n = p.shape
    kept = rows * n * (k + 1) * (0 if not wanted else 1 if direction is None else 2)
    if k > _MOST_TAKEN or kept > _MOST_KEPT:
        return None
    p, q = p.contiguous(), q.contiguous()
    mass, out = p.new_empty(rows), torch.empty_like(p)
    table = p.new_empty(rows * n * (k + 1) if wanted else 1)
    slopes = table if direction is None else torch.empty_like(table)
    width = max(power_of_two(k + 1), 2)
    if rows:
        with card(p.device):
            programs.subsets[(rows,)](
                p, q, p if direction is None else direction.contiguous(), table, slopes, mass, out, n, k,
                WANTED=wanted, DIRECTED=direction is not None, WIDTH=width,
                num_warps=1 if width <= 128 else 4, **FUSED,
            )  # fmt: skip
    return mass, out if wanted else None


def sinkhorn(x: Tensor, masses: Tensor, most: int, tolerance: float) -> tuple[Tensor, Tensor, Tensor] | None:
    """The matrices ``[rows, n, m]``, their errors and numbers of iterations: ``matching.sinkhorn``."""
    rows, n, m = x.shape
    height, width = power_of_two(n), power_of_two(m)
    if height * width > _MOST_PAIRS:
        return None
    x, masses = x.contiguous(), masses.to(x.dtype).contiguous()
    out, errors = torch.empty_like(x), x.new_empty(rows)
    steps = torch.empty(rows, dtype=torch.int64, device=x.device)
    if rows:
        with card(x.device):
            programs.sinkhorn[(rows,)](
                x, masses, out, errors, steps, n, m, most, tolerance, ROWS=height, COLUMNS=width, **FUSED
            )
    return out, errors, steps
