"""``heated``: log weights divided by a temperature, from 0 to infinity."""

import math

import torch
from torch import Tensor

__all__ = ["heated"]

#: weights are not told apart beyond this many units of tau below the largest beside them
_FAR = 1e8


def heated(values: Tensor, some: Tensor, rate: Tensor, dims: int) -> Tensor:
    """``values / rate`` less the largest of the last ``dims``; 0 for a rate of infinity, and where not
    ``some``.

    The result is finite at a rate of 0, too: ``-1e8`` for all but the largest.
    """
    top = torch.where(some, values.detach(), -math.inf).amax(tuple(range(-dims, 0)), keepdim=True)
    z = torch.where(some, values - torch.where(torch.isfinite(top), top, 0.0), 0.0)
    floor = rate.clamp(min=1e-30)
    warm = torch.isfinite(floor)
    z = torch.maximum(z, -_FAR * floor.detach().clamp(max=1e280)) / torch.where(warm, floor, 1.0)
    return torch.where(warm, z, 0.0)
