"""Noise of a layer: the caller's key, apart on every rank."""

import torch
import torch.distributed as dist

from softdraw.kernels import ops
from softdraw.random import Key, fresh_key
from softdraw.random.key import _traced


def layer_key(
    key: Key | None, generator: torch.Generator | None
) -> tuple[Key | None, torch.Generator | None]:
    """``key`` and ``generator`` as a layer hands them on: folded with the rank under ``torch.distributed``.

    Ranks are seeded alike by most training code, and would draw the same noise for different examples.

    Raises:
        ValueError: both are given.
    """
    if key is not None and generator is not None:
        raise ValueError("key and generator exclude each other, got both")
    if not (dist.is_available() and dist.is_initialized()):
        return key, generator
    if key is not None:
        own = key
    elif torch.compiler.is_compiling() and generator is None:
        # A compiled graph draws its seed inside, as a tensor.
        own = _traced(ops.fresh_state(torch.empty(0)))
    else:
        own = fresh_key(generator)
    return own.fold_in(dist.get_rank()), None
