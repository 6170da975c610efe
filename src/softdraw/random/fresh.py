"""Keys from torch's generators."""

import torch

from softdraw.kernels.ops import random_seed
from softdraw.random.key import Key, _made

__all__ = ["fresh_key"]


def fresh_key(generator: torch.Generator | None = None) -> Key:
    """A key with a seed from ``generator``, or from torch's default generator on the CPU.

    A generator on another device is read, which waits for that device. In a compiled graph without
    ``generator``, use ``key=None`` of the drawing functions, which draws the seed inside the graph.

    Example:
        >>> import softdraw as sd, torch
        >>> seeds = torch.Generator().manual_seed(0)
        >>> first = sd.random.fresh_key(seeds)
        >>> first == sd.random.fresh_key(seeds.manual_seed(0))
        True
    """
    return _made(random_seed(generator), 0)
