"""Heads and embeddings that are DTensors: what this rank has of them, and the group that has the rest."""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor, Replicate, Shard

from softdraw.arguments import wrong_type, wrong_value
from softdraw.random import Key
from softdraw.sharding.collectives import agreed_key

__all__ = ["Tables", "read_tables"]

_EXPECTED = "Shard(0) over one dimension of the mesh and Replicate() over the others"


class Tables(NamedTuple):
    """What a draw over a vocabulary takes, as plain tensors of this rank; gradients go to what was given.

    Attributes:
        hidden: the hidden states, whole.
        weight: this rank's rows of the head.
        embedding: this rank's rows of the embedding, the same tensor as ``weight`` where they are tied.
        bias: this rank's part.
        mask: that of this rank's classes.
        tau: the temperature, whole.
        group: the dimension of the mesh that has the other classes, None where this rank has all.
        key: the key, the same on all ranks of the mesh.
        mesh: that of the result, None for a plain one.
    """

    hidden: Tensor
    weight: Tensor
    embedding: Tensor
    bias: Tensor | None
    mask: Tensor | None
    tau: Any
    group: Any
    key: Key
    mesh: Any

    def result(self, local: Tensor) -> Tensor:
        """A result, the same on all ranks: a DTensor where the hidden states are one."""
        if self.mesh is None:
            return local
        return DTensor.from_local(local, self.mesh, [Replicate()] * self.mesh.ndim, run_check=False)


def read_tables(
    hidden: Tensor,
    weight: Tensor,
    embedding: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    tau: Any,
    group: Any,
    key: Key | None,
    generator: torch.Generator | None,
) -> Tables:
    """Read the arguments of a draw over a vocabulary of which one is a DTensor.

    Raises:
        TypeError: the head is no DTensor, or embedding or bias are none beside it.
        ValueError: a ``group`` beside DTensors, other placements of the head than rows over one dimension of
            the mesh, tables that are not split alike, or a rank without a class.
    """
    if not isinstance(weight, DTensor):
        raise wrong_type("weight", weight, "a DTensor, as others are, or the local tensors of all")
    if group is not None:
        raise wrong_value("group", group, "None beside a DTensor, whose placements say who has which classes")
    mesh, axis = weight.device_mesh, _axis_of(weight)
    for name, one in (("embedding", embedding), ("bias", bias)):
        if one is None or one is weight:
            continue
        if not isinstance(one, DTensor):
            raise wrong_type(name, one, "a DTensor that is split as weight is")
        if one.device_mesh != mesh or _axis_of(one, name) != axis or one.shape[0] != weight.shape[0]:
            raise wrong_value(
                name, str(one.placements), f"rows split as those of weight, {weight.placements}"
            )
    axes: Any = tuple((mesh, dim) for dim in range(mesh.ndim))
    place = mesh.get_coordinate()
    if place is None:
        raise wrong_value("weight", str(mesh), "a mesh that this rank is in")
    agreed = agreed_key(key, generator, axes, not any(place), hidden.device)
    whole: Any = [Replicate()] * mesh.ndim
    local = weight.to_local()
    start = 0 if axis is None else place[axis] * -(-weight.shape[0] // mesh.size(axis))
    if mask is not None:
        # a mask that is spread is gathered: it is small beside the head, and has no gradient
        known = mask.full_tensor() if isinstance(mask, DTensor) else mask
        cut = known.dim() > 0 and known.shape[-1] == weight.shape[0]
        mask = known.narrow(-1, start, local.shape[0]) if cut else known
    return Tables(
        _whole(hidden, whole),
        local,
        local if embedding is weight else embedding.to_local(),  # type: ignore[attr-defined]
        None if bias is None else bias.to_local(),  # type: ignore[attr-defined]
        mask,
        _whole(tau, whole),
        None if axis is None else (mesh, axis),
        agreed,
        mesh if isinstance(hidden, DTensor) else None,
    )


def _whole(value: Any, whole: Any) -> Any:
    """A value that all ranks have: gathered or summed where it is spread, its gradient cut again."""
    if not isinstance(value, DTensor):
        return value
    return value.redistribute(placements=whole).to_local(grad_placements=whole)


def _axis_of(table: Any, name: str = "weight") -> int | None:
    """The dimension of the mesh over which the rows are split, None where each rank has all."""
    axes = []
    for axis, placement in enumerate(table.placements):
        if isinstance(placement, Shard) and placement.dim == 0 and not hasattr(placement, "split_factor"):
            axes.append(axis)
        elif not isinstance(placement, Replicate):
            raise wrong_value(name, str(table.placements), _EXPECTED)
    if len(axes) > 1:
        raise wrong_value(name, str(table.placements), _EXPECTED)
    if not axes:
        return None
    ranks, rows = table.device_mesh.size(axes[0]), table.shape[0]
    if -(-rows // ranks) * (ranks - 1) >= rows:
        raise wrong_value(name, f"{rows} rows over {ranks} ranks", "a class or more on each rank")
    return axes[0]
