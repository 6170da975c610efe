"""Keys from torch's generators."""

import torch

from softdraw.kernels.ops import random_seed
from softdraw.random.key import Key, _made

__all__ = ["check_not_captured", "fresh_key"]


def check_not_captured(on_cuda: bool) -> None:
    """Refuse to read a fresh seed while a CUDA graph is captured, which would replay it for ever."""
    if on_cuda and torch.cuda.is_current_stream_capturing():
        raise RuntimeError(
            "key: a CUDA graph would replay the seed drawn at capture; pass key= (the draw is then the same "
            "at every replay) or noise="
        )


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
    check_not_captured(bool(torch.cuda.is_initialized()))  # type: ignore[no-untyped-call]
    return _made(random_seed(generator), 0)
