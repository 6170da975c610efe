"""One line of the table."""

from dataclasses import dataclass

import torch

__all__ = ["HEADER", "Row"]

HEADER = (
    f"{'what':<32}{'shape':>14} {'dtype':<9}{'ours, ms':>10}{'peer, ms':>10}{'ratio':>8}{'bar':>6}      peer"
)


@dataclass(frozen=True)
class Row:
    """Medians in seconds, and how many times faster we are asked to be."""

    what: str
    shape: tuple[int, int]
    dtype: torch.dtype
    peer: str
    ours: float
    theirs: float
    bar: float | None = None

    @property
    def ratio(self) -> float:
        """The peer's time over ours."""
        return self.theirs / self.ours

    def __str__(self) -> str:
        bar = "" if self.bar is None else f"{self.bar:g}"
        verdict = "" if self.bar is None else "met" if self.ratio >= self.bar else "MISS"
        shape = "x".join(map(str, self.shape))
        dtype = str(self.dtype).removeprefix("torch.")
        times = f"{self.ours * 1e3:>10.3f}{self.theirs * 1e3:>10.3f}{self.ratio:>8.2f}{bar:>6}"
        return f"{self.what:<32}{shape:>14} {dtype:<9}{times} {verdict:<4} {self.peer}"
