"""Charts, drawn through matplotlib's objects on an Agg canvas: nothing global is read or set.

Grounds are transparent and ink is dark, so that a page may invert them in a dark surrounding.
"""

import io
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from softdraw.molecules.steering.goal_text import known_goal
from softdraw.pages import data_uri

__all__ = ["COLOURS", "chart", "curves", "histogram", "new_figure", "scatter"]

COLOURS = {
    "data": "#8b919b",
    "fitted": "#2f6db3",
    "steered": "#d2691e",
    "second": "#4d9a5b",
}
INK, GRID = "#33383f", "#9aa0a8"
Points = tuple[Sequence[float], Sequence[float]]


def new_figure(panels: int = 1, height: float = 2.9) -> tuple[Figure, list[Axes]]:
    """A figure with panels above each other that share their horizontal axis."""
    figure = Figure(figsize=(4.8, height), dpi=200, layout="constrained")
    FigureCanvasAgg(figure)
    figure.patch.set_alpha(0)
    axes = figure.subplots(panels, 1, sharex=True, squeeze=False)[:, 0].tolist()
    for ax in axes:
        ax.patch.set_alpha(0)
        ax.spines[["top", "right"]].set_visible(False)
        ax.spines[["left", "bottom"]].set_color(INK)
        ax.tick_params(colors=INK, labelsize=9)
        ax.grid(axis="y", color=GRID, alpha=0.35, linewidth=0.6)
        ax.set_axisbelow(True)
    return figure, axes


