"""The front of several targets: two of their properties against each other, before and after steering."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softdraw.molecules.chemistry.property import Property
from softdraw.molecules.report.figures import scatter
from softdraw.molecules.report.plots import Plot
from softdraw.molecules.steering.goal_text import known_goal

__all__ = ["front_plots"]

PAIRS = 3
"""Pairs of targets that are drawn, the first ones."""
ABOUT = (
    "A molecule is on the front where no other one is as near to every target and nearer to one. "
    "front.csv lists those on it, {count:,} of the molecules that {whose}."
)
WHOSE = {"steered": "the steered model drew", "evaluated": "were evaluated"}


def front_plots(
    front: Mapping[str, Any] | None,
    properties: Mapping[str, Mapping[str, NDArray[np.float64]]],
    records: Mapping[str, Property],
    targets: Sequence[Mapping[str, Any]],
) -> list[Plot]:
    """Charts of the first pairs of targets.

    Args:
        front: section ``front`` of the history; None where there is no second target.
        properties: by property and draw, the values.
        records: by property, what it is called.
        targets: entries of ``targets`` in the section ``steer`` of the metrics.
    """
    values = (front or {}).get("values") or {}
    goals = {one["property"]: known_goal(one["goal"]) for one in targets if one["property"] in values}
    plots = []
    for pair in list(combinations(goals, 2))[:PAIRS]:
        sets = {}
        for draw in ("fitted", "steered"):
            x, y = (properties.get(name, {}).get(draw, np.zeros(0)) for name in pair)
            known = np.isfinite(x) & np.isfinite(y) if len(x) == len(y) else np.zeros(0, dtype=bool)
            if known.any():
                sets[draw] = (x[known].tolist(), y[known].tolist())
        first, second = (records[name].title for name in pair)
        ends = [None if goal is None else goal.ends for goal in (goals[name] for name in pair)]
        marked = (values[pair[0]], values[pair[1]])
        about = ABOUT.format(
            count=len(marked[0]), whose=WHOSE.get(str((front or {}).get("of")), "were drawn")
        )
        plots.append(
            Plot(
                scatter(sets, marked, first, second, ends),
                f"{first} and {second}",
                about,
                f"{first} against {second}. {about}",
            )
        )
    return plots
