"""Arguments of a schedule that is a dataclass: declared once, with the bounds that they are read by."""

import math
from collections.abc import Callable
from dataclasses import field, fields, is_dataclass
from typing import Any

from softdraw.arguments import read_count, read_number

__all__ = ["count", "number", "plain", "read_fields"]

#: arguments that say where a schedule lives, not what it does
_PLACE = ("device",)


def number(
    default: float | None,
    *,
    above: float | None = None,
    least: float | None = None,
    most: float | str | None = None,
    below: float = math.inf,
    optional: bool = False,
) -> Any:
    """A finite number within bounds; ``most`` may name an argument that stands before it."""

    def read(name: str, value: object, owner: object) -> float | None:
        if optional and value is None:
            return None
        top = getattr(owner, most) if isinstance(most, str) else most
        end = below if top is None else None
        return read_number(name, value, above=above, least=least, most=top, below=end)

    return field(default=default, metadata={"read": read})


def count(default: int, *, least: int = 1) -> Any:
    """A whole number of at least ``least``."""

    def read(name: str, value: object, owner: object) -> int:
        del owner
        return read_count(name, value, least)

    return field(default=default, metadata={"read": read})


def read_fields(owner: Any) -> None:
    """Check the fields of a dataclass in their order, and keep them as plain Python numbers."""
    for one in fields(owner):
        read: Callable[[str, object, object], Any] | None = one.metadata.get("read")
        if read is not None:
            setattr(owner, one.name, read(one.name, getattr(owner, one.name), owner))


def plain(owner: Any) -> dict[str, Any]:
    """The arguments that make the dataclass again.

    Raises:
        TypeError: it is no dataclass.
    """
    if not is_dataclass(owner):
        name = type(owner).__name__
        raise TypeError(f"{name}: got no method config, expected one, or fields (make {name} a dataclass)")
    return {one.name: getattr(owner, one.name) for one in fields(owner) if one.name not in _PLACE}
