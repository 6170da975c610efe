"""How an argument is read, and what is said of a wrong one: the one answer of all rooms.

A wrong type is a ``TypeError``, a wrong value a ``ValueError``, and both say ``name: got X, expected Y``.
May import: ``softdraw.kernels``, torch.
"""

import math
import numbers
import operator
from collections.abc import Collection, Sequence
from typing import overload

import torch
from torch import Tensor

from softdraw._torch import jit_traces, untraced
from softdraw.kernels.fast_path import is_plain
from softdraw.kernels.formulas import compute_dtype
from softdraw.kernels.layout import MAX_CLASSES, MAX_SAMPLES

__all__ = [
    "DTYPES",
    "check_broadcasts",
    "check_classes",
    "check_floating",
    "check_samples",
    "check_temperatures",
    "class_dim",
    "described",
    "is_usual",
    "read_choice",
    "read_count",
    "read_mask",
    "read_noise",
    "read_number",
    "read_sample_shape",
    "read_tau",
    "read_temperature",
    "sizes_of",
    "wrong_type",
    "wrong_value",
]

#: dtypes of logits and all other values that gradients reach
DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
#: what a graph of dynamic shapes has for sizes must not be read, or it would be fixed
_SIZES = (int, torch.SymInt)
_INFINITE = (math.inf, -math.inf)
_FLOATING = "a tensor of float16, bfloat16, float32 or float64"


def wrong_type(name: str, value: object, expected: str) -> TypeError:
    """The error for a value of a wrong type, to be raised."""
    return TypeError(f"{name}: got {described(value)}, expected {expected}")


def wrong_value(name: str, value: object, expected: str) -> ValueError:
    """The error for a value of the right type that will not do, to be raised."""
    return ValueError(f"{name}: got {described(value)}, expected {expected}")


def described(value: object) -> str:
    """What came, in few words: the shape and dtype of a tensor, the value and type of anything else."""
    if isinstance(value, Tensor):
        kind = "jagged " if value.is_nested else "" if value.layout is torch.strided else "sparse "
        shape = "" if value.is_nested else f" of shape {tuple(value.shape)}"
        return f"a {kind}tensor{shape} of {str(value.dtype).removeprefix('torch.')}"
    if value is None or isinstance(value, bool | int | float | str | tuple | torch.dtype | torch.device):
        return repr(value)
    text = repr(value)
    return f"{text if len(text) <= 60 else text[:57] + '...'} of type {type(value).__name__}"


def check_floating(name: str, value: Tensor) -> None:
    """Refuse what is no dense tensor of a dtype that the kernels compute with.

    Raises:
        TypeError: no tensor, an integer, boolean, complex or float8 dtype, a sparse or a jagged layout.
    """
    if not isinstance(value, Tensor):
        raise wrong_type(name, value, _FLOATING)
    if value.dtype not in DTYPES:
        raise wrong_type(name, value, _FLOATING)
    if value.is_nested or value.layout is not torch.strided:
        raise wrong_type(
            name, value, "a dense (strided) tensor: convert it first, for example by .to_dense()"
        )


def is_usual(logits: Tensor) -> bool:
    """Whether a tensor passes ``class_dim`` at dim -1: at a glance, for small layers."""
    return (
        logits.dtype in DTYPES
        and logits.layout is torch.strided
        and not logits.is_nested
        and bool(shape := logits.shape)
        and 0 < shape[-1] <= MAX_CLASSES
    )


def check_classes(name: str, value: Tensor, dims: str = "[*batch, classes]") -> None:
    """Refuse a tensor without the dims that ``dims`` names (those without a star), or with no classes.

    Raises:
        TypeError: as ``check_floating``.
        ValueError: too few dims, no classes in the last, or more than the counter can number.
    """
    check_floating(name, value)
    shape = sizes_of(value)
    if len(shape) < dims.count(",") or not shape or shape[-1] == 0:
        raise wrong_value(name, value, f"shape {dims} with 1 class or more")
    if shape[-1] > MAX_CLASSES:
        raise wrong_value(name, value, "at most 2^33 classes")


