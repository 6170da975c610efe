"""Keys as int64 tensors ``[seed, offset]``, for compiled graphs: the tensor twin of ``hashing``."""

import torch
from torch import Tensor

from softdraw.kernels.hashing import MASK64, signed

__all__ = ["advance", "fold_in", "split"]

_GOLDEN = signed(0x9E3779B97F4A7C15)
_SPLIT = signed(0xD1B54A32D192ED03)
_FIRST = signed(0xBF58476D1CE4E5B9)
_SECOND = signed(0x94D049BB133111EB)


def _shifted(word: Tensor, by: int) -> Tensor:
    """Logical shift to the right; torch's own is arithmetic for int64."""
    return (word >> by) & (MASK64 >> by)


def _mix(word: Tensor) -> Tensor:
    word = (word ^ _shifted(word, 30)) * _FIRST
    word = (word ^ _shifted(word, 27)) * _SECOND
    return word ^ _shifted(word, 31)


def _derived(state: Tensor, data: int, constant: int) -> Tensor:
    number = torch.tensor(data, dtype=torch.int64, device="cpu")
    seed = _mix(_mix(state[0] + constant) + number * constant + constant)
    return torch.stack((seed, state[1]))


def fold_in(state: Tensor, data: int) -> Tensor:
    """``hashing.fold`` on a state."""
    return _derived(state, data, _GOLDEN)


def split(state: Tensor, number: int) -> Tensor:
    """``hashing.split_seed`` on a state."""
    return _derived(state, number, _SPLIT)


def advance(state: Tensor, start: int) -> Tensor:
    """The state with ``start`` added to its offset, modulo 2^64."""
    return torch.stack((state[0], state[1] + torch.tensor(start, dtype=torch.int64, device="cpu")))
