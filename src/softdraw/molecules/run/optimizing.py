"""A run that looks for the best molecules by few evaluations: its options, its target, and what it found."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from softdraw.molecules.chemistry.properties import property_of
from softdraw.molecules.errors import TargetError
from softdraw.molecules.evaluating.evaluations import read_evaluations
from softdraw.molecules.run.options import RunOptions
from softdraw.molecules.steering.objectives import Objective
from softdraw.molecules.steering.presets import OPTIMIZE
from softdraw.molecules.steering.targets import Target, parse_target
from softdraw.molecules.storage.atomic import write_text
from softdraw.molecules.storage.run_folder import BEST, RunFolder

if TYPE_CHECKING:
    from softdraw.molecules.generator import MoleculeGenerator

__all__ = ["best_of", "found_lines", "optimize_options", "target_text", "write_best"]

_NAMES = {"batch_size": "steer_batch_size", "learning_rate": "steer_learning_rate"}
"""Of those whose option of a run has another name, that one."""
KEPT = 100
"""Molecules that are kept as the best."""
Found = tuple[str, tuple[float, ...]]
"""A molecule and its values."""


def target_text(text: str) -> str:
    """What to optimise as the text of a target.

    Args:
        text: a property or a task by name, which goes to its highest value, or a whole target.

    Raises:
        TargetError: it is neither; the message names what is near it.

    Example:
        >>> target_text("Zaleplon_MPO"), target_text("similarity:CC(=O)O"), target_text("logp=2.5")
        ('Zaleplon_MPO=max', 'similarity:CC(=O)O=max', 'logp=2.5')
    """
    try:
        property_of(text)
    except TargetError as unknown:
        if "=" not in text:
            raise
        try:
            target = parse_target(text)
        except TargetError as error:
            # a SMILES that RDKit cannot read may hold an = too
            raise (unknown if ":" in text else error) from None
        property_of(target.property)
        return text
    return f"{text}=max"


def optimize_options(model: RunOptions, target: str, calls: int, **given: Any) -> RunOptions:
    """Options of a run that optimises: ``OPTIMIZE``, and what was given instead.

    Args:
        model: options of the run whose fitted model it starts from.
        target: as text.
        calls: evaluations.
        given: options of a run or arguments of ``steer``; None leaves them as they are.

    Raises:
        TypeError: there is no such option.

    Example:
        >>> found = optimize_options(RunOptions(steps=1), "qed=max", 500, batch_size=32, divergence=None)
        >>> found.targets, found.steer_budget, found.steer_batch_size, found.divergence
        (('qed=max',), {'calls': 500}, 32, 0.02)
    """
    settings = {**OPTIMIZE, **{name: value for name, value in given.items() if value is not None}}
    named = {_NAMES.get(name, name): value for name, value in settings.items()}
    return replace(model, targets=(target,), steer_calls=calls, **named)


def best_of(steered: "MoleculeGenerator", folder: Path, count: int = KEPT) -> list[Found]:
    """The best molecules that a steering by calls evaluated, the best first.

    Args:
        steered: the generator after it.
        folder: of the steering, with its table of evaluations.
        count: most molecules.

    Returns:
        SMILES and the values of the properties, by the cost that the steering descends; a molecule without
        a value is left out, and molecules of the data count as any others.
    """
    names, rows = read_evaluations(folder)
    if not rows:
        return []
    targets = tuple(Target(**entry) for entry in steered.steer_summary["targets"])
    statistics = tuple(steered.property_statistics[name] for name in names)
    combine = steered.steer_summary.get("combine", "sum")
    costs = Objective(targets, statistics, combine).costs(np.array([row.values for row in rows.values()]))
    pairs = [(smiles, row.values) for smiles, row in rows.items()]
    order = [place for place in np.argsort(costs, kind="stable") if np.isfinite(costs[place])]
    return [pairs[place] for place in order[:count]]


def write_best(folder: RunFolder, names: Sequence[str], found: Sequence[Found]) -> Path:
    """Write the best molecules as a table: ``rank`` from 1, ``smiles``, and a column for each property.

    Raises:
        OutputError: it cannot be written.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["rank", "smiles", *names])
    table.writerows([rank, smiles, *values] for rank, (smiles, values) in enumerate(found, 1))
    path = folder.path / BEST
    write_text(path, text.getvalue())
    return path


def found_lines(steer: Mapping[str, Any], found: Sequence[Found]) -> list[str]:
    """What an optimisation came to, in lines: the curve's last points, the time, and the first molecules.

    Args:
        steer: section ``steer`` of the metrics.
        found: the best molecules.

    Example:
        >>> curve = {"of": "qed", "best": [0.9], "top10": [0.85], "top100": [0.6], "auc_top10": 0.75}
        >>> found_lines({"calls": 64, "seconds": 12.2, "progress": curve}, [("CCO", (0.9,))])
        ['best qed 0.9000, top 10 0.8500, top 100 0.6000, AUC top-10 0.7500; 64 calls, 12 s', '  0.9 CCO']
    """
    curve = steer.get("progress") or {}
    points = {"best " + str(curve.get("of")): "best", "top 10": "top10", "top 100": "top100"}
    last = {text: (curve.get(name) or [None])[-1] for text, name in points.items()}
    said = [f"{text} {value:.4f}" for text, value in last.items() if value is not None]
    said += [f"AUC top-10 {curve['auc_top10']:.4f}"] if curve.get("auc_top10") is not None else []
    line = ", ".join(said or ["nothing was found"])
    lines = [f"{line}; {steer['calls']:,} calls, {steer['seconds']:.0f} s"]
    return lines + [f"  {' '.join(f'{value:.4g}' for value in values)} {smiles}" for smiles, values in found]
