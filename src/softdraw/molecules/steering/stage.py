"""The steering stage around its steps: checkpoints and going on from one, Ctrl-C, progress, the summary."""

import time
from pathlib import Path
from typing import Any

import numpy as np

from softdraw.molecules.errors import CheckpointError
from softdraw.molecules.runtime.interrupts import StopOnInterrupt
from softdraw.molecules.runtime.progress import ProgressBar
from softdraw.molecules.steering.steering import Steering
from softdraw.molecules.storage.tensors import read_state, write_state

__all__ = ["run_steering"]

CHECKPOINT = "steer.ckpt"
"""Name of the checkpoint of a steering run, in its folder."""
CHECKPOINT_SECONDS = 20.0
"""Work between two checkpoints: what a killed process loses at most."""
LAST = 10
"""Entries of the history over which the final gap is averaged."""


def run_steering(
    steering: Steering, *, folder: Path | None, resume: bool, progress: bool | None
) -> dict[str, Any]:
    """Steer until the budget is spent or Ctrl-C is pressed.

    Args:
        steering: the run; its network and history hold the result afterwards.
        folder: where a checkpoint is kept; none is without it.
        resume: go on from the checkpoint in ``folder`` when there is one.
        progress: show a progress bar; None shows it on a terminal.

    Returns:
        What was done, in plain Python.

    Raises:
        CheckpointError: the checkpoint to go on from is damaged or of another run.
        OutputError: the checkpoint cannot be written.
    """
    checkpoint = None if folder is None else folder / CHECKPOINT
    if resume and checkpoint is not None and checkpoint.exists():
        state = read_state(checkpoint)
        try:
            steering.load_state_dict(state)
        except (KeyError, RuntimeError, ValueError, TypeError) as error:
            raise CheckpointError(f"{checkpoint}: is of another steering run ({error})") from error
    last = time.monotonic()

    def keep(now: bool = False) -> None:
        nonlocal last
        if checkpoint is not None and (now or time.monotonic() - last > CHECKPOINT_SECONDS):
            write_state(checkpoint, steering.state_dict())
            last = time.monotonic()

    with StopOnInterrupt() as stop, ProgressBar("steer", progress) as bar:
        ended = steering.run(lambda: stop.requested, bar.update, keep)
    keep(now=True)
    gaps = [gap for entry in steering.history[-LAST:] if (gap := entry["predicted_gap"]) is not None]
    targets = steering.objective.targets
    return {
        "targets": [{"property": one.property, "goal": one.goal, "weight": one.weight} for one in targets],
        "budget": str(steering.budget),
        "seconds": steering.seconds,
        "steps": steering.steps,
        "graphs_drawn": steering.steps * steering.options.batch_size,
        "schedule": repr(steering.schedule) if steering.pathwise else None,
        "divergence": steering.options.divergence,
        "predicted_gap": float(np.mean(gaps)) if gaps else None,
        "interrupted": not ended,
    }