def class_dim(logits: Tensor, dim: int) -> int:
    """``dim`` counted from the front, for logits that are checked.

    Raises:
        TypeError: logits as ``check_floating`` refuses them, or ``dim`` is no int.
        ValueError: no dims, a dim that is not there, has no classes, or more than the counter can number.
    """
    check_floating("logits", logits)
    dims = logits.dim()
    if dims == 0:
        raise wrong_value("logits", logits, "a dim of classes")
    dim = _index("dim", dim, "an int")
    if not -dims <= dim < dims:
        raise wrong_value("dim", dim, f"a number from {-dims} to {dims - 1} for shape {tuple(logits.shape)}")
    if not 0 < sizes_of(logits)[dim] <= MAX_CLASSES:
        raise wrong_value("logits", logits, f"from 1 to 2^33 classes in dim {dim}")
    return dim % dims


def sizes_of(value: Tensor) -> tuple[int, ...]:
    """The shape as numbers, also where ``torch.jit.trace`` runs, which would warn of what is checked."""
    if jit_traces():
        with untraced():
            return tuple(value.shape)
    return value.shape


def check_samples(samples: int) -> None:
    """Refuse more samples than the counter can number."""
    if samples > MAX_SAMPLES:
        raise ValueError(f"sample_shape: got {samples} samples in all, expected at most 2^32")


def read_sample_shape(sample_shape: Sequence[int], name: str = "sample_shape") -> tuple[int, ...]:
    """A shape as a tuple of sizes.

    Raises:
        TypeError: no sequence of ints.
        ValueError: a negative size.
    """
    if not isinstance(sample_shape, Sequence):
        raise wrong_type(name, sample_shape, "a tuple of sizes, such as (5,)")
    shape = tuple(
        size if type(size) in _SIZES else _index(name, size, "sizes that are ints") for size in sample_shape
    )
    if shape and min(shape) < 0:
        raise wrong_value(name, shape, "sizes of 0 or more")
    return shape


@overload
def read_mask(mask: Tensor, logits: Tensor, shape: Sequence[int] | None = None) -> Tensor: ...
@overload
def read_mask(mask: Tensor | None, logits: Tensor, shape: Sequence[int] | None = None) -> Tensor | None: ...
def read_mask(mask: Tensor | None, logits: Tensor, shape: Sequence[int] | None = None) -> Tensor | None:
    """``mask`` expanded to the shape of the logits (or to ``shape``), on their device.

    Raises:
        TypeError: no boolean tensor.
        ValueError: it is on another device or does not broadcast.
    """
    if mask is None:
        return None
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        raise wrong_type("mask", mask, "a tensor of bool, True where a class is allowed")
    if mask.device != logits.device:
        raise ValueError(
            f"mask: got a tensor on {mask.device}, expected one on {logits.device}, as the logits"
        )
    return check_broadcasts("mask", mask, logits.shape if shape is None else shape)


def read_noise(noise: Tensor, shape: Sequence[int], logits: Tensor) -> Tensor:
    """The caller's noise expanded to ``shape``.

    Raises:
        TypeError: no floating tensor.
        ValueError: it is on another device or does not broadcast.
    """
    check_floating("noise", noise)
    if noise.device != logits.device:
        raise ValueError(
            f"noise: got a tensor on {noise.device}, expected one on {logits.device}, as the logits"
        )
    return check_broadcasts("noise", noise, shape)


def check_broadcasts(name: str, value: Tensor, shape: Sequence[int]) -> Tensor:
    """``value`` expanded to ``shape``; a ``ValueError`` that names both where it does not fit."""
    try:
        return value.expand(shape)
    except RuntimeError:
        raise wrong_value(name, value, f"one that broadcasts to {tuple(shape)}") from None


