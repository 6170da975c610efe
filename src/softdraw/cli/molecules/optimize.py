"""``softdraw molecules optimize``: the best molecules for a task, by a budget of evaluations."""

import re
import shlex
from copy import copy
from pathlib import Path
from typing import Annotated, Any

import typer

from softdraw.cli import learning
from softdraw.cli import options as o
from softdraw.cli.molecules.running import helped, read_options, run_in, stoppable
from softdraw.molecules.runtime.budget import FEWEST_CALLS
from softdraw.molecules.steering.options import SteerOptions
from softdraw.molecules.steering.presets import OPTIMIZE

__all__ = ["optimize"]

SHOWN = 10
"""Molecules that are printed."""


def _set(option: Any, name: str) -> Any:
    """An option of how a steering learns, with the default that it has here."""
    found = copy(option.__metadata__[0])
    found.show_default = str(OPTIMIZE.get(name, getattr(SteerOptions, name)))
    return found


def optimize(
    task: Annotated[
        str | None,
        typer.Argument(
            metavar="TASK",
            help="A task (--list), a property, which goes to its highest value, or a target, PROPERTY=GOAL.",
            show_default=False,
        ),
    ] = None,
    calls: Annotated[
        int,
        typer.Option(min=FEWEST_CALLS, metavar="N", help="Molecules that are evaluated, each once."),
    ] = 10_000,
    start: Annotated[
        str,
        typer.Option(
            "--from", metavar="druglike|FOLDER", help="A shipped prior, or the folder of a fitted model."
        ),
    ] = "druglike",
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Folder of the run.", show_default="runs/TASK"),
    ] = None,
    seed: o.Seed = 0,
    estimator: Annotated[
        str | None, typer.Option(help="How the steering learns.", show_default=OPTIMIZE["estimator"])
    ] = None,
    batch_size: Annotated[int | None, _set(learning.BatchSize, "batch_size")] = None,
    learning_rate: Annotated[float | None, _set(learning.LearningRate, "learning_rate")] = None,
    divergence: Annotated[float | None, _set(learning.Divergence, "divergence")] = None,
    updates: Annotated[int | None, _set(learning.Updates, "updates")] = None,
    memory: Annotated[int | None, _set(learning.Memory, "memory")] = None,
    offspring: Annotated[float | None, _set(learning.Offspring, "offspring")] = None,
    screen: Annotated[int | None, _set(learning.Screen, "screen")] = None,
    crowding: Annotated[float | None, _set(learning.Crowding, "crowding")] = None,
    crowded_by: Annotated[str | None, _set(learning.CrowdedBy, "crowded_by")] = None,
    workers: o.Workers = 1,
    samples: o.Samples = 200,
    listing: Annotated[bool, typer.Option("--list", help="Print the tasks and end.")] = False,
    resume: o.Resume = False,
    overwrite: o.Overwrite = False,
) -> None:
    """Find molecules for a task: steer a fitted model by N evaluations, and keep the best.

    Tasks are those of GuacaMol's goal-directed suite and of PMO. The folder gets best.csv, the 100 best, the
    steered model, a report, and checkpoints/steer/evaluations.csv, every molecule that was evaluated.
    Processes that torchrun starts steer together.
    """
    from softdraw.molecules.run.optimizing import (
        best_of,
        found_lines,
        optimize_options,
        target_text,
        write_best,
    )
    from softdraw.molecules.run.starts import adopt_model, model_options

    if listing:
        _print_tasks()
        return
    with o.as_usage():
        if task is None:
            raise ValueError(
                "TASK: got none, expected a task, a property or a target; --list prints the tasks"
            )
        target = target_text(task)
    out = out or Path("runs", _folder_name(task))
    model = model_options(start)
    given = {
        "estimator": estimator,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "divergence": divergence,
        "updates": updates,
        "memory": memory,
        "offspring": offspring,
        "screen": screen,
        "crowding": crowding,
        "crowded_by": crowded_by,
    }
    with o.as_usage():
        asked = optimize_options(
            model, target, calls, seed=seed, workers=workers, samples=samples, fcd=False, **given
        )
    options = read_options(resume and overwrite, **asked.to_dict())
    words = ["softdraw", "molecules", "optimize", task, "--calls", calls, "--from", start, "--seed", seed]
    for name, value in given.items():
        words += [f"--{name.replace('_', '-')}", value] if value is not None else []
    words += ["--workers", workers] if workers != 1 else []
    words += ["--samples", samples] if samples != 200 else []
    command = shlex.join(f"{word:.9g}" if isinstance(word, float) else str(word) for word in words)
    run = run_in(out, options, command)
    with stoppable(run, f"{command} --out {shlex.quote(str(out))} --resume"), helped(run):
        adopt_model(run, resume=resume, overwrite=overwrite)
        steered = run.steering(resume=resume, overwrite=overwrite)
        found = best_of(steered, run.folder.steer_checkpoints)
        names = [entry["property"] for entry in steered.steer_summary["targets"]]
        path = write_best(run.folder, names, found)
        for line in found_lines(run.folder.metrics["steer"], found[:SHOWN]):
            typer.echo(line)
        typer.echo(f"written: {path}")


def _print_tasks() -> None:
    from softdraw.molecules.tasks.suite import TASKS

    width = max(map(len, TASKS))
    for name, task in TASKS.items():
        typer.echo(f"{name:{width}}  {task.text} ({', '.join(task.suites)})")


def _folder_name(task: str) -> str:
    """A task as the name of a folder."""
    return re.sub(r"[^\w.+-]+", "_", task).strip("._")[:60] or "optimize"
