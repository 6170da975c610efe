"""``gumbel_top_k``: ordered draws without replacement."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from softdraw.arguments import (
    check_floating,
    check_samples,
    class_dim,
    read_count,
    read_mask,
    read_noise,
    read_sample_shape,
    sizes_of,
)
from softdraw.functional.gumbel_max import gumbel_max
from softdraw.functional.order import best_first, ranked
from softdraw.kernels import autograd
from softdraw.kernels.fast_path import is_plain
from softdraw.kernels.formulas import scores
from softdraw.random import Key, source
from softdraw.recording import recordable

__all__ = ["gumbel_top_k"]


@recordable
def gumbel_top_k(
    logits: Tensor,
    k: int,
    dim: int = -1,
    *,
    sample_shape: Sequence[int] = (),
    mask: Tensor | None = None,
    key: Key | None = None,
    generator: torch.Generator | None = None,
    noise: Tensor | None = None,
) -> Tensor:
    """The k largest of logits + Gumbel noise, best first: k draws from softmax(logits) without replacement.

    The first is that of :func:`softdraw.gumbel_max` at the same key, and for every k the first entries
    are those of a smaller k. The law of the sequence is Plackett and Luce's; its density and that of the
    set are in :class:`softdraw.structured.OrderedSubset`. **How often an item is among the k is no simple
    function of the logits**: for given inclusion probabilities see
    ``softdraw.structured.Subset.with_inclusion``.

    Args:
        logits: unnormalised log-probabilities ``[*]`` with classes in ``dim``, of any floating dtype.
        k: how many, from 0 to the number of classes.
        dim: where the classes are.
        sample_shape: leading dims of independent samples of every row.
        mask: boolean, broadcastable to the logits, True where a class is allowed.
        key: the name of the noise.
        generator: a source of a fresh key. Without any source, torch's default generator is one.
        noise: the caller's own noise, broadcastable to ``(*sample_shape, *logits.shape)``. Of equal sums
            the lower index comes first.

    Returns:
        int64 indices ``(*sample_shape, *batch, k)``, where ``batch`` is the logits' shape without
        ``dim``. Where fewer than k classes are allowed, -1 stands after them; a row with NaN or ``+inf``
        is -1 throughout. They carry no gradient.

    Raises:
        TypeError: ``logits`` or ``noise`` is no dense tensor of float16, bfloat16, float32 or float64,
            ``mask`` none of bool, ``sample_shape`` no sequence of ints, or ``k``, ``dim``, ``key`` or
            ``generator`` of another type.
        ValueError: ``k`` is out of range, ``mask`` or ``noise`` does not broadcast or is on another
            device, there is no dim ``dim`` or no class in it, a sample size is negative, or more than one
            of key, generator and noise is given.

    Example:
        >>> import softdraw as sd, torch
        >>> logits = torch.tensor([0.5, 0.3, 0.2]).log()
        >>> order = sd.gumbel_top_k(logits, 2, sample_shape=(100_000,), key=sd.Key(0))
        >>> bool((order[:, 0] == sd.gumbel_max(logits, sample_shape=(100_000,), key=sd.Key(0))).all())
        True
        >>> share = (order == torch.tensor([0, 1])).all(-1).float().mean()
        >>> bool((share - 0.5 * 0.3 / 0.5).abs() < 0.01)
        True

    Reference:
        Vieira, "Gumbel-max trick and weighted reservoir sampling", 2014; Kool, van Hoof, Welling,
        "Stochastic beams and where to find them", ICML 2019, section 2.3.
    """
    check_floating("logits", logits)
    dim = class_dim(logits, dim)
    k = read_count("k", k, 0, sizes_of(logits)[dim])
    if k == 1:
        # the fused kernel, and with it the same bits
        return gumbel_max(
            logits, dim, sample_shape=sample_shape, mask=mask, key=key, generator=generator, noise=noise
        ).unsqueeze(-1)
    if key is not None or generator is not None or noise is not None:
        source.one_source(key, generator, noise)
    shape = read_sample_shape(sample_shape)
    check_samples(math.prod(shape))
    x = logits.detach().movedim(dim, -1)
    mask = read_mask(mask, logits)
    allowed = None if mask is None else mask.movedim(dim, -1)
    if noise is None and is_plain(logits):
        seed, offset = source.numbers(key, generator, logits)
        index = autograd.top_k(x, allowed, seed, offset, math.prod(shape), k)
        return index.reshape(*shape, *index.shape[1:])
    if noise is None:
        added = source.noise("gumbel", x, math.prod(shape), key, generator)
    else:
        noise = read_noise(noise, (*shape, *logits.shape), logits).detach()
        added = noise.movedim(len(shape) + dim, -1).reshape(-1, *x.shape)
    z, allowed, bad = scores(x, allowed, added)
    index = best_first(ranked(z, allowed), k)
    index = torch.where(allowed.gather(-1, index) & ~bad, index, -1)
    return index.reshape(*shape, *index.shape[1:])
