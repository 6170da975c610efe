"""The steering stage around its steps: the clock, the budget, checkpoints and going on from one, Ctrl-C.

It calls the steering, which calls the property network's training; neither of them knows who called it.
"""

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from softdraw.molecules.errors import CheckpointError, OutputError
from softdraw.molecules.evaluating.watch import Watch
from softdraw.molecules.runtime.budget import CHECKPOINT_SECONDS, Budget
from softdraw.molecules.runtime.interrupts import StopOnInterrupt
from softdraw.molecules.runtime.progress import ProgressBar
from softdraw.molecules.runtime.remarks import remark
from softdraw.molecules.steering.steering import Steering
from softdraw.molecules.steering.summary import distances_of, summary_of
from softdraw.molecules.storage.tensors import read_state, write_state

__all__ = ["run_steering"]

STEER_CHECKPOINT = "steer.ckpt"
"""Name of the checkpoint of a steering run, in its folder."""
WARM_UP_SHARE = 0.25
"""Largest share of a time budget that the property network's first steps may take."""


def run_steering(
    steering: Steering, budget: Budget, *, folder: Path | None, resume: bool, progress: bool | None
) -> dict[str, Any]:
    """Steer until the budget is spent or Ctrl-C is pressed.

    Args:
        steering: the run; its network and history hold the result afterwards, and its ``seconds`` may
            start above 0.
        budget: when to stop; the temperature and the learning rate fall over it. Ranks go by the clock of the
            first of them, and any of them may be interrupted.
        folder: where a checkpoint is kept, by the first rank; none is without it.
        resume: go on from the checkpoint in ``folder`` when there is one.
        progress: show a progress bar; None shows it on a terminal.

    Returns:
        What was done, in plain Python.

    Raises:
        CheckpointError: the checkpoint to go on from is damaged or of another run.
        OutputError: the checkpoint cannot be written.
    """
    ranks = steering.ranks
    checkpoint = None if folder is None or not ranks.first else folder / STEER_CHECKPOINT
    watch = Watch(steering.ledger)
    there = resume and checkpoint is not None and checkpoint.exists()
    state = ranks.decided(lambda: read_state(checkpoint) if there and checkpoint is not None else None)
    if state is not None:
        try:
            steering.load_state_dict(state)
            watch.load_state_dict(state["watch"])
        except (KeyError, RuntimeError, ValueError, TypeError) as error:
            raise CheckpointError(
                f"{checkpoint or STEER_CHECKPOINT}: is of another steering run ({error})"
            ) from error
    began = time.monotonic() - steering.seconds
    kept = time.monotonic()
    ended = False

    def keep() -> None:
        if checkpoint is not None:
            write_state(checkpoint, {**steering.state_dict(), "watch": watch.state_dict()})

    with StopOnInterrupt() as stop, ProgressBar("steer", progress if ranks.first else False) as bar:
        try:
            _warm_up(steering, budget, began, stop)
            while True:
                clocks = ranks.gather((time.monotonic() - began, stop.requested))
                if any(requested for _, requested in clocks):
                    break
                seconds = clocks[0][0]
                share = budget.progress(steering.steps, seconds, steering.ledger.calls)
                if (share >= 1 or steering.ledger.spent or watch.collapsed) and steering.steps:
                    steering.seconds, ended = seconds, True
                    break
                if watch.broken:
                    break
                steering.advance(share, seconds)
                bar.update(share, steering.step())
                watch.look()
                if time.monotonic() - kept > CHECKPOINT_SECONDS:
                    keep()
                    kept = time.monotonic()
        except BaseException:
            if steering.whole and steering.steps:
                with suppress(OutputError):  # the first thing that went wrong is to be heard of
                    keep()
            raise
    with ranks.agreed():
        keep()
    first, last = distances_of(steering.history)
    if first is not None and last is not None and last >= first:
        unit = steering.objective.unit
        remark(
            f"steering: the distance to the target did not fall in {steering.steps} steps, from {first:.3g}"
            f"{' ' * bool(unit)}{unit} in the first batch to {last:.3g} in the last ones"
        )
    reasons = watch.remarks()
    for text in reasons:
        remark(f"steering: {text}")
    return summary_of(steering, budget, interrupted=not ended, ended=reasons)


def _warm_up(steering: Steering, budget: Budget, began: float, stop: StopOnInterrupt) -> None:
    """The property network's first steps, within their share of the budget; a tenth of them in any case."""
    teacher = steering.teacher
    if teacher is None or steering.steps:
        return
    while teacher.warm < 1:
        late = budget.progress(0, time.monotonic() - began) >= WARM_UP_SHARE and teacher.warm >= 0.1
        clocks = steering.ranks.gather((late, stop.requested))
        if clocks[0][0] or any(requested for _, requested in clocks):
            break
        teacher.warm_up()
