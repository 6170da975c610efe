"""What this rank holds of a DTensor of logits: which rows, which classes, and what its neighbours hold."""

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard

from softdraw._torch import is_strided
from softdraw.arguments import (
    check_floating,
    class_dim,
    read_mask,
    read_noise,
    read_tau,
    wrong_value,
)
from softdraw.kernels.fast_path import is_plain
from softdraw.kernels.formulas import compute_dtype
from softdraw.random import Key, source
from softdraw.sharding.collectives import Axes, agreed_key
from softdraw.sharding.winner import MOST_CLASSES

__all__ = ["Spread"]

#: pieces of rows that lie apart are drawn one by one up to this number, or from a longer stretch beyond it
_PIECES = 64


class Spread:
    """Logits over a mesh, whole in sum: ``Partial`` ones are summed first.

    Args:
        logits: the DTensor.
        dim: where the classes are; None for a DTensor without dims.

    Attributes:
        local: what this rank has of the logits; gradients go back to them.
        dim: where the classes are, from the front.
        start: the number of the first index of ``local`` in each dim.
        class_axes: the dimensions of the mesh over which the classes are spread.

    Raises:
        TypeError: as ``check_floating``.
        ValueError: a placement other than ``Shard``, ``Replicate`` and ``Partial``, a mesh without this rank,
            or as ``class_dim``.
    """

    def __init__(self, logits: Any, dim: int | None) -> None:
        self.dim = 0 if dim is None else class_dim(logits, dim)
        check_floating("logits", logits)
        self.mesh = logits.device_mesh
        wanted: list[Any] = []
        pending = False
        for placement in logits.placements:
            if is_strided(placement) or not isinstance(placement, (Shard, Replicate, Partial)):
                raise wrong_value("logits", str(placement), "placements Shard, Replicate or Partial")
            partial = isinstance(placement, Partial)
            wanted.append(Replicate() if partial else placement)
            pending = pending or partial
        place = self.mesh.get_coordinate()
        if place is None:
            raise wrong_value("logits", str(self.mesh), "a mesh that this rank is in")
        self.place = tuple(place)
        self.placements = tuple(wanted)
        if pending:
            logits = logits.redistribute(placements=self.placements)
        self.logits = logits
        self.shape = tuple(logits.shape)
        self.local = _here(logits, self.placements)
        self.start = self._starts()
        self.class_axes: Axes = tuple(
            (self.mesh, axis)
            for axis, placement in enumerate(self.placements)
            if isinstance(placement, Shard) and placement.dim % len(self.shape) == self.dim
        )
        if self.class_axes and self.shape[self.dim] > MOST_CLASSES:
            raise wrong_value("logits", logits, "at most 2^32 classes that are spread over ranks")

    def _starts(self) -> tuple[int, ...]:
        """Where the parts of this rank begin: torch.chunk of a dim for each dimension of the mesh in turn."""
        starts, sizes = [0] * len(self.shape), list(self.shape)
        for axis, placement in enumerate(self.placements):
            if isinstance(placement, Shard):
                dim = placement.dim % len(self.shape)
                chunk = -(-sizes[dim] // self.mesh.size(axis))
                low = min(self.place[axis] * chunk, sizes[dim])
                starts[dim] += low
                sizes[dim] = min(chunk, sizes[dim] - low)
        return tuple(starts)

    def key(self, key: Key | None, generator: torch.Generator | None) -> Key:
        """The key of this draw, the same on all ranks of the mesh."""
        axes = tuple((self.mesh, axis) for axis in range(self.mesh.ndim))
        first = not any(self.place)
        return agreed_key(key, generator, axes, first, torch.device(self.mesh.device_type))

    def mask(self, mask: Tensor | None) -> Tensor | None:
        """The mask of the local logits, in their shape."""
        if mask is None:
            return None
        return self._part(self._on_mesh("mask", read_mask(mask, self.logits)), self.placements)

    def noise(self, noise: Tensor, samples: Sequence[int] = ()) -> Tensor:
        """The caller's noise for the local logits, ``[*samples, *local.shape]``."""
        noise = read_noise(noise, (*samples, *self.shape), self.logits)
        return self._part(self._on_mesh("noise", noise), self._moved(len(samples)))

    def tau(self, tau: float | Tensor, dim: int) -> float | Tensor:
        """The temperature of the local rows: a number, a 0-dim tensor, or one of size 1 in ``dim``."""
        if not isinstance(tau, Tensor):
            return read_tau(tau, self.logits, dim)
        like = self.logits if self.shape else self.logits.reshape(1)
        read = read_tau(tau, like, dim, eager=is_plain(tau))
        if not isinstance(read, Tensor):
            return read
        if read.dim() == 0 or not self.shape:
            wanted: list[Any] = [Replicate()] * self.mesh.ndim
        else:
            read = read.unsqueeze(dim)
            wanted = [
                p if (self.mesh, i) not in self.class_axes else Replicate()
                for i, p in enumerate(self.placements)
            ]
        # ranks that hold different logits have different parts in the gradient of one temperature
        grads = [
            Partial() if isinstance(have, Shard) and isinstance(want, Replicate) else want
            for have, want in zip(self.placements, wanted, strict=True)
        ]
        return self._part(self._on_mesh("tau", read), wanted, grads)

    def result(self, local: Tensor, samples: Sequence[int] = (), *, without_classes: bool = False) -> DTensor:
        """A DTensor of what the ranks drew: ``[*samples, *logits.shape]``, or that without the classes."""
        placements, shape = self._moved(len(samples)), (*samples, *self.shape)
        if without_classes:
            at = len(samples) + self.dim
            shape = (*shape[:at], *shape[at + 1 :])
            placements = [_without(placement, at) for placement in placements]
        sizes: dict[str, Any] = {}
        if shape:
            strides = [math.prod(shape[i + 1 :]) for i in range(len(shape))]
            sizes = {"shape": torch.Size(shape), "stride": tuple(strides)}
        return DTensor.from_local(local.contiguous(), self.mesh, placements, run_check=False, **sizes)

    def row_start(self) -> int | None:
        """The number of the first local row, if the others follow it without a gap."""
        pieces = self._pieces()
        return pieces[0] if len(pieces) == 1 else None

    def drawn_noise(self, law: str, samples: int, key: Key) -> Tensor:
        """Noise ``[samples, *local.shape]`` with the classes last, as the whole logits have it there."""
        batch, local = self._batch(self.shape), self._batch(self.local.shape)
        classes, start = self.local.shape[self.dim], self.start[self.dim]
        like = self.local.detach().new_empty(())

        def made(rows: Sequence[int], first: int) -> Tensor:
            one = like.expand(*rows, classes)
            return source.noise(law, one, samples, key.rows(first), class_start=start)

        pieces = self._pieces()
        if self.local.numel() == 0:
            return like.new_empty((samples, *local, classes), dtype=compute_dtype(like.dtype))
        if len(pieces) <= _PIECES:
            rows = math.prod(local) // len(pieces)
            parts = [made((rows,), first) for first in pieces]
            return torch.cat(parts, 1).reshape(samples, *local, classes)
        drawn = made((local[0], *batch[1:]), self._batch(self.start)[0] * math.prod(batch[1:]))
        for dim in range(1, len(local)):
            drawn = drawn.narrow(dim + 1, self._batch(self.start)[dim], local[dim])
        return drawn

    def _pieces(self) -> list[int]:
        """The numbers of the rows with which stretches of local rows begin, all of one length."""
        batch, local, start = (self._batch(x) for x in (self.shape, self.local.shape, self.start))
        cut = [dim for dim in range(len(batch)) if local[dim] != batch[dim]]
        if not cut:
            return [0]
        before, inner = batch[: cut[-1]], math.prod(batch[cut[-1] + 1 :])
        firsts = []
        for index in product(*(range(start[dim], start[dim] + local[dim]) for dim in range(len(before)))):
            row = 0
            for place, size in zip(index, before, strict=True):
                row = row * size + place
            firsts.append((row * batch[cut[-1]] + start[cut[-1]]) * inner)
        return firsts

    def _batch(self, sizes: Sequence[int]) -> tuple[int, ...]:
        return (*sizes[: self.dim], *sizes[self.dim + 1 :])

    def _moved(self, dims: int) -> list[Any]:
        """The placements of a tensor with ``dims`` more dims in front."""
        return [
            Shard(placement.dim % len(self.shape) + dims) if isinstance(placement, Shard) else placement
            for placement in self.placements
        ]

    def _on_mesh(self, name: str, value: Tensor) -> Any:
        """A plain tensor, which all ranks have whole, as a DTensor."""
        if not isinstance(value, DTensor):
            return DTensor.from_local(value, self.mesh, [Replicate()] * self.mesh.ndim, run_check=False)
        if value.device_mesh != self.mesh:
            raise wrong_value(
                name, str(value.device_mesh), f"a DTensor on the mesh of the logits, {self.mesh}"
            )
        return value

    def _part(self, value: Any, placements: Sequence[Any], grads: Sequence[Any] | None = None) -> Tensor:
        return _here(value.redistribute(placements=placements), placements if grads is None else grads)


def _here(value: DTensor, grads: Sequence[Any]) -> Tensor:
    """The local tensor, whose gradient has these placements."""
    local = value.to_local(grad_placements=tuple(grads))
    return local.wait() if hasattr(local, "wait") else local  # of a redistribution that still runs


def _without(placement: Any, dim: int) -> Any:
    """The placement of a tensor whose dim ``dim`` was reduced."""
    if not isinstance(placement, Shard) or placement.dim < dim:
        return placement
    return Replicate() if placement.dim == dim else Shard(placement.dim - 1)
