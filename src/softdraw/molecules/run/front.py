"""The front of several targets among the molecules of a run, for its report and a table."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softdraw.molecules.chemistry.properties import evaluation
from softdraw.molecules.steering.front import non_dominated
from softdraw.molecules.steering.targets import Target, distance

__all__ = ["front_csv", "front_of", "measured_front"]

Statistics = Mapping[str, tuple[float, float]]


def front_of(
    targets: Sequence[Target], statistics: Statistics, smiles: Sequence[str], values: NDArray[np.float64]
) -> dict[str, Any] | None:
    """The molecules that no other one beats: as near to every target, and nearer to one.

    Args:
        targets: of the steering.
        statistics: by property, mean and standard deviation of the data.
        smiles: of the molecules; one that comes twice counts once.
        values: of their properties, ``[molecules, targets]``.

    Returns:
        ``smiles`` and by property ``values``, the nearest to the first target first; None where there are not
        two targets or more.

    Example:
        >>> targets = [Target("logp", 2), Target("qed", "max")]
        >>> values = np.array([[2.0, 0.5], [3.0, 0.9], [3.0, 0.8]])
        >>> front_of(targets, {"logp": (0, 1), "qed": (0.5, 0.1)}, ["CC", "CO", "CN"], values)["smiles"]
        ['CC', 'CO']
    """
    if len(targets) < 2:
        return None
    first = {one: place for place, one in reversed(list(enumerate(smiles))) if one}
    places = sorted(first.values())
    values = values[places]
    costs = np.stack(
        [distance(values[:, k], target, *statistics[target.property]) for k, target in enumerate(targets)], 1
    )
    chosen = np.flatnonzero(non_dominated(costs))
    chosen = chosen[np.lexsort(costs[chosen].T[::-1])]
    return {
        "smiles": [smiles[places[place]] for place in chosen],
        "values": {target.property: values[chosen, k].tolist() for k, target in enumerate(targets)},
    }


def measured_front(
    targets: Sequence[Target],
    statistics: Statistics,
    drawn: Sequence[str],
    properties: Mapping[str, Mapping[str, NDArray[np.float64]]],
    paid: Mapping[str, Mapping[str, float]],
) -> dict[str, Any] | None:
    """The front among what the steered model drew; where properties were paid for, among those molecules.

    Args:
        targets: of the steering.
        statistics: by property, mean and standard deviation of the data.
        drawn: molecules of the steered model.
        properties: by property and draw, the values.
        paid: by property that was paid for, values by SMILES.

    Returns:
        As ``front_of``, and ``of``: ``"steered"`` or ``"evaluated"``.
    """
    values = [properties[target.property]["steered"] for target in targets]
    if paid:
        drawn = list(next(iter(paid.values())))
        values = [
            np.array([paid[target.property][one] for one in drawn])
            if target.property in paid
            else evaluation(target.record, drawn).values
            for target in targets
        ]
    front = front_of(targets, statistics, drawn, np.stack(values, 1))
    return None if front is None else {**front, "of": "evaluated" if paid else "steered"}


def front_csv(front: Mapping[str, Any]) -> str:
    """A table of the front: the SMILES of each molecule, and its value of each target."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["smiles", *front["values"]])
    columns = front["values"].values()
    for smiles, *values in zip(front["smiles"], *columns, strict=True):
        rows.writerow([smiles, *(f"{value:.6g}" for value in values)])
    return text.getvalue()
