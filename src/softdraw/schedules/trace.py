"""A short record of a temperature that no formula gives."""

from collections.abc import Sequence


class Trace:
    """At most ``limit`` points (step, tau): when it is full every other point goes, and the spacing doubles.

    Example:
        >>> from softdraw.schedules.trace import Trace
        >>> t = Trace(limit=4)
        >>> for step in range(9):
        ...     t.add(step, 1.0)
        >>> t.steps
        [0, 4, 8]
    """

    def __init__(self, limit: int = 1024, spacing: int = 1) -> None:
        self.limit = limit
        self.spacing = spacing
        self.steps: list[int] = []
        self.taus: list[float] = []

    def wants(self, step: int) -> bool:
        """Whether ``step`` is one to record: ask before reading a value from a device."""
        return step % self.spacing == 0

    def add(self, step: int, tau: float) -> None:
        """Record ``tau`` at ``step``."""
        if not self.wants(step):
            return
        self.steps.append(step)
        self.taus.append(tau)
        if len(self.steps) > self.limit:
            self.spacing *= 2
            kept = [(s, t) for s, t in zip(self.steps, self.taus, strict=True) if s % self.spacing == 0]
            self.steps, self.taus = [s for s, _ in kept], [t for _, t in kept]

    def until(self, step: int, tau: float) -> tuple[list[int], list[float]]:
        """The record, and ``tau`` at ``step`` after it."""
        if self.steps and self.steps[-1] == step:
            return list(self.steps), list(self.taus)
        return [*self.steps, step], [*self.taus, tau]

    def state(self) -> dict[str, int | list[int] | list[float]]:
        """The record in plain Python types."""
        return {"spacing": self.spacing, "steps": list(self.steps), "taus": list(self.taus)}

    def load(self, spacing: int, steps: Sequence[int], taus: Sequence[float]) -> None:
        """Take over a record made by ``state``."""
        self.spacing, self.steps, self.taus = spacing, list(steps), list(taus)
