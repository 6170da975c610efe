"""Drawing from the fitted and the steered model, and every figure that describes the draws."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from softdraw.molecules.chemistry.properties import evaluate
from softdraw.molecules.scoring.table import written
from softdraw.molecules.steering.targets import Target, distance
from softdraw.molecules.storage.run_folder import RunFolder
from softdraw.random import Key

if TYPE_CHECKING:
    from softdraw.molecules.generator import MoleculeGenerator

__all__ = ["DRAWS", "Measurements", "mean_distance", "measure", "summary_lines", "write_measurements"]

DRAWS = 3
"""Fitted with mask, fitted without, steered with mask."""
HISTOGRAM = 1000
"""Molecules of each set whose properties the report shows, where there is no target: drug-likeness and
synthetic accessibility take a millisecond each."""
SHOWN = ("logp", "qed", "tpsa", "mw", "sa")
"""Properties that the report shows beside those of the targets."""
MASKED, UNMASKED = 1, 2
"""What is folded into the key: the fitted and the steered model draw each molecule with the same noise."""


@dataclass(frozen=True)
class Measurements:
    """Draws and what was measured on them.

    Attributes:
        smiles: by file name in the folder, the molecules of a draw.
        scores: by draw (``fitted``, ``unmasked``, ``steered``), its scores.
        properties: by property, its values over the data and each masked draw, NaN for no molecule.
        steer: what the steering reached; None when there was none.
    """

    smiles: dict[str, list[str]]
    scores: dict[str, dict[str, Any]]
    properties: dict[str, dict[str, NDArray[np.float64]]]
    steer: dict[str, Any] | None


def measure(
    fitted: "MoleculeGenerator",
    steered: "MoleculeGenerator | None",
    *,
    count: int,
    seed: int,
    fcd: bool = True,
) -> Measurements:
    """Draw ``count`` molecules three times and describe them.

    Args:
        fitted: the fitted generator.
        steered: the steered one, if there is one.
        count: molecules in each draw.
        seed: of the draws.
        fcd: whether to compute the Fréchet ChemNet distance of the fitted model's draw.

    Returns:
        The draws and their figures. No molecule is left out and none is drawn twice to choose from.
    """
    key = Key(seed)
    smiles = {
        "samples.smi": fitted.sample(count, key=key.fold_in(MASKED)),
        "samples_unmasked.smi": fitted.sample(count, key=key.fold_in(UNMASKED), mask=False),
    }
    scores = {
        "fitted": fitted.score(smiles["samples.smi"], fcd=fcd).to_dict(),
        "unmasked": fitted.score(smiles["samples_unmasked.smi"], fcd=False).to_dict(),
    }
    targets: list[Target] = []
    if steered is not None:
        smiles["steered.smi"] = steered.sample(count, key=key.fold_in(MASKED))
        scores["steered"] = steered.score(smiles["steered.smi"], fcd=False).to_dict()
        targets = [Target(**entry) for entry in steered.steer_summary["targets"]]
    names = dict.fromkeys([*(target.property for target in targets), *SHOWN])
    draws = {"data": _spread(fitted.train_smiles, HISTOGRAM), "fitted": smiles["samples.smi"]}
    if steered is not None:
        draws["steered"] = smiles["steered.smi"]
    aimed = {target.property for target in targets}
    properties = {
        name: {
            draw: evaluate(name, drawn if name in aimed else drawn[:HISTOGRAM])
            for draw, drawn in draws.items()
        }
        for name in names
    }
    if steered is None:
        return Measurements(smiles, scores, properties, None)
    steer = {
        **steered.steer_summary,
        **_reached(targets, properties, steered.property_statistics),
        "uniqueness_after": scores["steered"]["uniqueness"],
    }
    return Measurements(smiles, scores, properties, steer)


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
    folder.update_history(properties=rounded)


def summary_lines(metrics: Mapping[str, Any]) -> list[str]:
    """The main figures of a run as lines of text.

    Args:
        metrics: sections ``samples`` and ``steer``, as ``write_measurements`` wrote them.

    Example:
        >>> samples = {"validity_unmasked": 0.99, "uniqueness": 0.98, "fcd": 0.31}
        >>> summary_lines({"samples": samples})
        ['fitted: 99.0 % valid without mask, 98.0 % unique, Fréchet ChemNet distance 0.31']
    """
    samples, steer = metrics["samples"], metrics.get("steer")
    fitted = [
        f"{written(samples['validity_unmasked'], 'share')} valid without mask",
        f"{written(samples['uniqueness'], 'share')} unique",
    ]
    if samples.get("fcd") is not None:
        fitted.append(f"Fréchet ChemNet distance {written(samples['fcd'])}")
    lines = ["fitted: " + ", ".join(fitted)]
    if steer:
        before, after = written(steer["distance_before"]), written(steer["distance_after"])
        unique = written(steer["uniqueness_after"], "share")
        lines.append(
            f"steered to {steer['target']}: distance {before} -> {after} standard deviations, {unique} unique"
        )
    return lines


def mean_distance(
    values: Mapping[str, NDArray[np.float64]],
    targets: Sequence[Target],
    statistics: Mapping[str, tuple[float, float]],
) -> float:
    """Mean distance of molecules to their targets, weighted, in standard deviations of the data.

    Args:
        values: by property, its values; NaN where there is no molecule, which are left out.
        targets: the targets.
        statistics: by property, mean and standard deviation of the data.

    Example:
        >>> mean_distance({"logp": np.array([1.0, 3.0, np.nan])}, [Target("logp", 2.0)], {"logp": (0.0, 0.5)})
        2.0
    """
    total = weights = 0.0
    for target in targets:
        found = distance(values[target.property], target, *statistics[target.property])
        found = found[np.isfinite(found)]
        total += target.weight * float(found.mean()) if len(found) else float("nan")
        weights += target.weight
    return total / weights


def _reached(
    targets: Sequence[Target],
    properties: Mapping[str, Mapping[str, NDArray[np.float64]]],
    statistics: Mapping[str, tuple[float, float]],
) -> dict[str, Any]:
    before = {name: draws["fitted"] for name, draws in properties.items()}
    after = {name: draws["steered"] for name, draws in properties.items()}
    each = [
        {
            "property": target.property,
            "goal": target.goal,
            "weight": target.weight,
            "distance_before": mean_distance(before, [target], statistics),
            "distance_after": mean_distance(after, [target], statistics),
        }
        for target in targets
    ]
    return {
        "target": " ".join(map(str, targets)),
        "targets": each,
        "distance_before": mean_distance(before, targets, statistics),
        "distance_after": mean_distance(after, targets, statistics),
    }


def _spread(smiles: Sequence[str], count: int) -> list[str]:
    """``count`` entries, evenly spaced, since data files are often sorted."""
    if len(smiles) <= count:
        return list(smiles)
    return [smiles[place] for place in np.linspace(0, len(smiles) - 1, count).round().astype(int)]
