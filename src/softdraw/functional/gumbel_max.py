"""``gumbel_max``: exact samples of a categorical variable."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from softdraw.arguments import check_samples, class_dim, is_usual, read_mask, read_noise, read_sample_shape
from softdraw.kernels import autograd
from softdraw.kernels.fast_path import is_distributed, is_plain
from softdraw.kernels.formulas import scores
from softdraw.random import Key, source
from softdraw.recording import is_symbol, record

__all__ = ["gumbel_max"]


def gumbel_max(
    logits: Tensor,
    dim: int = -1,
    *,
    sample_shape: Sequence[int] = (),
    mask: Tensor | None = None,
    key: Key | None = None,
    generator: torch.Generator | None = None,
    noise: Tensor | None = None,
    sizes: Sequence[int] | None = None,
) -> Tensor:
    """argmax(logits + Gumbel noise): an exact sample of softmax(logits), as an index.

    Args:
        logits: unnormalised log-probabilities ``[*]`` with classes in ``dim``, of any floating dtype. A
            DTensor draws what one process with all of it would.
        dim: where the classes are.
        sample_shape: leading dims of independent samples of every row.
        mask: boolean, broadcastable to the logits, True where a class is allowed.
        key: the name of the noise; at one key, the index is that of the soft and the hard ``gumbel_softmax``.
        generator: a source of a fresh key. Without any source, torch's default generator is one.
        noise: the caller's own noise, broadcastable to ``(*sample_shape, *logits.shape)``.
        sizes: the sizes of the blocks that the last dim consists of, such as ``[3, 5, 2]``: each is a choice
            of its own, and rows are counted over batch and blocks. Blocks of one size draw what logits
            ``[*batch, blocks, size]`` would. The result is then
            ``(*sample_shape, *batch, blocks)``, counted from the first class of each block.

    Returns:
        int64 indices ``(*sample_shape, *batch)``, where ``batch`` is the logits' shape without ``dim``; -1
        for a row with no allowed class or with NaN or ``+inf``. They carry no gradient.

    Raises:
        TypeError: ``logits`` or ``noise`` is no dense tensor of float16, bfloat16, float32 or float64,
            ``mask`` none of bool, ``sample_shape`` no sequence of ints, or ``dim``, ``key`` or ``generator``
            of another type.
        ValueError: ``mask`` or ``noise`` does not broadcast or is on another device, there is no dim ``dim``
            or no class in it, a sample size is negative, more than one of key, generator and noise is
            given, or ``sizes`` are not the last dim's.

    Example:
        >>> import softdraw as sd, torch
        >>> logits = torch.tensor([0.2, 0.3, 0.5]).log()
        >>> index = sd.gumbel_max(logits, sample_shape=(100_000,), key=sd.Key(0))
        >>> bool((index.bincount() / 1e5 - logits.exp()).abs().max() < 0.01)
        True
        >>> sd.gumbel_max(logits, mask=torch.zeros(3, dtype=torch.bool))
        tensor(-1)
        >>> sd.gumbel_max(torch.zeros(4, 10), sizes=[3, 5, 2]).shape
        torch.Size([4, 3])

    Reference:
        Maddison, Tarlow, Minka, "A* sampling", NeurIPS 2014, section 2, for the trick and its proof.
    """
    eager = is_plain(logits)
    if not eager:
        if is_symbol(logits):
            options = {"mask": mask, "key": key, "generator": generator, "noise": noise, "sizes": sizes}
            return record(gumbel_max, logits, dim, sample_shape=sample_shape, **options)
        if is_distributed(logits):
            from softdraw.sharding import draws  # here, since DTensor takes its time to import

            return draws.index(gumbel_max, logits, dim, sample_shape, mask, key, generator, noise, sizes)
    if sizes is not None:
        from softdraw.functional import blocks  # here, so that a program without them starts sooner

        rest = mask, key, generator, noise
        return blocks.index(gumbel_max, sizes, logits, dim, sample_shape, *rest)
    dim = logits.dim() - 1 if eager and dim == -1 and is_usual(logits) else class_dim(logits, dim)
    if key is not None or generator is not None or noise is not None:
        source.one_source(key, generator, noise)
    shape = () if sample_shape == () else read_sample_shape(sample_shape)
    samples = math.prod(shape)
    check_samples(samples)
    if mask is not None:
        mask = read_mask(mask, logits)
    if dim != logits.dim() - 1:
        logits = logits.movedim(dim, -1)
        mask = None if mask is None else mask.movedim(dim, -1)
    batch = logits.shape[:-1]
    if noise is not None:
        noise = read_noise(noise, (*shape, *_unmoved(logits.shape, dim)), logits)
        noise = noise.detach().movedim(len(shape) + dim, -1)
        return scores(logits.detach(), mask, noise).winner()
    if eager:
        seed, offset = source.numbers(key, generator, logits)
        index = autograd.index(logits.contiguous(), mask, seed, offset, samples)
    else:
        x = logits.detach()
        index = scores(x, mask, source.noise("gumbel", x, samples, key, generator, False)).winner()
    return index.view((*shape, *batch))


def _unmoved(shape: torch.Size, dim: int) -> tuple[int, ...]:
    """The shape before the classes of ``dim`` were moved to the end."""
    return (*shape[:dim], shape[-1], *shape[dim:-1])