def chart(figure: Figure) -> str:
    """A figure as a PNG in a data URI."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # matplotlib 3.9 says so of a machine that is slow just then
        warnings.filterwarnings("ignore", 'Creating legend with loc="best" can be slow', UserWarning)
        figure.savefig(buffer, format="png", facecolor="none", metadata={"Software": None})
    return data_uri(buffer.getvalue(), "png")


def curves(
    panels: Sequence[tuple[str, Mapping[str, Points]]],
    xlabel: str,
    *,
    limits: Sequence[tuple[float | None, float | None] | None] | None = None,
    lines: Mapping[int, tuple[float, str]] | None = None,
) -> str:
    """Curves over one axis, in panels above each other.

    Args:
        panels: for each, the label of its axis, and by name the points of a curve, ``(x, y)``.
        xlabel: label of the shared axis.
        limits: of the vertical axis of each panel.
        lines: by panel, the height and the name of a dashed line across it.

    Returns:
        The chart as a data URI.
    """
    figure, axes = new_figure(len(panels), 2.9 if len(panels) == 1 else 1.0 + 1.65 * len(panels))
    order = [COLOURS["fitted"], COLOURS["steered"], COLOURS["second"]]
    for place, (ax, (ylabel, named)) in enumerate(zip(axes, panels, strict=True)):
        for colour, (name, (x, y)) in zip(order, named.items(), strict=False):
            marker = "o" if len(x) < 3 else None
            ax.plot(x, y, color=colour, linewidth=1.6, label=name, marker=marker, markersize=4)
        _label(ax, ylabel=ylabel)
        if lines and place in lines:
            height, name = lines[place]
            ax.axhline(height, color=INK, linewidth=1, linestyle=(0, (4, 3)), label=name)
        limit = limits[place] if limits else None
        if limit is not None:
            ax.set_ylim(*limit)
        if len(named) > 1 or (lines and place in lines):
            _legend(ax)
    _label(axes[-1], xlabel=xlabel)
    return chart(figure)


def histogram(
    values: Mapping[str, NDArray[np.float64]], xlabel: str, goal: Any = None, *, bins: int = 36
) -> str | None:
    """One property over several sets of molecules, as shares of each set.

    Args:
        values: by set (``data``, ``fitted``, ``steered``), finite values.
        xlabel: the property.
        goal: where the target is, as ``Target.goal`` has it, or None. A range is a band, and so are the
            values that meet a step or the better half of a sigmoid.
        bins: how many.

    Returns:
        The chart as a data URI; None when there are no values.
    """
    kept = {name: found for name, found in values.items() if len(found)}
    if not kept:
        return None
    joined = np.concatenate(list(kept.values()))
    # without the outer half percent: a single odd molecule would squeeze all others into a few bins
    low, high = np.percentile(joined, [0.5, 99.5])
    aim = None if goal is None else known_goal(goal)
    ends = None if aim is None else aim.ends
    finite = [end for end in ends or () if math.isfinite(end)]
    low, high = min([low, *finite]), max([high, *finite])
    margin = 0.04 * (high - low) or 0.5
    edges = np.linspace(low - margin, high + margin, bins + 1).tolist()
    figure, (ax,) = new_figure()
    for name, found in kept.items():
        weights = np.full(len(found), 100 / len(found))
        if name == "data":
            ax.hist(found, edges, weights=weights, color=COLOURS[name], alpha=0.45, label=name)
        else:
            ax.hist(
                found, edges, weights=weights, color=COLOURS[name], histtype="step", linewidth=1.7, label=name
            )
    if ends is not None and ends[0] == ends[1]:
        ax.axvline(ends[0], color=INK, linewidth=1.2, linestyle=(0, (4, 3)), label=f"target {ends[0]:.3g}")
    elif ends is not None:
        first, last = max(ends[0], edges[0]), min(ends[1], edges[-1])
        ax.axvspan(first, last, color=INK, alpha=0.12, linewidth=0, label=f"target {goal}")
    elif goal in ("max", "min"):
        ax.plot([], [], color=INK, marker=">" if goal == "max" else "<", label=f"target: {goal}", linewidth=0)
    ax.set_xlim(edges[0], edges[-1])
    _label(ax, xlabel=xlabel, ylabel="% of molecules")
    _legend(ax)
    return chart(figure)


def scatter(
    sets: Mapping[str, Points], front: Points, xlabel: str, ylabel: str, ends: Sequence[Any] = (None, None)
) -> str:
    """Two properties of molecules against each other.

    Args:
        sets: by set (``fitted``, ``steered``), the points.
        front: those that are marked.
        xlabel: the first property.
        ylabel: the second one.
        ends: of the goals of both (see ``Goal.ends``), or None; a value is marked by a line, a range by a
            band.

    Returns:
        The chart as a data URI.
    """
    figure, (ax,) = new_figure(height=3.4)
    for name, (x, y) in sets.items():
        ax.scatter(x, y, s=7, color=COLOURS[name], alpha=0.45, linewidths=0, label=name)
    ax.scatter(*front, s=26, facecolors="none", edgecolors=INK, linewidths=1.1, label="front")
    x, y = ([*front[axis], *(one for points in sets.values() for one in points[axis])] for axis in (0, 1))
    _goal(ends[0], _limits(x, front[0], ax.set_xlim), ax.axvline, ax.axvspan)
    _goal(ends[1], _limits(y, front[1], ax.set_ylim), ax.axhline, ax.axhspan)
    _label(ax, xlabel=xlabel, ylabel=ylabel)
    _legend(ax)
    return chart(figure)


def _limits(
    values: Sequence[float], front: Sequence[float], limit: Callable[..., Any]
) -> tuple[float, float]:
    """Set limits between which nearly all values lie, and the whole front."""
    low, high = np.percentile(values, [0.5, 99.5]).tolist() if values else (0.0, 1.0)
    low, high = min([low, *front]), max([high, *front])
    margin = 0.05 * (high - low) or 0.5
    limit(low - margin, high + margin)
    return low - margin, high + margin


def _goal(
    ends: tuple[float, float] | None,
    limits: tuple[float, float],
    line: Callable[..., Any],
    band: Callable[..., Any],
) -> None:
    """Mark what is as good as asked for, as far as it is in sight."""
    first, last = (max(limits[0], ends[0]), min(limits[1], ends[1])) if ends else (0.0, -1.0)
    if first == last:
        line(first, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    elif first < last:
        band(first, last, color=INK, alpha=0.08, linewidth=0)


def _label(ax: Axes, *, xlabel: str | None = None, ylabel: str | None = None) -> None:
    # parse_math: a property or a file may be called anything, dollar signs included
    if xlabel is not None:
        ax.set_xlabel(xlabel, color=INK, fontsize=10, parse_math=False)
    if ylabel is not None:
        ax.set_ylabel(ylabel, color=INK, fontsize=10, parse_math=False)


def _legend(ax: Axes) -> None:
    legend = ax.legend(frameon=False, fontsize=9, labelcolor=INK)
    for text in legend.get_texts():
        text.set_parse_math(False)
