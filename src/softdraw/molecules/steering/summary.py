"""What a steering did, in plain Python, ready for JSON."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from softdraw.molecules.runtime.budget import Budget
from softdraw.molecules.steering.progress import progress_of
from softdraw.molecules.steering.steering import Steering

__all__ = ["distances_of", "summary_of"]

LAST = 10
"""Entries of the history over which the final gap and distance are averaged."""
ENOUGH_ENTRIES = 3
"""Entries of the history from which on the distances of the first and the last are compared."""


def summary_of(
    steering: Steering, budget: Budget, *, interrupted: bool, ended: Sequence[str] = ()
) -> dict[str, Any]:
    """What was done and reached on the drawn batches.

    Args:
        steering: after its steps.
        budget: that it had.
        interrupted: whether it ended before the budget did.
        ended: why it did, where that was no Ctrl-C.
    """
    targets, ledger, history = steering.objective.targets, steering.ledger, steering.history
    first, last = distances_of(history)
    summary: dict[str, Any] = {
        "targets": [{"property": one.property, "goal": one.goal, "weight": one.weight} for one in targets],
        "combine": steering.objective.combine,
        "budget": str(budget),
        "seconds": steering.seconds,
        "steps": steering.steps,
        "graphs_drawn": steering.steps * steering.options.batch_size,
        "schedule": repr(steering.schedule) if steering.learner.tempered else None,
        "divergence": steering.options.divergence,
        "predicted_gap": _mean(entry["predicted_gap"] for entry in history[-LAST:]),
        "distance_first": first,
        "distance_last": last,
        "interrupted": interrupted,
        "calls": ledger.calls,
        "failed": ledger.failed,
        "reason": ledger.reason,
        "ended": "; ".join(ended),
    }
    if ledger.limit is not None:
        used = ledger.used
        summary |= {
            "calls_budget": ledger.limit,
            "labels": ledger.labels,
            "distances_first": _columns(history[:1], len(targets)),
            "distances_last": _columns(history[-LAST:], len(targets)),
            "progress": progress_of(steering.objective, ledger.known(used), ledger.limit),
        }
    return summary


def distances_of(history: Sequence[Mapping[str, Any]]) -> tuple[float | None, float | None]:
    """Distance of the first batch, and mean of the later ones; None before there are enough to compare."""
    if len(history) < ENOUGH_ENTRIES:
        return None, None
    later = history[max(1, len(history) - LAST) :]
    return _mean([history[0]["distance"]]), _mean(entry["distance"] for entry in later)


def _columns(history: Sequence[Mapping[str, Any]], targets: int) -> list[float | None]:
    """For each target, its mean distance over entries of the history."""
    return [_mean(entry["distances"][place] for entry in history) for place in range(targets)]


def _mean(values: Iterable[float | None]) -> float | None:
    """The mean of what is known and finite; None where nothing is."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    return sum(known) / len(known) if known else None
