"""Commands that train: run, fit, steer."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from softdraw.cli import learning
from softdraw.cli import options as o
from softdraw.cli.molecules.running import helped
from softdraw.cli.molecules.running import read_options as _options
from softdraw.cli.molecules.running import run_in as _run
from softdraw.cli.molecules.running import stoppable as _stoppable
from softdraw.molecules.runtime.budget import FEWEST_CALLS

if TYPE_CHECKING:
    pass

__all__ = ["fit", "run", "steer"]

DEFAULT_OUT = Path("runs/molecules")
SteerMinutes = Annotated[
    float | None,
    typer.Option(
        metavar="MINUTES", help="The part of --minutes that goes into steering.", show_default="a third"
    ),
]
SteerSteps = Annotated[
    int | None, typer.Option(min=1, help="Steering steps.", show_default="a fifth of --steps")
]
SteerCalls = Annotated[
    int | None,
    typer.Option(
        min=FEWEST_CALLS,
        metavar="N",
        help="Steer by evaluations: molecules whose properties are computed, each once.",
    ),
]


def run(
    data: o.Data = "chemicals",
    elements: o.Elements = None,
    max_atoms: o.MaxAtoms = None,
    smiles_column: o.SmilesColumn = None,
    encoding: o.Encoding = None,
    fragments: o.Fragments = "drop",
    start: o.Start = None,
    network: o.Network = None,
    minutes: Annotated[
        float | None,
        typer.Option(metavar="MINUTES", help="Wall time of fit and steering together.", show_default="6"),
    ] = None,
    steps: o.Steps = None,
    steer_minutes: SteerMinutes = None,
    steer_steps: SteerSteps = None,
    steer_calls: SteerCalls = None,
    target: o.Targets = None,
    combine: o.Combine = "sum",
    keep_scaffold: o.KeepScaffold = None,
    estimator: o.Estimator = "log-variance",
    steer_batch_size: learning.BatchSize = None,
    steer_learning_rate: learning.LearningRate = None,
    divergence: learning.Divergence = None,
    updates: learning.Updates = None,
    memory: learning.Memory = None,
    offspring: learning.Offspring = None,
    screen: learning.Screen = None,
    crowding: learning.Crowding = None,
    crowded_by: learning.CrowdedBy = None,
    workers: o.Workers = 1,
    samples: o.Samples = 1000,
    forbid: o.Forbid = None,
    require: o.Require = None,
    seed: o.Seed = 0,
    fcd: o.Fcd = True,
    devices: o.Devices = 1,
    strategy: o.Strategy = "auto",
    out: o.Out = DEFAULT_OUT,
    resume: o.Resume = False,
    overwrite: o.Overwrite = False,
) -> None:
    """All of it: fit, steer, draw, score, and a report to look at."""
    options = _options(
        resume and overwrite,
        data=data,
        elements=o.elements_of(elements),
        max_atoms=max_atoms,
        smiles_column=smiles_column,
        encoding=encoding,
        fragments=fragments,
        start=start,
        network=network,
        minutes=minutes,
        steps=steps,
        steer_minutes=steer_minutes,
        steer_steps=steer_steps,
        steer_calls=steer_calls,
        targets=tuple(target or ()),
        combine=combine,
        keep_scaffold=tuple(keep_scaffold or ()),
        estimator=estimator,
        samples=samples,
        forbid=tuple(forbid or ()),
        require=tuple(require or ()),
        seed=seed,
        fcd=fcd,
        devices=devices,
        strategy=strategy,
        steer_batch_size=steer_batch_size,
        steer_learning_rate=steer_learning_rate,
        divergence=divergence,
        updates=updates,
        memory=memory,
        offspring=offspring,
        screen=screen,
        crowding=crowding,
        crowded_by=crowded_by,
        workers=workers,
    )
    task = _run(out, options)
    with _stoppable(task, f"{options.command} --out {shlex.quote(str(out))} --resume"):
        task.everything(resume=resume, overwrite=overwrite)


def fit(
    data: o.Data = "chemicals",
    elements: o.Elements = None,
    max_atoms: o.MaxAtoms = None,
    smiles_column: o.SmilesColumn = None,
    encoding: o.Encoding = None,
    fragments: o.Fragments = "drop",
    start: o.Start = None,
    network: o.Network = None,
    minutes: o.Minutes = None,
    steps: o.Steps = None,
    seed: o.Seed = 0,
    devices: o.Devices = 1,
    strategy: o.Strategy = "auto",
    out: o.Out = DEFAULT_OUT,
    resume: o.Resume = False,
    overwrite: o.Overwrite = False,
) -> None:
    """Learn to draw the molecules of a data set; softdraw molecules steer FOLDER goes on from there."""
    options = _options(
        resume and overwrite,
        data=data,
        elements=o.elements_of(elements),
        max_atoms=max_atoms,
        smiles_column=smiles_column,
        encoding=encoding,
        fragments=fragments,
        start=start,
        network=network,
        minutes=5.0 if minutes is None and steps is None else minutes,
        steps=steps,
        steer_minutes=None if steps is not None else 0.0,
        seed=seed,
        devices=devices,
        strategy=strategy,
    )
    task = _run(out, options)
    command = options.command.replace(" run ", " fit ", 1).replace(" --steer-minutes 0", "")
    with _stoppable(task, f"{command} --out {shlex.quote(str(out))} --resume"):
        task.fit(task.open(resume=resume, overwrite=overwrite))


def steer(
    folder: o.Model,
    target: o.Targets = None,
    combine: o.Combine = "sum",
    keep_scaffold: o.KeepScaffold = None,
    minutes: o.Minutes = None,
    steps: o.Steps = None,
    calls: o.Calls = None,
    estimator: o.Estimator = "log-variance",
    batch_size: learning.BatchSize = None,
    learning_rate: learning.LearningRate = None,
    divergence: learning.Divergence = None,
    updates: learning.Updates = None,
    memory: learning.Memory = None,
    offspring: learning.Offspring = None,
    screen: learning.Screen = None,
    crowding: learning.Crowding = None,
    crowded_by: learning.CrowdedBy = None,
    workers: o.Workers = 1,
    samples: o.Samples = 1000,
    forbid: o.Forbid = None,
    require: o.Require = None,
    fcd: o.Fcd = True,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Of a prior: where the run goes.", show_default="runs/NAME"),
    ] = None,
    resume: o.Resume = False,
    overwrite: o.Overwrite = False,
) -> None:
    """Steer a fitted model to properties, then draw, score and report.

    The model is that of a run's folder, or a prior that the package brings along (druglike), for which a
    folder is made. Processes that torchrun starts steer together.
    """
    from softdraw.molecules.run.options import RunOptions
    from softdraw.molecules.run.starts import adopt_model, is_prior, prior_options
    from softdraw.molecules.storage.run_folder import RunFolder

    name, prior = str(folder), is_prior(folder)
    if prior:
        folder = out or Path("runs", name)
        stored = prior_options(name)
    elif out is not None:
        raise typer.BadParameter(f"--out: got {out} for {folder}, expected it for a prior alone")
    else:
        run_folder = RunFolder(folder)
        run_folder.require()
        stored = RunOptions.from_dict(run_folder.config.get("options", {}))
    with o.as_usage():
        if minutes is not None and not 0 < minutes < float("inf"):
            raise ValueError(f"minutes: got {minutes}, expected a positive number")
        budgets = {"--minutes": minutes, "--steps": steps, "--calls": calls}
        budgets = {flag: value for flag, value in budgets.items() if value is not None}
        if len(budgets) > 1:
            got = " and ".join(map(str, budgets.values()))
            raise ValueError(f"{', '.join(budgets)}: got {got}, expected one of them")
        if not budgets:
            minutes = 2.0
        whole = stored.fit_budget.get("minutes")
        asked = replace(
            stored,
            minutes=None if whole is None else whole + (minutes or 0.0),
            steer_minutes=minutes,
            steer_steps=steps,
            steer_calls=calls,
            steer_batch_size=batch_size,
            steer_learning_rate=learning_rate,
            divergence=divergence,
            updates=updates,
            memory=memory,
            offspring=offspring,
            screen=screen,
            crowding=crowding,
            crowded_by=crowded_by,
            workers=workers,
            targets=tuple(target or ()),
            combine=combine,
            keep_scaffold=tuple(keep_scaffold or ()),
            estimator=estimator,
            samples=samples,
            forbid=tuple(forbid or ()),
            require=tuple(require or ()),
            fcd=fcd,
        )
    options = _options(resume and overwrite, **asked.to_dict())
    task = _run(folder, options)
    words = ["softdraw", "molecules", "steer", name, "--resume"]
    words += ["--out", str(folder)] if prior else []
    repeated = {"--target": options.targets, "--keep-scaffold": keep_scaffold}
    for flag, given in {**repeated, "--forbid": forbid, "--require": require}.items():
        words += [word for one in given or () for word in (flag, one)]
    words += ["--combine", combine] if combine != "sum" else []
    words += ["--estimator", estimator]
    numbers: dict[str, float | str | None] = {"steps": steps, "calls": calls, "minutes": minutes}
    numbers |= {"batch-size": batch_size, "learning-rate": learning_rate, "divergence": divergence}
    numbers |= {"updates": updates, "memory": memory, "offspring": offspring, "screen": screen}
    numbers |= {"crowding": crowding, "crowded-by": crowded_by, "workers": workers}
    for name, value in numbers.items():
        if value is not None and (name, value) != ("workers", 1):
            words += [f"--{name}", f"{value:.9g}" if isinstance(value, float) else str(value)]
    with _stoppable(task, shlex.join(words)), helped(task):
        if prior:
            adopt_model(task, resume=resume, overwrite=overwrite)
        task.steering(resume=resume, overwrite=overwrite)
