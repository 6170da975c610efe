"""Whether a budget in calls still buys anything."""

from typing import Any

from softdraw.molecules.evaluating.ledger import Ledger

__all__ = ["FAILING", "STALE", "Watch"]

STALE = 50
"""Steps in a row that drew known molecules alone, after which a steering has collapsed and ends."""
FAILING = 100
"""Calls in a row, in whole steps, that all failed, after which a steering stops instead of paying on."""


class Watch:
    """Looks at the ledger after every step.

    Args:
        ledger: with a limit; without one nothing is found.

    Attributes:
        stale: steps in a row without a call.
        failing: calls in a row that failed, in steps that had no other.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.stale = self.failing = 0
        self._calls, self._failed = ledger.calls, ledger.failed

    def look(self) -> None:
        """Count the step that was just taken."""
        calls, failed = self.ledger.calls - self._calls, self.ledger.failed - self._failed
        self._calls, self._failed = self.ledger.calls, self.ledger.failed
        self.stale = 0 if calls else self.stale + 1
        if calls:
            self.failing = self.failing + failed if failed == calls else 0

    @property
    def collapsed(self) -> bool:
        """Whether the network draws only what is known."""
        return self.ledger.limit is not None and self.stale >= STALE

    @property
    def broken(self) -> bool:
        """Whether the properties have failed for too long."""
        return self.ledger.limit is not None and self.failing >= FAILING

    def remarks(self) -> list[str]:
        """Why a steering ended before its budget did."""
        of = f"{self.ledger.calls:,} of {self.ledger.limit or 0:,} calls"
        if self.collapsed:
            return [
                f"ended after {of}: {STALE} steps in a row drew only molecules that were "
                "known; a lower learning rate or a higher divergence keeps more of the fitted model"
            ]
        if self.broken:
            return [
                f"stopped after {of}: the last {self.failing:,} all failed (the first failure was "
                f"{self.ledger.reason}); what was steered until then is kept"
            ]
        return []

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint needs."""
        return {"stale": self.stale}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state_dict``; a property that failed is given another chance."""
        self.stale = state["stale"]
        self._calls, self._failed = self.ledger.calls, self.ledger.failed
