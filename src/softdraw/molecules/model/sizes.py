"""Sizes of the network: each for itself, and by name."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

__all__ = ["NETWORKS", "NetworkOptions", "size_of"]


@dataclass(frozen=True)
class NetworkOptions:
    """Sizes of a ``GraphNetwork``.

    Attributes:
        width: features of a token, a multiple of ``heads``.
        layers: transformer blocks.
        heads: attention heads.
        expand: hidden features of a block's perceptron, in widths.
        bond_width: features of the keys that bond decisions ask for.

    Raises:
        ValueError: a size is not a positive integer, or ``heads`` does not divide ``width``.
    """

    width: int = 48
    layers: int = 1
    heads: int = 4
    expand: int = 3
    bond_width: int = 32

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name}: got {value!r}, expected an integer of at least 1")
        if self.width % self.heads:
            raise ValueError(f"width: got {self.width}, expected a multiple of heads={self.heads}")

    def to_dict(self) -> dict[str, int]:
        """The sizes as plain Python."""
        return asdict(self)


NETWORKS: dict[str, NetworkOptions] = {
    "small": NetworkOptions(),
    "medium": NetworkOptions(width=96, layers=3, bond_width=48),
    "large": NetworkOptions(width=128, layers=4, bond_width=64),
}
"""Sizes by name."""


def size_of(name: str | None, sizes: Mapping[str, int]) -> NetworkOptions | None:
    """Sizes of a name, or single ones, which change those of the name or else of a small network.

    Returns:
        The sizes; None where neither says anything.

    Raises:
        ValueError: there is no such name, or a size is out of its range.

    Example:
        >>> size_of("large", {"layers": 2}).width, size_of(None, {})
        (128, None)
    """
    if name is not None and name not in NETWORKS:
        raise ValueError(f"network: got {name!r}, expected one of {', '.join(NETWORKS)}")
    if name is None and not sizes:
        return None
    return replace(NETWORKS[name or "small"], **sizes)
