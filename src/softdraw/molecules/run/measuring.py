"""Drawing from the fitted and the steered model, and every figure that describes the draws."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from softdraw.molecules.chemistry.properties import PROPERTIES, Evaluation, evaluation, provided_property
from softdraw.molecules.evaluating.evaluations import read_evaluations
from softdraw.molecules.run.front import front_csv, measured_front
from softdraw.molecules.sampling.conditions import Conditions, Selection
from softdraw.molecules.steering.outcome import mean_distance, steering_remarks, weighted_distance
from softdraw.molecules.steering.targets import Target
from softdraw.molecules.steering.trial import evenly_spaced
from softdraw.molecules.storage.run_folder import RunFolder
from softdraw.random import Key

if TYPE_CHECKING:
    from softdraw.molecules.generator import MoleculeGenerator

__all__ = [
    "Measurements",
    "measure",
    "paid_values",
    "write_measurements",
]

HISTOGRAM = 1000
"""Molecules of each set whose properties the report shows, where there is no target: drug-likeness and
synthetic accessibility take a millisecond each."""
MASKED, UNMASKED = 1, 2
"""What is folded into the key: the fitted and the steered model draw each molecule with the same noise."""


DRAWS = {"fitted": "samples.smi", "unmasked": "samples_unmasked.smi", "steered": "steered.smi"}
"""The file of each draw."""
NO_CONDITIONS = Conditions()
Paid = Mapping[str, Mapping[str, float]]
"""By property, values by SMILES."""


@dataclass(frozen=True)
class Measurements:
    """Draws and what was measured on them.

    Attributes:
        smiles: by file name in the folder, the molecules of a draw.
        scores: by draw (``fitted``, ``unmasked``, ``steered``), its scores.
        properties: by property, its values over the data and each masked draw, NaN where there is none.
        words: by property, what a report calls it and how it writes it.
        steer: what the steering reached; None when there was none.
        front: of its targets, where there are several (see ``front.front_of``).
    """

    smiles: dict[str, list[str]]
    scores: dict[str, dict[str, Any]]
    properties: dict[str, dict[str, NDArray[np.float64]]]
    words: dict[str, dict[str, Any]]
    steer: dict[str, Any] | None
    front: dict[str, Any] | None = None


def measure(
    fitted: "MoleculeGenerator",
    steered: "MoleculeGenerator | None",
    *,
    count: int,
    seed: int,
    fcd: bool = True,
    conditions: Conditions = NO_CONDITIONS,
    paid: Paid | None = None,
    scaffold: Sequence[str] = (),
) -> Measurements:
    """Draw ``count`` molecules three times and describe them.

    Args:
        fitted: the fitted generator.
        steered: the steered one, if there is one.
        count: molecules in each draw.
        seed: of the draws.
        fcd: whether to compute the Fréchet ChemNet distance of the fitted model's draw.
        conditions: patterns to which the draws are held: what passes is counted.
        paid: values that the steering paid for, from ``paid_values``. A property that is here is not computed
            of the draws: its distances are those of the first and the last batches of the steering.
        scaffold: parts that both masked draws go on from.

    Returns:
        The draws and their figures. No molecule is left out and none is drawn twice to choose from.
    """
    key = Key(seed)
    part: dict[str, Any] = {"scaffold": list(scaffold)} if scaffold else {}
    smiles = {
        "samples.smi": fitted.sample(count, key=key.fold_in(MASKED), **part),
        "samples_unmasked.smi": fitted.sample(count, key=key.fold_in(UNMASKED), mask=False),
    }
    scores = {
        "fitted": fitted.score(smiles["samples.smi"], fcd=fcd).to_dict(),
        "unmasked": fitted.score(smiles["samples_unmasked.smi"], fcd=False).to_dict(),
    }
    targets: list[Target] = []
    if steered is not None:
        smiles["steered.smi"] = steered.sample(count, key=key.fold_in(MASKED), **part)
        scores["steered"] = steered.score(smiles["steered.smi"], fcd=False).to_dict()
        targets = [Target(**entry) for entry in steered.steer_summary["targets"]]
    if conditions:
        for draw, file in DRAWS.items():
            if file in smiles:
                scores[draw] |= _passing(conditions, smiles[file])
    records = {target.property: target.record for target in targets}
    records |= {one.name: one for one in PROPERTIES.values() if one.shown and one.name not in records}
    draws = {"data": evenly_spaced(fitted.train_smiles, HISTOGRAM), "fitted": smiles["samples.smi"]}
    if steered is not None:
        draws["steered"] = smiles["steered.smi"]
    aimed = {target.property for target in targets}
    paid = {name: values for name, values in (paid or {}).items() if name in aimed}
    evaluations = {
        name: {
            draw: _known(paid[name], drawn)
            if name in paid
            else evaluation(record, drawn if name in aimed else drawn[:HISTOGRAM])
            for draw, drawn in draws.items()
        }
        for name, record in records.items()
    }
    properties = {
        name: {draw: found.values for draw, found in each.items()} for name, each in evaluations.items()
    }
    words = {name: record.words() for name, record in records.items()}
    if steered is None:
        return Measurements(smiles, scores, properties, words, None)
    steer = {
        **steered.steer_summary,
        **_reached(targets, evaluations, steered.property_statistics, steered.steer_summary, paid),
        "uniqueness_after": scores["steered"]["uniqueness"],
    }
    steer["remarks"] = steering_remarks(steer)
    return Measurements(
        smiles,
        scores,
        properties,
        words,
        steer,
        measured_front(targets, steered.property_statistics, smiles["steered.smi"], properties, paid),
    )


def _passing(conditions: Conditions, smiles: Sequence[str]) -> dict[str, Any]:
    """The share of the molecules that pass, and by source how many of the others do not."""
    found = Selection()
    for one, fault in zip(smiles, conditions.faults(smiles), strict=True):
        if one:
            found.add(one, fault)
    counts = found.to_dict()
    return {
        "passing": len(found.smiles) / found.drawn if found.drawn else None,
        "forbidden": counts["forbidden"],
        "lacking": counts["lacking"],
    }


def write_measurements(folder: RunFolder, found: Measurements) -> None:
    """Write the molecules, the figures, and what the report needs.

    Raises:
        OutputError: the folder cannot be written, or the disk is full.
    """
    for name, smiles in found.smiles.items():
        folder.write_smiles(name, smiles)
    fitted = found.scores["fitted"]
    # these seven are the summary that other programs read; the others follow in their own section
    named = ("count", "validity", "uniqueness", "novelty_train", "valid_unique_novel", "fcd")
    samples = {name: fitted[name] for name in named}
    samples["validity_unmasked"] = found.scores["unmasked"]["validity"]
    folder.update_metrics(samples=samples, steer=found.steer, scores=found.scores)
    rounded = {
        name: {draw: [float(f"{value:.5g}") for value in values] for draw, values in draws.items()}
        for name, draws in found.properties.items()
    }
    folder.update_history(properties=rounded, property_words=found.words, front=found.front)
    if found.front is not None:
        folder.write_front(front_csv(found.front))


def _reached(
    targets: Sequence[Target],
    evaluations: Mapping[str, Mapping[str, Evaluation]],
    statistics: Mapping[str, tuple[float, float]],
    summary: Mapping[str, Any],
    paid: Paid,
) -> dict[str, Any]:
    each: list[dict[str, Any]] = []
    combine = summary.get("combine", "sum")
    for place, target in enumerate(targets):
        drawn, scale = evaluations[target.property], (statistics[target.property], combine)
        each.append(
            {
                "property": target.property,
                "goal": target.goal,
                "weight": target.weight,
                "spread": target.record.spread,
                "distance_before": mean_distance(drawn["fitted"].values, target, *scale),
                "distance_after": mean_distance(drawn["steered"].values, target, *scale),
                "defined_before": drawn["fitted"].defined,
                "molecules_before": drawn["fitted"].molecules,
                "defined_after": drawn["steered"].defined,
                "molecules_after": drawn["steered"].molecules,
            }
        )
        if target.property in paid:
            each[-1] |= {
                "distance_before": summary["distances_first"][place],
                "distance_after": summary["distances_last"][place],
                "measured_on": "batches",
                "defined_before": None,
                "molecules_before": None,
                "defined_after": None,
                "molecules_after": None,
            }
    return {
        "target": (" " if combine == "sum" else " * ").join(map(str, targets)),
        "targets": each,
        "distance_before": weighted_distance(each, "distance_before"),
        "distance_after": weighted_distance(each, "distance_after"),
    }


def _known(values: Mapping[str, float], smiles: Sequence[str]) -> Evaluation:
    """Of molecules, what is known without asking."""
    found = np.array([values.get(one, np.nan) for one in smiles], dtype=np.float64)
    return Evaluation(found, sum(one in values for one in smiles), int(np.isfinite(found).sum()))


def paid_values(folder: Path) -> dict[str, dict[str, float]]:
    """By property that is the user's own, the values by SMILES that a steering by calls paid for.

    softdraw's own properties are not among them: RDKit computes them of any draw.

    Args:
        folder: of the steering.

    Raises:
        CheckpointError: its table of evaluations is damaged.
    """
    names, rows = read_evaluations(folder)
    return {
        name: {one: known.values[place] for one, known in rows.items()}
        for place, name in enumerate(names)
        if provided_property(name) is None
    }
