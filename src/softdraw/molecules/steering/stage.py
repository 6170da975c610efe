"""The steering stage around its steps: the clock, checkpoints and going on from one, Ctrl-C, the summary.

It calls the steering, which calls the property network's training; neither of them knows who called it.
"""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from softdraw.molecules.errors import CheckpointError
from softdraw.molecules.runtime.budget import CHECKPOINT_SECONDS, Budget
from softdraw.molecules.runtime.interrupts import StopOnInterrupt
from softdraw.molecules.runtime.progress import ProgressBar
from softdraw.molecules.runtime.remarks import remark
from softdraw.molecules.steering.steering import Steering
from softdraw.molecules.storage.tensors import read_state, write_state

__all__ = ["run_steering"]

STEER_CHECKPOINT = "steer.ckpt"
"""Name of the checkpoint of a steering run, in its folder."""
WARM_UP_SHARE = 0.25
"""Largest share of a time budget that the property network's first steps may take."""
LAST = 10
"""Entries of the history over which the final gap and distance are averaged."""
ENOUGH_ENTRIES = 3
"""Entries of the history from which on the distances of the first and the last are compared."""


def run_steering(
    steering: Steering, budget: Budget, *, folder: Path | None, resume: bool, progress: bool | None
) -> dict[str, Any]:
    """Steer until the budget is spent or Ctrl-C is pressed.

    Args:
        steering: the run; its network and history hold the result afterwards, and its ``seconds`` may
            start above 0.
        budget: when to stop; the temperature and the learning rate fall over it.
        folder: where a checkpoint is kept; none is without it.
        resume: go on from the checkpoint in ``folder`` when there is one.
        progress: show a progress bar; None shows it on a terminal.

    Returns:
        What was done, in plain Python.

    Raises:
        CheckpointError: the checkpoint to go on from is damaged or of another run.
        OutputError: the checkpoint cannot be written.
    """
    checkpoint = None if folder is None else folder / STEER_CHECKPOINT
    if resume and checkpoint is not None and checkpoint.exists():
        state = read_state(checkpoint)
        try:
            steering.load_state_dict(state)
        except (KeyError, RuntimeError, ValueError, TypeError) as error:
            raise CheckpointError(f"{checkpoint}: is of another steering run ({error})") from error
    began = time.monotonic() - steering.seconds
    kept = time.monotonic()
    ended = False
    with StopOnInterrupt() as stop, ProgressBar("steer", progress) as bar:
        _warm_up(steering, budget, began, stop)
        while not stop.requested:
            seconds = time.monotonic() - began
            share = budget.progress(steering.steps, seconds)
            if share >= 1 and steering.steps:
                steering.seconds, ended = seconds, True
                break
            steering.advance(share, seconds)
            bar.update(share, steering.step())
            if checkpoint is not None and time.monotonic() - kept > CHECKPOINT_SECONDS:
                write_state(checkpoint, steering.state_dict())
                kept = time.monotonic()
    if checkpoint is not None:
        write_state(checkpoint, steering.state_dict())
    first, last = _distances(steering.history)
    if first is not None and last is not None and last >= first:
        remark(
            f"steering: the distance to the target did not fall in {steering.steps} steps, from {first:.3g} "
            f"standard deviations in the first batch to {last:.3g} in the last ones"
        )
    targets = steering.objective.targets
    return {
        "targets": [{"property": one.property, "goal": one.goal, "weight": one.weight} for one in targets],
        "budget": str(budget),
        "seconds": steering.seconds,
        "steps": steering.steps,
        "graphs_drawn": steering.steps * steering.options.batch_size,
        "schedule": repr(steering.schedule) if steering.pathwise else None,
        "divergence": steering.options.divergence,
        "predicted_gap": _mean(entry["predicted_gap"] for entry in steering.history[-LAST:]),
        "distance_first": first,
        "distance_last": last,
        "interrupted": not ended,
    }


def _distances(history: Sequence[Mapping[str, Any]]) -> tuple[float | None, float | None]:
    """Distance of the first batch, and mean of the later ones; None before there are enough to compare."""
    if len(history) < ENOUGH_ENTRIES:
        return None, None
    later = history[max(1, len(history) - LAST) :]
    return _mean([history[0]["distance"]]), _mean(entry["distance"] for entry in later)


def _mean(values: Iterable[float | None]) -> float | None:
    """The mean of what is known and finite; None where nothing is."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    return sum(known) / len(known) if known else None


def _warm_up(steering: Steering, budget: Budget, began: float, stop: StopOnInterrupt) -> None:
    """The property network's first steps, within their share of the budget; a tenth of them in any case."""
    teacher = steering.teacher
    if teacher is None or steering.steps:
        return
    while teacher.warm < 1 and not stop.requested:
        if budget.progress(0, time.monotonic() - began) >= WARM_UP_SHARE and teacher.warm >= 0.1:
            break
        teacher.warm_up()
