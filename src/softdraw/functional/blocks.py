"""Draws over rows that are blocks of unequal sizes: what ``sizes=`` of the functions does.

Blocks of one size are a view; otherwise the loops of the CPU read them where they lie, and graphs,
transforms, other devices, gradients of the temperature and the caller's noise take a padded copy.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from softdraw.arguments import (
    check_classes,
    check_samples,
    read_count,
    read_mask,
    read_noise,
    read_sample_shape,
    read_tau,
    sizes_of,
    wrong_type,
    wrong_value,
)
from softdraw.kernels import blocks
from softdraw.kernels.fast_path import is_plain
from softdraw.random import Key, source

__all__ = ["index", "read_sizes", "read_sizes_alone", "sample"]


def read_sizes(sizes: Sequence[int], logits: Tensor, dim: int = -1, name: str = "sizes") -> tuple[int, ...]:
    """The sizes of the blocks of the last dim, for logits that are checked.

    Raises:
        TypeError: no sequence of ints, or logits as ``check_floating`` refuses them.
        ValueError: a size below 1, sizes that do not sum to the last dim, or another ``dim`` than the last.
    """
    read = read_sizes_alone(sizes, name)
    check_classes("logits", logits, "[*batch, sum of sizes]")
    if dim not in (-1, logits.dim() - 1):
        raise wrong_value("dim", dim, "-1 beside sizes, which are blocks of the last dim")
    total = sizes_of(logits)[-1]
    if sum(read) != total:
        raise wrong_value(name, read, f"sizes that sum to {total}, the last dim of the logits")
    return read


def read_sizes_alone(sizes: Sequence[int], name: str = "sizes") -> tuple[int, ...]:
    """The sizes of blocks, before there are logits.

    Raises:
        TypeError: no sequence of ints.
        ValueError: none, or a size below 1.
    """
    if not isinstance(sizes, Sequence):
        raise wrong_type(name, sizes, "a sequence of ints, such as [3, 5, 2]")
    read = tuple(size if type(size) is int and size > 0 else read_count(name, size, 1) for size in sizes)
    if not read:
        raise wrong_value(name, read, "one block or more")
    return read


def sample(
    draw: Callable[..., Tensor],
    sizes: Sequence[int],
    logits: Tensor,
    tau: float | Tensor,
    hard: bool,
    dim: int,
    mask: Tensor | None,
    key: Key | None,
    generator: torch.Generator | None,
    noise: Tensor | None,
) -> Tensor:
    """``gumbel_softmax`` of each block; ``draw`` is that function, for blocks of one size."""
    sizes = read_sizes(sizes, logits, dim)
    source.one_source(key, generator, noise)
    eager = is_plain(logits)
    if type(tau) is not float or not tau >= 0.0:
        tau = _read_tau(tau, logits, len(sizes), eager)
    mask = read_mask(mask, logits)
    noise = None if noise is None else read_noise(noise, logits.shape, logits)
    learned_tau = isinstance(tau, Tensor) and tau.requires_grad
    equal = _is_one_size(sizes)
    if not equal and eager and noise is None and not learned_tau and blocks.has_loops(logits):
        if isinstance(tau, Tensor):
            # A copy in full: a schedule may step before the backward.
            tau = tau.expand(*logits.shape[:-1], len(sizes)).clone(memory_format=torch.contiguous_format)
        seed, offset = source.numbers(key, generator, logits)
        return (blocks.hard if hard else blocks.soft)(logits.contiguous(), mask, tau, seed, offset, sizes)
    options = {"key": key, "generator": generator}
    if equal:
        split = len(sizes), sizes[0]
        x, mask, noise = (_split(one, split) for one in (logits, mask, noise))
        return draw(x, tau, hard, mask=mask, noise=noise, **options).flatten(-2)
    places = blocks.layout(sizes, logits.device, keep=eager)
    noise = None if noise is None else places.pad(noise)
    y = draw(places.pad(logits), tau, hard, mask=places.mask(mask), noise=noise, **options)
    return places.unpad(y)


def index(
    draw: Callable[..., Tensor],
    sizes: Sequence[int],
    logits: Tensor,
    dim: int,
    sample_shape: Sequence[int],
    mask: Tensor | None,
    key: Key | None,
    generator: torch.Generator | None,
    noise: Tensor | None,
) -> Tensor:
    """``gumbel_max`` of each block, counted within it; ``draw`` is that function."""
    sizes = read_sizes(sizes, logits, dim)
    source.one_source(key, generator, noise)
    shape = read_sample_shape(sample_shape)
    check_samples(math.prod(shape))
    mask = read_mask(mask, logits)
    noise = None if noise is None else read_noise(noise, (*shape, *logits.shape), logits)
    eager = is_plain(logits)
    options: dict[str, Any] = {"sample_shape": shape, "key": key, "generator": generator}
    if _is_one_size(sizes):
        split = len(sizes), sizes[0]
        x, mask, noise = (_split(one, split) for one in (logits, mask, noise))
        return draw(x, mask=mask, noise=noise, **options)
    if eager and noise is None and blocks.has_loops(logits):
        seed, offset = source.numbers(key, generator, logits)
        found = blocks.index(logits.contiguous(), mask, seed, offset, math.prod(shape), sizes)
        return found.view(*shape, *found.shape[1:])
    places = blocks.layout(sizes, logits.device, keep=eager)
    noise = None if noise is None else places.pad(noise)
    return draw(places.pad(logits.detach()), mask=places.mask(mask), noise=noise, **options)


def _is_one_size(sizes: tuple[int, ...]) -> bool:
    return all(size == sizes[0] for size in sizes)


def _split(value: Any, split: tuple[int, int]) -> Any:
    return None if value is None else value.reshape(*value.shape[:-1], *split)


def _read_tau(tau: float | Tensor, logits: Tensor, count: int, eager: bool) -> float | Tensor:
    """A number, or one temperature a block: the rule of tau for logits ``[*batch, blocks, classes]``."""
    if not isinstance(tau, Tensor):
        return read_tau(tau, logits, eager=eager)
    rows = logits.detach()[..., :1].unsqueeze(-1).expand(*logits.shape[:-1], count, 1)
    return read_tau(tau, rows, eager=eager)
