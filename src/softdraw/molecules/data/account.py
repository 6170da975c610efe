"""How many molecules of a source are used, and why the others are not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Account", "Dropped", "Tally"]

_FIRST = 5


@dataclass(frozen=True)
class Dropped:
    """How many molecules were left out for one reason, and the lines of the first of them."""

    count: int
    first_lines: tuple[int, ...]

    def __str__(self) -> str:
        lines = ", ".join(map(str, self.first_lines)) + (
            ", ..." if self.count > len(self.first_lines) else ""
        )
        return f"{self.count} (line{'s' if self.count > 1 else ''} {lines})"


@dataclass
class Tally:
    """Counts what is left out while a source is read."""

    counts: dict[str, int] = field(default_factory=dict)
    lines: dict[str, list[int]] = field(default_factory=dict)

    def leave_out(self, reason: str, line: int) -> None:
        """One more."""
        self.counts[reason] = self.counts.get(reason, 0) + 1
        first = self.lines.setdefault(reason, [])
        if len(first) < _FIRST:
            first.append(line)

    def dropped(self, reasons: Sequence[str]) -> dict[str, Dropped]:
        """What was left out, in the order of ``reasons``."""
        return {
            why: Dropped(self.counts[why], tuple(self.lines[why])) for why in reasons if why in self.counts
        }


@dataclass(frozen=True)
class Account:
    """What became of the molecules of a source.

    Attributes:
        description: where they come from.
        reading: how they were read, where that does not go without saying.
        read: how many there were.
        used: how many of them are used.
        dropped: by reason, those that are not.
        stereo: how many had stereo marks, which are dropped.
        parted: how many had several fragments, of which the largest is kept.

    Example:
        >>> account = Account("a.smi", "read as Latin-1", 9, 7, {"unreadable": Dropped(2, (3, 8))})
        >>> str(account)
        'a.smi (read as Latin-1): 7 of 9 molecules are used; left out: 2 unreadable'
    """

    description: str
    reading: str
    read: int
    used: int
    dropped: Mapping[str, Dropped]
    stereo: int = 0
    parted: int = 0

    @property
    def origin(self) -> str:
        """Where they come from, and how they were read."""
        return f"{self.description} ({self.reading})" if self.reading else self.description

    def __str__(self) -> str:
        """All of it in one line."""
        line = f"{self.origin}: {self.used:,} of {self.read:,} molecules are used"
        if self.dropped:
            line += f"; left out: {self.reasons()}"
        return "; ".join([line, *self.notes()])

    def reasons(self) -> str:
        """Why molecules are not used, with counts."""
        return ", ".join(f"{entry.count:,} {why}" for why, entry in self.dropped.items())

    @property
    def lost(self) -> int:
        """Molecules that are not used."""
        return self.read - self.used

    def lines(self) -> list[str]:
        """One line for each reason, with the first lines of the source that it concerns."""
        used = f"{self.used} of {self.read} molecules are used"
        if not self.used:
            used = f"none of {self.read} molecules is usable"
        lines = [f"{self.origin}: {used}", *(f"  {why}: {entry}" for why, entry in self.dropped.items())]
        return [*lines, *(f"  {note}" for note in self.notes())]

    def notes(self) -> list[str]:
        """What was done to molecules that are used, or would be if they came once."""
        notes = [f"{self.parted:,} had several fragments, of which the largest was kept"] * (self.parted > 0)
        return [*notes, *[self.stereo_note()] * (self.stereo > 0)]

    def stereo_note(self) -> str:
        """What the loss of stereo did."""
        alike = self.dropped["stereoisomer"].count if "stereoisomer" in self.dropped else 0
        note = f"{self.stereo:,} had stereo marks, which are dropped"
        return f"{note}: {alike:,} became duplicates by that" if alike else note
