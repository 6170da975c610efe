"""Tensors of noise: for a key, the very noise that the drawing functions use."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from softdraw._torch import innermost_transform
from softdraw.kernels import autograd, ops
from softdraw.kernels.layout import MAX_CLASSES, MAX_SAMPLES
from softdraw.random.fresh import fresh_key
from softdraw.random.key import Key

__all__ = ["exponential", "gumbel", "logistic", "uniform"]


def gumbel(
    shape: Sequence[int],
    *,
    sample_shape: Sequence[int] = (),
    key: Key | None = None,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
) -> Tensor:
    """Gumbel(0, 1) noise, whose upper tail reaches 45 in float32: probability 2^-65.

    Args:
        shape: ``(*batch, classes)``; the last number counts classes, the others rows.
        sample_shape: leading dims of independent samples.
        key: the noise's name; without it ``generator``, without that torch's default generator.
        generator: a source of a fresh key.
        dtype: float64 is the finer rounding of the same bits; half types are rounded from float32.
        device: where the noise is made; the numbers are the same everywhere, to a few ulp.

    Returns:
        Noise ``(*sample_shape, *shape)``.

    Raises:
        ValueError: ``key`` and ``generator`` are both given, a size is negative, or ``dtype`` is not
            floating.

    Example:
        >>> import softdraw as sd
        >>> noise = sd.random.gumbel((4, 10), key=sd.Key(0))
        >>> noise.shape
        torch.Size([4, 10])
        >>> logits = torch.zeros(4, 10)
        >>> bool(((logits + noise).argmax(-1) == sd.gumbel_max(logits, key=sd.Key(0))).all())
        True

    Reference:
        Gumbel, "Statistical theory of extreme values and some practical applications", 1954; the trick is
        surveyed by Huijben, Kool, Paulus, van Sloun, "A review of the Gumbel-max trick and its extensions",
        TPAMI 2022.
    """
    return _noise("gumbel", shape, sample_shape, key, generator, dtype, device)


def logistic(
    shape: Sequence[int],
    *,
    sample_shape: Sequence[int] = (),
    key: Key | None = None,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
) -> Tensor:
    """Logistic(0, 1) noise, log u - log(1 - u), exact at both ends. Arguments as for :func:`gumbel`.

    Example:
        >>> import softdraw as sd
        >>> sd.random.logistic((3,), key=sd.Key(0)).shape
        torch.Size([3])
    """
    return _noise("logistic", shape, sample_shape, key, generator, dtype, device)


def exponential(
    shape: Sequence[int],
    *,
    sample_shape: Sequence[int] = (),
    key: Key | None = None,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
) -> Tensor:
    """Exponential(1) noise E, never 0; ``-log(E)`` is :func:`gumbel` at the same key. Arguments as there.

    Example:
        >>> import softdraw as sd
        >>> bool((sd.random.exponential((1000,), key=sd.Key(0)) > 0).all())
        True
    """
    return _noise("exponential", shape, sample_shape, key, generator, dtype, device)


def uniform(
    shape: Sequence[int],
    *,
    sample_shape: Sequence[int] = (),
    key: Key | None = None,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
) -> Tensor:
    """Uniform noise in the open interval (0, 1), fine near 0. Arguments as for :func:`gumbel`.

    Example:
        >>> import softdraw as sd
        >>> u = sd.random.uniform((1000,), key=sd.Key(0))
        >>> bool(((u > 0) & (u < 1)).all())
        True
    """
    return _noise("uniform", shape, sample_shape, key, generator, dtype, device)


def _noise(
    law: str,
    shape: Sequence[int],
    sample_shape: Sequence[int],
    key: Key | None,
    generator: torch.Generator | None,
    dtype: torch.dtype,
    device: torch.device | str | None,
) -> Tensor:
    if key is not None and generator is not None:
        raise ValueError("key and generator exclude each other, got both")
    if not dtype.is_floating_point:
        raise ValueError(f"dtype must be a floating type, got {dtype}")
    shape, sample_shape = tuple(shape), tuple(sample_shape)
    classes = shape[-1] if shape else 1
    samples, rows = math.prod(sample_shape), math.prod(shape[:-1])
    if min((*shape, *sample_shape), default=0) < 0:
        raise ValueError(f"sizes must be 0 or more, got shape={shape} and sample_shape={sample_shape}")
    check_sizes(samples, classes)
    # The default device as a compiled graph can read it, too.
    place = torch.empty(0).device if device is None else torch.device(device)
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    full = (*sample_shape, *shape)
    if torch.compiler.is_compiling() or place.type == "meta" or (key is not None and key._state is not None):
        state = ops.fresh_state(torch.empty(0)) if key is None else key.state
        return ops.noise(state, law, samples, rows, classes, wide, place).reshape(full).to(dtype)
    key = fresh_key(generator) if key is None else key
    if innermost_transform() is not None:
        # Under torch.func a new tensor is wrapped, and a kernel cannot write to it: the operator unwraps it.
        return ops.noise(key.state, law, samples, rows, classes, wide, place).reshape(full).to(dtype)
    seed, offset = key._numbers()
    return autograd.noise(law, samples, rows, classes, seed, offset, wide, place).view(full).to(dtype)


def check_sizes(samples: int, classes: int) -> None:
    """Refuse what the counter cannot number."""
    if samples > MAX_SAMPLES:
        raise ValueError(f"sample_shape asks for {samples} samples: expected at most 2^32")
    if classes > MAX_CLASSES:
        raise ValueError(f"the last dim has {classes} classes: expected at most 2^33")
