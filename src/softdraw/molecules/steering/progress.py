"""What a budget of calls bought: the best molecules so far against calls, and the area under that curve."""

import heapq
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softdraw.molecules.steering.objectives import Objective

__all__ = ["auc_top", "best_so_far", "progress_of", "progress_text"]

EVERY = 100
"""Calls between two points of the curve, as PMO takes them."""
TOPS = {"best": 1, "top10": 10, "top100": 100}


def best_so_far(scores: Sequence[float], tops: Sequence[int], every: int = EVERY) -> dict[str, list[Any]]:
    """Means of the best molecules so far, every so many calls and at the end.

    Args:
        scores: of different molecules in the order of their calls, higher is better; NaN where one failed,
            which is a call and no molecule.
        tops: sizes of the means, such as 10; where fewer are known, the mean is over those.
        every: calls between two points.

    Returns:
        ``calls`` and by the text of each size its means, None before a molecule is known.

    Example:
        >>> best_so_far([0.5, float("nan"), 0.1, 0.7], [1, 2], every=2)
        {'calls': [2, 4], '1': [0.5, 0.7], '2': [0.5, 0.6]}
    """
    found: dict[str, list[Any]] = {"calls": [], **{str(top): [] for top in tops}}
    best: list[float] = []
    for call, score in enumerate(scores, 1):
        if np.isfinite(score):
            heapq.heappush(best, float(score))
            if len(best) > max(tops):
                heapq.heappop(best)
        if call % every == 0 or call == len(scores):
            ranked = sorted(best, reverse=True)
            found["calls"].append(call)
            for top in tops:
                found[str(top)].append(float(np.mean(ranked[:top])) if ranked else None)
    return found


def auc_top(scores: Sequence[float], budget: int, top: int = 10, every: int = EVERY) -> float:
    """Area under the mean of the best molecules so far, divided by the budget, as the benchmark PMO has it.

    The mean is taken every ``every`` calls and at the last one; the curve begins at 0, is joined by straight
    lines (trapezoid rule), and keeps its last value where a run ended before its budget.

    Args:
        scores: as ``best_so_far``, 0 or more.
        budget: calls that were allowed.
        top: molecules in the mean.
        every: calls between two points.

    Reference:
        Gao et al. 2022, "Sample efficiency matters", arXiv:2206.12411, section 3.

    Example:
        >>> area = auc_top([0.2, 0.4, 0.9, 0.7], budget=8, top=2, every=2)
        >>> round(area, 6), round((2 * 0.3 / 2 + 2 * (0.3 + 0.8) / 2 + 4 * 0.8) / 8, 6)
        (0.575, 0.575)
    """
    curve = best_so_far(scores[:budget], [top], every)
    calls = [0, *curve["calls"]]
    means = [0.0, *(0.0 if mean is None else mean for mean in curve[str(top)])]
    if calls[-1] < budget:
        calls.append(budget)
        means.append(means[-1])
    return float(np.trapezoid(means, calls)) / budget


def progress_of(objective: Objective, values: NDArray[np.float64], budget: int) -> dict[str, Any]:
    """The curves of a steering, in numbers that a user knows.

    With one target towards ``"max"`` or ``"min"`` they are of its property, else of the cost that
    ``Objective`` describes: the weighted mean of the distances to the targets, in standard deviations of the
    data, or of minus the logarithms of desirabilities where they are multiplied.

    Args:
        objective: the targets.
        values: of the molecules in the order of their calls, ``[calls, targets]``.
        budget: calls that were allowed.

    Returns:
        ``of``, the property or ``"distance"``; ``better``, ``"higher"`` or ``"lower"``; ``calls``, ``best``,
        ``top10`` and ``top100``; ``auc_top10``, which is None except towards ``"max"``.
    """
    targets = objective.targets
    goal = targets[0].goal if len(targets) == 1 else 0.0
    if goal in ("max", "min"):
        of, raw, sign = targets[0].property, values[:, 0], 1.0 if goal == "max" else -1.0
    else:
        of, raw, sign = "distance", objective.costs(values), -1.0
    every = min(EVERY, max(1, budget // EVERY))
    curve = best_so_far((sign * raw).tolist(), list(TOPS.values()), every)
    shown = {
        name: [None if mean is None else sign * mean for mean in curve[str(top)]]
        for name, top in TOPS.items()
    }
    auc = auc_top(raw.tolist(), budget) if goal == "max" else None
    better = "higher" if sign > 0 else "lower"
    return {"of": of, "better": better, "calls": curve["calls"], **shown, "auc_top10": auc}


def progress_text(steer: Mapping[str, Any]) -> str:
    """What the calls bought, in a line; nothing where they were not counted.

    Args:
        steer: section ``steer`` of the metrics.

    Example:
        >>> curve = {"of": "qed", "calls": [64], "best": [0.9], "top10": [0.85], "top100": [0.6]}
        >>> steer = {"calls": 64, "calls_budget": 100, "labels": 32, "failed": 1, "reason": "C: got nan"}
        >>> progress_text({**steer, "progress": {**curve, "auc_top10": 0.75}})[:60]
        '64 of 100 calls (32 for molecules of the data), 1 failed (C:'
        >>> progress_text({**steer, "progress": {**curve, "auc_top10": 0.75}})[60:]
        ' got nan); best qed 0.9, mean of the top 10 0.85, of the top 100 0.6; AUC top-10 0.75'
    """
    if not steer.get("calls_budget"):
        return ""
    text = f"{steer['calls']:,} of {steer['calls_budget']:,} calls"
    text += f" ({steer['labels']:,} for molecules of the data)"
    if steer.get("failed"):
        text += f", {steer['failed']:,} failed ({steer['reason']})"
    curve = steer.get("progress") or {}
    if curve.get("calls") and curve["best"][-1] is not None:
        best, ten, hundred = (f"{curve[name][-1]:.4g}" for name in TOPS)
        text += f"; best {curve['of']} {best}, mean of the top 10 {ten}, of the top 100 {hundred}"
    if curve.get("auc_top10") is not None:
        text += f"; AUC top-10 {curve['auc_top10']:.4g}"
    return text
