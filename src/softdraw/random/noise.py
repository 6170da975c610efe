"""Tensors of noise: for a key, the very noise that the drawing functions use."""

import math
from collections.abc import Sequence
from typing import TypedDict, Unpack

import torch
from torch import Tensor

from softdraw.arguments import DTYPES, check_samples, read_sample_shape, wrong_type, wrong_value
from softdraw.kernels.layout import MAX_CLASSES
from softdraw.random.key import Key
from softdraw.random.source import noise_of_shape

__all__ = ["Options", "exponential", "gumbel", "logistic", "uniform"]


class Options(TypedDict, total=False):
    """What every law takes beside the shape; ``gumbel`` says what each is."""

    sample_shape: Sequence[int]
    key: Key | None
    generator: torch.Generator | None
    dtype: torch.dtype
    device: torch.device | str | None


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
        TypeError: ``shape`` or ``sample_shape`` is no sequence of ints, ``key`` no ``Key``, ``generator`` no
            ``torch.Generator``, or ``dtype`` no dtype.
        ValueError: ``key`` and ``generator`` are both given, a size is negative or more than the counter can
            number, or ``dtype`` is not float16, bfloat16, float32 or float64.

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


def logistic(shape: Sequence[int], **options: Unpack[Options]) -> Tensor:
    """Logistic(0, 1) noise, log u - log(1 - u), exact at both ends; options as for ``gumbel``.

    Example:
        >>> import softdraw as sd
        >>> sd.random.logistic((3,), key=sd.Key(0)).shape
        torch.Size([3])
    """
    return _noise("logistic", shape, **options)


def exponential(shape: Sequence[int], **options: Unpack[Options]) -> Tensor:
    """Exponential(1) noise E, never 0; ``-log(E)`` is ``gumbel`` at the same key. Options as there.

    Example:
        >>> import softdraw as sd
        >>> bool((sd.random.exponential((1000,), key=sd.Key(0)) > 0).all())
        True
    """
    return _noise("exponential", shape, **options)


def uniform(shape: Sequence[int], **options: Unpack[Options]) -> Tensor:
    """Uniform noise in the open interval (0, 1), fine near 0. Options as for ``gumbel``.

    Example:
        >>> import softdraw as sd
        >>> u = sd.random.uniform((1000,), key=sd.Key(0))
        >>> bool(((u > 0) & (u < 1)).all())
        True
    """
    return _noise("uniform", shape, **options)


def _noise(
    law: str,
    shape: Sequence[int],
    sample_shape: Sequence[int] = (),
    key: Key | None = None,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
) -> Tensor:
    if not isinstance(dtype, torch.dtype):
        raise wrong_type("dtype", dtype, "a torch.dtype, such as torch.float32")
    if dtype not in DTYPES:
        raise wrong_value("dtype", dtype, "float16, bfloat16, float32 or float64")
    shape = read_sample_shape(shape, "shape")
    sample_shape = read_sample_shape(sample_shape)
    check_samples(math.prod(sample_shape))
    if shape and shape[-1] > MAX_CLASSES:
        raise wrong_value("shape", shape, "at most 2^33 classes in the last dim")
    # A new tensor's device is the default device, as a compiled graph can read it, too.
    place = torch.empty(0).device if device is None else torch.device(device)
    return noise_of_shape(law, shape, sample_shape, key, generator, dtype, place)