def read_tau(
    tau: float | Tensor, logits: Tensor, dim: int = -1, *, eager: bool = False, name: str = "tau"
) -> float | Tensor:
    """A temperature as a float, a 0-dim tensor, or one value a row in the shape of the logits without
    ``dim``.

    A tensor comes on the logits' device and in the dtype that is computed in. Values are checked for floats
    and, if ``eager``, for tensors on the CPU; elsewhere reading them would wait for the device or break the
    graph.

    Raises:
        TypeError: no number and no floating tensor (a schedule is read by its ``.tau``).
        ValueError: negative, NaN, or of a shape that has no value a row.
    """
    if not isinstance(tau, Tensor):
        return read_temperature(name, tau)
    check_floating(name, tau)
    dim %= logits.dim()
    rows = logits.shape[:dim] + logits.shape[dim + 1 :]
    row_tau = tau.squeeze(dim) if tau.dim() == logits.dim() and sizes_of(tau)[dim] == 1 else tau
    shape = sizes_of(logits)
    sizes, wanted = sizes_of(row_tau), shape[:dim] + shape[dim + 1 :]
    # of one length, since torch.compile of 2.8 takes no zip of others
    fits = len(sizes) <= len(wanted) and all(
        a in (1, b) for a, b in zip(sizes, wanted[len(wanted) - len(sizes) :], strict=True)
    )
    if not fits:
        raise wrong_value(
            name,
            tau,
            f"a number, a shape that broadcasts to the batch shape {tuple(rows)}, or {logits.dim()} dims "
            f"with size 1 at dim {dim}, for logits of shape {tuple(logits.shape)} with classes in dim {dim}",
        )
    if eager:
        check_temperatures(name, tau)
    if row_tau.dim() == 0:
        if eager and tau.device.type == "cpu" and not tau.requires_grad:
            return float(row_tau)
        return row_tau.to(logits.device, compute_dtype(logits.dtype))
    return row_tau.to(logits.device, compute_dtype(logits.dtype)).expand(rows)


def check_temperatures(name: str, tau: Tensor) -> None:
    """Refuse a tensor that holds a negative number or NaN, where looking waits for no device and breaks no
    graph.
    """
    if tau.device.type != "cpu" or not is_plain(tau) or bool((tau.detach() >= 0).all()):
        return
    least = float(tau.detach().min())
    raise ValueError(f"{name}: got a tensor that holds {least}, expected temperatures >= 0, none of them NaN")


def read_temperature(name: str, tau: object) -> float:
    """A temperature that is a number.

    Raises:
        TypeError: no number.
        ValueError: negative or NaN.
    """
    if hasattr(tau, "tau"):
        raise wrong_type(name, tau, "a number or a tensor: pass the schedule's .tau")
    return read_number(name, tau, least=0.0)


def read_number(
    name: str,
    value: object,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
) -> float:
    """A real number within bounds (``least`` and ``most`` belong to them, ``above`` and ``below`` do not).

    NumPy's scalars and arrays of one element are numbers.

    Raises:
        TypeError: no real number; a bool is none.
        ValueError: NaN or out of bounds.
    """
    bounds = [
        (">=", least),
        (">", above),
        ("<=", most),
        ("<", below),
    ]
    said = " and ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound not in (None, *_INFINITE))
    finite = above == -math.inf or below == math.inf
    expected = f"a {'finite ' if finite else ''}number {said}".strip()
    # torch.compile asks no float that is an argument of the graph for its attributes
    if not isinstance(value, float) and getattr(value, "size", None) == 1 and hasattr(value, "item"):
        value = value.item()  # NumPy's scalars and arrays of one element
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise wrong_type(name, value, expected)
    number = float(value)
    inside = (
        number == number
        and (least is None or number >= least)
        and (above is None or number > above)
        and (most is None or number <= most)
        and (below is None or number < below)
    )
    if not inside:
        raise wrong_value(name, number, expected)
    return number


def read_count(name: str, value: object, least: int = 0, most: int | None = None) -> int:
    """An int from ``least`` to ``most``; NumPy's and one-element integer tensors are ints, a bool is not.

    Raises:
        TypeError: no int.
        ValueError: out of bounds.
    """
    expected = f"an int >= {least}" if most is None else f"an int from {least} to {most}"
    count = _index(name, value, expected)
    if count < least or (most is not None and count > most):
        raise wrong_value(name, count, expected)
    return count


def read_choice(name: str, value: object, choices: Collection[object]) -> None:
    """Refuse what is none of ``choices``, with a ``ValueError`` that lists them."""
    if value not in choices:
        raise wrong_value(name, value, f"one of {', '.join(map(repr, choices))}")


def _index(name: str, value: object, expected: str) -> int:
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise wrong_type(name, value, expected) from None
