"""Which ranks of ``torch.distributed`` draw apart: what ``group=`` of a layer means."""

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import torch.distributed as dist

from softdraw.arguments import described, wrong_type, wrong_value

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh

__all__ = ["Group", "Ranks", "dimension_of"]

#: the ranks among which the noise of a layer differs: all of them, those of a process group or of a mesh, or
#: none; a mesh without names has its dimensions as ``(mesh, 0)``
Group: TypeAlias = "dist.ProcessGroup | DeviceMesh | tuple[DeviceMesh, str | int] | Literal['world'] | None"
_EXPECTED = (
    '"world", None, a process group, a DeviceMesh, or a dimension of one such as mesh["data"] or (mesh, 0)'
)
#: the rank in a group is read when a layer draws, for a group that may come later: all ranks
_LATER = -2
#: this process is not in the group
_OUTSIDE = -1


class Ranks:
    """The ranks that draw apart, and which of them this process is.

    A copy in this process shares the group. A group does not travel to another process: a layer that was
    unpickled there draws once ``layer.group`` is set, or where ``torch.distributed`` is not in use.

    Args:
        group: see ``Group``. A mesh of several dimensions counts its ranks in order.

    Raises:
        TypeError: none of these.
        ValueError: a name alone, which does not say of which mesh, or a dimension that the mesh has not.
    """

    __slots__ = ("group", "known")

    group: Group
    known: int

    def __init__(self, group: Group) -> None:
        self.group = group
        self.known = _LATER if group == "world" else 0 if group is None else _known_rank(group)

    def rank(self) -> int:
        """The number to fold into a key, where ``torch.distributed`` is initialised and ``group`` not None.

        Raises:
            ValueError: this process is not in the group, or the group stayed in another process.
        """
        if self.known == _LATER:
            if isinstance(self.group, _Left):
                raise ValueError(
                    f"group: got {self.group.text} of the program that saved this layer, expected one of "
                    "this program: set layer.group before it draws"
                )
            return dist.get_rank()
        if self.known == _OUTSIDE:
            raise ValueError(f"group: got one without rank {dist.get_rank()}, expected one that it is in")
        return self.known

    def __deepcopy__(self, memo: object) -> "Ranks":
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        group: Any = self.group
        if group is None or group == "world":
            return Ranks, (group,)
        return _left, (group.text if isinstance(group, _Left) else described(group),)


class _Left:
    """A group that stayed behind when its layer was pickled."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"<left behind: {self.text}>"


def _left(text: str) -> Ranks:
    ranks = Ranks("world")
    ranks.group = _Left(text)  # type: ignore[assignment]
    return ranks


def _known_rank(group: Any) -> int:
    """The rank of this process in a process group or a mesh, -1 outside of it."""
    if isinstance(group, str):
        raise ValueError(
            f"group: got {group!r}, expected {_EXPECTED}: a name alone does not say of which mesh"
        )
    if not dist.is_available():
        raise wrong_type("group", group, f"{_EXPECTED}; and this torch was built without torch.distributed")
    if isinstance(group, dist.ProcessGroup):
        return max(dist.get_rank(group), _OUTSIDE)
    if type(group) is type(_NOBODY) and group == _NOBODY:
        return _OUTSIDE
    from torch.distributed.device_mesh import DeviceMesh

    pair = isinstance(group, tuple) and len(group) == 2
    mesh = group[0] if pair else group
    if not isinstance(mesh, DeviceMesh):
        raise wrong_type("group", group, _EXPECTED)
    number = dimension_of(mesh, group[1]) if pair else None
    coordinate = mesh.get_coordinate()
    if coordinate is None:
        return _OUTSIDE
    if number is not None:
        return coordinate[number]
    rank = 0
    for place, size in zip(coordinate, mesh.shape, strict=True):
        rank = rank * size + place
    return rank


def dimension_of(mesh: "DeviceMesh", dim: Any) -> int:
    """The number of a dimension of a mesh, given by its name or number.

    Raises:
        TypeError: neither a name nor a number.
        ValueError: a dimension that the mesh has not.
    """
    names = mesh.mesh_dim_names or ()
    if isinstance(dim, str):
        if dim not in names:
            known = ", ".join(names) or "it has no names, only numbers"
            raise wrong_value("group", dim, f"a dimension of the mesh: {known}")
        return names.index(dim)
    if isinstance(dim, bool) or not isinstance(dim, int):
        raise wrong_type("group", dim, "the name or the number of a dimension of the mesh")
    if not 0 <= dim < mesh.ndim:
        raise wrong_value("group", dim, f"a dimension of the mesh, from 0 to {mesh.ndim - 1}")
    return dim


#: what ``new_group`` returns to a process that is not in the group
_NOBODY: Any = dist.GroupMember.NON_GROUP_MEMBER if dist.is_available() else object()
