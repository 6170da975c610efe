"""What every start of a program needs."""

from contextlib import AbstractContextManager, nullcontext

import torch

__all__ = ["FUSED", "card", "key_words", "power_of_two"]

#: Products and sums may be fused: no uniform depends on it, and Triton is going to change its default.
FUSED = {"enable_fp_fusion": True}


def card(device: torch.device) -> AbstractContextManager[object]:
    """Make the card of the tensors current: Triton launches there, wherever its arguments lie."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def power_of_two(count: int) -> int:
    """The least power of two that is not less than ``count``, which is 1 or more."""
    return 1 << (count - 1).bit_length()


def key_words(seed: int, offset: int) -> tuple[int, int, int, int]:
    """Seed and offset as 32-bit words."""
    word = 0xFFFFFFFF
    return seed & word, (seed >> 32) & word, offset & word, (offset >> 32) & word
