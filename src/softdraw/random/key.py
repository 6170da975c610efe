"""``Key``: the name of a stream of noise."""

import operator
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from softdraw._torch import jit_traces, untraced
from softdraw.arguments import read_count, wrong_type
from softdraw.kernels import key_state
from softdraw.kernels.hashing import MASK64, fold, signed, split_seed

__all__ = ["Key", "key_from_numbers", "key_from_state"]


class Key:
    """A 64-bit seed and a 64-bit row offset: equal keys give equal noise, on every device and backend.

    Immutable, hashable and picklable. The noise of class ``c`` in row ``r`` of sample ``s`` is
    Philox-4x32-10 under the seed at the counter ``(c, offset + r, s)``, so it depends on nothing else: not
    on the batch around it, the strides, the thread count or the device.

    Args:
        seed: any Python int, taken modulo 2^64.
        offset: the number of the first row, taken modulo 2^64; ``rows`` adds to it.

    Raises:
        TypeError: ``seed`` or ``offset`` is not an integer.

    Example:
        >>> import softdraw as sd
        >>> key = sd.Key(0)
        >>> key.fold_in(3) == sd.Key(0).fold_in(3), key.fold_in(3) == key.fold_in(4)
        (True, False)
        >>> key.fold_in(3).rows(128) == key.rows(128).fold_in(3)
        True
        >>> first, second = key.split(2)
        >>> whole = sd.random.gumbel((4, 3), key=key)
        >>> bool((sd.random.gumbel((2, 3), key=key.rows(2)) == whole[2:]).all())
        True

    Reference:
        Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011 (Philox).
        Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014 (the mixing
        function).
    """

    __slots__ = ("_offset", "_seed", "_state")

    _seed: int
    _offset: int
    _state: Tensor | None

    def __init__(self, seed: int, offset: int = 0) -> None:
        if type(seed) is not int:
            seed = _integer("seed", seed)
        if type(offset) is not int:
            offset = _integer("offset", offset)
        # Signed, because that is what a compiled graph can carry.
        self._seed = signed(seed)
        self._offset = signed(offset)
        self._state = None

    @property
    def seed(self) -> int:
        """The seed, in ``[0, 2^64)``."""
        return self._numbers()[0] & MASK64

    @property
    def offset(self) -> int:
        """The number of the first row, in ``[0, 2^64)``."""
        return self._numbers()[1] & MASK64

    @property
    def state(self) -> Tensor:
        """The key as an int64 tensor ``[seed, offset]`` on the CPU: what a compiled graph computes with."""
        if self._state is not None:
            return self._state
        with untraced() if jit_traces() else nullcontext():  # to torch.jit.trace a key is a constant
            return torch.tensor([self._seed, self._offset], dtype=torch.int64, device="cpu")

    def _numbers(self) -> tuple[int, int]:
        """Signed seed and signed offset."""
        if self._state is None:
            return self._seed, self._offset
        seed, offset = self._state.tolist()
        return seed, offset

    def fold_in(self, data: int) -> "Key":
        """The key of sub-stream ``data`` (any int, modulo 2^64); different ints give different keys.

        Example:
            >>> import softdraw as sd
            >>> sd.Key(0).fold_in(1).fold_in(2) == sd.Key(0).fold_in(2).fold_in(1)
            False
        """
        if torch.compiler.is_compiling() or self._state is not None:
            return key_from_state(key_state.fold_in(self.state, data))
        if type(data) is not int:
            data = _integer("data", data)
        return key_from_numbers(fold(self._seed, data), self._offset)

    def split(self, n: int = 2) -> "tuple[Key, ...]":
        """``n`` keys, none of them equal to ``self``, to each other, or to ``fold_in`` of a small number.

        Raises:
            TypeError: ``n`` is no int.
            ValueError: ``n`` is negative.

        Example:
            >>> import softdraw as sd
            >>> len(set(sd.Key(0).split(3)))
            3
        """
        n = read_count("n", n)
        if torch.compiler.is_compiling() or self._state is not None:
            return tuple(key_from_state(key_state.split(self.state, i)) for i in range(n))
        return tuple(key_from_numbers(split_seed(self._seed, i), self._offset) for i in range(n))

    def rows(self, start: int) -> "Key":
        """The key for a chunk that begins at row ``start`` of the batch this key is for.

        Example:
            >>> import softdraw as sd
            >>> sd.Key(0).rows(2).rows(3) == sd.Key(0).rows(5)
            True
        """
        if torch.compiler.is_compiling() or self._state is not None:
            return key_from_state(key_state.advance(self.state, start))
        if type(start) is not int:
            start = _integer("start", start)
        return key_from_numbers(self._seed, signed(self._offset + start))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and self._numbers() == other._numbers()

    def __hash__(self) -> int:
        return hash(self._numbers())

    def __repr__(self) -> str:
        return f"Key({self.seed})" if self.offset == 0 else f"Key({self.seed}, offset={self.offset})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Key, (self.seed, self.offset)

    def __fx_create_arg__(self, tracer: Any) -> Any:
        # torch.fx: a graph makes the key anew, from its numbers
        return tracer.create_node("call_function", Key, self._numbers(), {})

    def __copy__(self) -> "Key":
        return self

    def __deepcopy__(self, memo: object) -> "Key":
        return self


def _integer(name: str, value: object) -> int:
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise wrong_type(name, value, "an int") from None


def key_from_numbers(seed: int, offset: int) -> Key:
    """A key of a signed seed and a signed offset, unchecked."""
    key = Key.__new__(Key)
    key._seed = seed
    key._offset = offset
    key._state = None
    return key


def key_from_state(state: Tensor) -> Key:
    """A key whose numbers are a tensor ``[seed, offset]``: inside graphs and transforms."""
    key = Key.__new__(Key)
    key._seed = 0
    key._offset = 0
    key._state = state
    return key
