"""Which part of a vocabulary this rank has: a process group over whose ranks a head is split by its rows."""

from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh

from softdraw._torch import all_reduce
from softdraw.arguments import wrong_type, wrong_value
from softdraw.random import Key
from softdraw.random.ranks import dimension_of
from softdraw.sharding.collectives import Axes, agreed_key

__all__ = ["Part", "part_of"]

_EXPECTED = 'a process group, or a dimension of a DeviceMesh such as mesh["tensor"]'


class Part(NamedTuple):
    """A part of a vocabulary.

    Attributes:
        axes: the groups whose ranks have the others.
        start: the number of its first class, an int64 tensor on the CPU.
        state: the key as a tensor, the same on all these ranks.
    """

    axes: Axes
    start: Tensor
    state: Tensor


def part_of(
    group: Any, classes: int, key: Key | None, generator: torch.Generator | None, device: torch.device
) -> Part:
    """What ``group=`` says; the ranks tell each other how many classes they have.

    Raises:
        TypeError: no process group and no mesh.
        ValueError: a mesh of several dimensions, a dimension that it has not, or a group without this rank.
    """
    axis: Any
    if isinstance(group, dist.ProcessGroup):
        axis, rank, ranks = group, dist.get_rank(group), dist.get_world_size(group)
    else:
        mesh, dim = group if isinstance(group, tuple) and len(group) == 2 else (group, 0)
        if not isinstance(mesh, DeviceMesh):
            raise wrong_type("group", group, _EXPECTED)
        if mesh.ndim > 1 and mesh is group:
            raise wrong_value("group", str(mesh), _EXPECTED)
        dim = dimension_of(mesh, dim)
        place = mesh.get_coordinate()
        axis, rank, ranks = (mesh, dim), -1 if place is None else place[dim], mesh.size(dim)
    if rank < 0:
        raise ValueError(f"group: got one without rank {dist.get_rank()}, expected one that it is in")
    sizes = torch.zeros(ranks, dtype=torch.int64, device=device)
    sizes[rank] = classes
    start = all_reduce(sizes, "sum", axis)[:rank].sum().to("cpu")
    return Part((axis,), start, agreed_key(key, generator, (axis,), rank == 0, device).state)
