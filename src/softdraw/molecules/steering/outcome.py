"""What a steering reached: distances over the molecules that have the property, and what is doubtful."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softdraw.molecules.scoring.table import written
from softdraw.molecules.steering.goal_text import known_goal
from softdraw.molecules.steering.targets import Target, distance

__all__ = [
    "defined_text",
    "mean_distance",
    "spread_text",
    "steering_remarks",
    "unit_of",
    "weighted_distance",
]


def unit_of(steer: Mapping[str, Any]) -> str:
    """What the distances of a steering are in: standard deviations where all of its targets are, and summed.

    Args:
        steer: section ``steer`` of the metrics.

    Example:
        >>> target = {"property": "qed", "goal": "max"}
        >>> unit_of({"targets": [target]}), unit_of({"targets": [target], "combine": "product"})
        ('standard deviations', '')
        >>> unit_of({"targets": [{"property": "qed", "goal": "step(0.6)"}]})
        ''
    """
    goals = [known_goal(target["goal"]) for target in steer.get("targets") or ()]
    plain = all(goal is None or goal.in_deviations for goal in goals)
    return "standard deviations" if plain and steer.get("combine", "sum") == "sum" else ""


def mean_distance(
    values: NDArray[np.float64], target: Target, statistics: tuple[float, float], combine: str = "sum"
) -> float:
    """Mean distance of molecules to a target (see ``targets.distance``); NaN where none has one.

    Args:
        values: of its property; NaN where there is no molecule, which are left out.
        target: the target.
        statistics: mean and standard deviation of the data.
        combine: how targets are put together.

    Example:
        >>> mean_distance(np.array([1.0, 3.0, np.nan]), Target("logp", 2.0), (0.0, 0.5))
        2.0
    """
    found = distance(values, target, *statistics, combine)
    found = found[np.isfinite(found)]
    return float(found.mean()) if len(found) else math.nan


def weighted_distance(targets: Sequence[Mapping[str, Any]], when: str) -> float:
    """Mean over targets, by their weights, which is the cost; NaN where a distance is unknown.

    Args:
        targets: entries of ``targets`` in the section ``steer`` of the metrics.
        when: ``"distance_before"`` or ``"distance_after"``.

    Example:
        >>> far, near = {"weight": 3.0, "distance_after": 2.0}, {"weight": 1.0, "distance_after": 0.0}
        >>> weighted_distance([far, near], "distance_after")
        1.5
    """
    known = [(target["weight"], target[when]) for target in targets]
    total = sum(weight * (math.nan if value is None else value) for weight, value in known)
    return float(total / sum(weight for weight, _ in known))


def spread_text(target: Mapping[str, Any]) -> str:
    """What the distances of a score whose range is known are in; nothing for any other property.

    Args:
        target: an entry of ``targets`` in the section ``steer`` of the metrics.

    Example:
        >>> spread_text({"property": "smarts:C=O", "spread": 0.1})
        'smarts:C=O: its distances count in steps of 0.1, and towards max and min from 0'
    """
    if target.get("spread") is None:
        return ""
    return (
        f"{target['property']}: its distances count in steps of {target['spread']:g}, "
        "and towards max and min from 0"
    )


def defined_text(target: Mapping[str, Any]) -> str:
    """For how many of the drawn molecules a target's property is a number; nothing where it is for all.

    Args:
        target: an entry of ``targets`` in the section ``steer`` of the metrics.

    Example:
        >>> target = {"property": "my:f", "defined_before": 25, "molecules_before": 60}
        >>> defined_text({**target, "defined_after": 60, "molecules_after": 60})
        'my:f: defined for 25 of 60 molecules before steering, 60 of 60 after; distances are over those'
    """
    if target.get("measured_on") == "batches":
        return (
            f"{target['property']}: its distances are of the first batch and of the last 10 of the steering; "
            "the molecules drawn after it are not evaluated"
        )
    counts = {
        when: (target.get(f"defined_{when}"), target.get(f"molecules_{when}")) for when in ("before", "after")
    }
    if all(defined == molecules for defined, molecules in counts.values()):
        return ""
    before, after = (f"{defined} of {molecules}" for defined, molecules in counts.values())
    return (
        f"{target['property']}: defined for {before} molecules before steering, {after} after; distances are "
        "over those"
    )


def steering_remarks(steer: Mapping[str, Any]) -> list[str]:
    """What is doubtful about a steering: it ended early, or the distance did not fall, or by less than the
    network's error.

    Args:
        steer: ``distance_before`` and ``distance_after``, ``predicted_gap`` if there was a network, and why
            it ``ended`` early.

    Example:
        >>> steering_remarks({"distance_before": 2.0, "distance_after": 0.5, "predicted_gap": 0.2})
        []
    """
    ended = [steer["ended"]] if steer.get("ended") else []
    return ended + _doubts(steer)


def _doubts(steer: Mapping[str, Any]) -> list[str]:
    before, after, gap = (steer.get(name) for name in ("distance_before", "distance_after", "predicted_gap"))
    if before is None or after is None or not math.isfinite(before) or not math.isfinite(after):
        return ["the distance to the target is unknown: the property is undefined for all that was drawn"]
    text = f"{written(before)} -> {written(after)} {unit_of(steer)}".rstrip()
    off = "" if gap is None else f"the property network was off by {written(gap)}"
    more = "more minutes or more molecules may help" + ", or the estimator reinforce" * (gap is not None)
    if after >= before:
        reason = f"; {off}" if off else ""
        return [f"the distance to the target did not fall ({text}{reason}): {more}"]
    if gap is not None and gap > before - after:
        return [f"the distance fell by less than the property network's error ({text}; {off}): {more}"]
    return []
