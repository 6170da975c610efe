"""A sample that keeps the log-space value it came from."""

import copy
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from softdraw._torch import without_subclass

_T = torch.Tensor

# fmt: off
_LAYOUT_NAMES = (
    "__getitem__", "atleast_1d", "atleast_2d", "atleast_3d", "broadcast_to", "chunk", "clone",
    "contiguous", "detach", "expand", "expand_as", "flatten", "flip", "gather", "hsplit", "index_select",
    "masked_select", "moveaxis", "movedim", "narrow", "permute", "ravel", "repeat", "repeat_interleave",
    "reshape", "reshape_as", "roll", "select", "split", "split_with_sizes", "squeeze", "swapaxes",
    "swapdims", "t", "take_along_dim", "tensor_split", "tile", "transpose", "unbind", "unflatten",
    "unsqueeze", "view", "view_as", "vsplit",
)
# fmt: on
_CONVERT_NAMES = ("to", "type", "type_as", "float", "double", "half", "bfloat16", "cpu", "cuda", "pin_memory")


def _functions(names: Sequence[str]) -> set[Callable[..., Any]]:
    return {getattr(owner, name) for owner in (torch, _T) for name in names if hasattr(owner, name)}


#: Functions that only move, repeat or pick entries: what they do to a sample is done to its log-space value.
_LAYOUT = _functions(_LAYOUT_NAMES) | {
    getattr(_T, name).__get__ for name in ("T", "mT", "H", "mH", "data") if hasattr(_T, name)
}

#: Functions that join samples: the log-space value survives if every part has one.
_JOIN = {torch.stack, torch.cat, torch.concat, torch.concatenate, torch.hstack, torch.vstack, torch.dstack}

#: Functions that change dtype or device: the log-space value follows to the device and keeps its own dtype.
_CONVERT = _functions(_CONVERT_NAMES)

#: How a log-space value is kept: the end of every error that misses one.
HOW_TO_KEEP = (
    "Samples of rsample carry a log-space value through clone, detach, indexing, reshape, stack and "
    "conversions, and lose it in arithmetic, in-place changes, requires_grad_, torch.compile and files: pass "
    "the sample itself, or draw with rsample_and_log_prob"
)


class Carried(NamedTuple):
    """What a sample remembers: the log-space value, its own value when it was drawn, and the map between."""

    log_space: Tensor
    value: Tensor
    space: str


class LogSpaceSample(Tensor):
    """A tensor that remembers the log-space value it was computed from.

    ``y = softmax(u)`` underflows to exact zeros at low temperatures, and ``u`` cannot be had back from ``y``.
    So a relaxed sample carries ``u`` (unnormalised, in float64 where the device has it) through everything
    that only moves entries or converts them: ``clone``, ``detach``, indexing, ``reshape``, ``stack``, ``to``
    and their kin. Arithmetic gives plain tensors. The value is gone after an in-place change, and after
    ``requires_grad_()``, which says that the density is to be differentiated in the sample itself. A copy of
    the sample is kept beside it, because changes through ``.data``, NumPy or in inference mode are not
    counted: whoever takes up ``u`` compares.
    """

    _carried: Carried | None
    _carried_at: int

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func is _T.__iter__:
            func = _T.unbind
            return iter(cls.__torch_function__(func, types, args, kwargs))
        with without_subclass():
            result = func(*args, **kwargs)
            if result is (args[0] if args else None):
                return result
            moved = _moved(func, args, kwargs, result)
            if moved is None:
                return _plain(result)
            if isinstance(result, Tensor):
                return _wrap(result, moved)
            parts = zip(result, moved.log_space, moved.value, strict=True)
            return tuple(_wrap(part, Carried(u, kept, moved.space)) for part, u, kept in parts)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        with without_subclass():
            value = copy.deepcopy(self.as_subclass(_T), memo)
            carried = _carried(self)
            return value if carried is None else _wrap(value, copy.deepcopy(carried, memo))

    def __reduce_ex__(self, protocol: Any) -> Any:
        # A file holds the plain value: whoever loads it need not have softdraw.
        with without_subclass():
            return self.as_subclass(_T).__reduce_ex__(protocol)  # type: ignore[no-untyped-call]

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        with without_subclass():
            return repr(self.as_subclass(_T))


def carry(value: Tensor, log_space: Tensor, space: str) -> Tensor:
    """Return ``value`` with ``log_space`` (same shape) attached; the bare value inside ``torch.compile``.

    ``space`` names the map from the one to the other, so that only densities of that map take it up.
    """
    if torch.compiler.is_compiling():
        return value
    return _wrap(value, Carried(log_space, value.detach().clone(), space))


def log_space_of(value: Tensor, space: str) -> tuple[Tensor, Tensor] | None:
    """The log-space value that ``value`` carries, and the value as it was then.

    None without one of that space, or after a change that is known: the caller compares for the others.
    """
    if torch.compiler.is_compiling() or not isinstance(value, LogSpaceSample):
        return None
    with without_subclass():
        carried = _carried(value)
    if carried is None or carried.space != space:
        return None
    return carried.log_space, carried.value


def _carried(value: Any) -> Carried | None:
    carried: Carried | None = getattr(value, "_carried", None) if isinstance(value, LogSpaceSample) else None
    if carried is None or _version(value) != value._carried_at or (value.is_leaf and value.requires_grad):
        return None
    return carried


def _wrap(value: Tensor, carried: Carried) -> Tensor:
    sample = value.as_subclass(LogSpaceSample)
    sample._carried = carried
    with without_subclass():
        sample._carried_at = _version(sample)
    return sample


def _version(value: Tensor) -> int:
    # Tensors of inference mode count no versions.
    return -1 if value.is_inference() else value._version


def _plain(result: Any) -> Any:
    if isinstance(result, LogSpaceSample):
        return result.as_subclass(_T)
    if isinstance(result, tuple) and type(result) is tuple:
        return tuple(_plain(part) for part in result)
    return result


def _moved(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
) -> Carried | None:
    """What is carried after ``func``, or None where that has no meaning; tuples where the result is one."""
    if not args:
        return None
    if func in _JOIN:
        parts = [_carried(part) for part in args[0]]
        known = [part for part in parts if part is not None]
        spaces = {part.space for part in known}
        if len(known) < len(parts) or len(spaces) != 1:
            return None
        log_space = func([part.log_space for part in known], *args[1:], **kwargs)
        return Carried(log_space, func([part.value for part in known], *args[1:], **kwargs), spaces.pop())
    if (carried := _carried(args[0])) is None:
        return None
    log_space, value, space = carried
    if func in _CONVERT and isinstance(result, Tensor) and result.is_floating_point():
        return Carried(log_space.to(result.device), value.to(result.device, result.dtype), space)
    if func in _LAYOUT:
        return Carried(func(log_space, *args[1:], **kwargs), func(value, *args[1:], **kwargs), space)
    return None
