"""Pictures of bias, variance and temperature; needs matplotlib (``softdraw[plot]``)."""

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from softdraw.diagnostics.measures import Measures
from softdraw.estimators import get
from softdraw.random import Key

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["error_figure", "svg", "swept", "tau_figure", "temperature_figure", "triangle_figure"]

_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f3c8d", "#666666")
_TRIANGLE_TAUS = (0.1, 0.5, 1.0, 2.0, 10.0)
_TRIANGLE_P = (0.5, 0.3, 0.2)


def swept(rows: Sequence[Measures]) -> dict[str, list[Measures]]:
    """By name, the rows of each estimator that was measured at two temperatures or more, the coldest first.

    Example:
        >>> swept([])
        {}
    """
    groups: dict[str, list[Measures]] = {}
    for row in rows:
        if row.tau is not None:
            groups.setdefault(_family(row), []).append(row)
    return {
        name: sorted(group, key=lambda row: row.tau or 0.0)
        for name, group in groups.items()
        if len({row.tau for row in group}) > 1
    }


def tau_figure(rows: Sequence[Measures]) -> "Figure":
    """Bias and variance against tau, one line for each estimator that was measured at two or more.

    Example:
        >>> tau_figure([]).axes[0].get_xlabel()
        'tau'
    """
    figure = _figure(9.0, 3.4)
    left, right = figure.subplots(1, 2, sharex=True)
    _tau_axes(left, right, rows)
    return figure


def triangle_figure(taus: Sequence[float] = _TRIANGLE_TAUS, *, draws: int = 400) -> "Figure":
    """Soft samples of three classes with probabilities 0.5, 0.3, 0.2 on the triangle, one panel for each tau.

    Example:
        >>> len(triangle_figure((0.1, 1.0), draws=10).axes)
        2
    """
    figure = _figure(2.1 * len(taus), 2.1)
    panels = figure.subplots(1, len(taus), squeeze=False)[0]
    for axes, tau in zip(panels, taus, strict=True):
        _triangle_axes(axes, tau, draws)
    return figure


def error_figure(rows: Sequence[Measures]) -> "Figure":
    """Mean squared error of the gradient against evaluations of f and against seconds.

    A line shows bias^2 + variance / n for n averaged estimates: it falls until the bias is left.

    Example:
        >>> [axes.get_xlabel() for axes in error_figure([]).axes]
        ['evaluations of f', 'seconds']
    """
    figure = _figure(9.0, 4.2)
    panels = figure.subplots(1, 2, sharey=True)
    repeats = [2.0**k for k in range(13)]
    for number, row in enumerate(rows):
        color, style = _COLORS[number % len(_COLORS)], ("-", "--", ":")[number // len(_COLORS) % 3]
        error = [max(row.bias**2 + row.variance / n, 1e-20) for n in repeats]
        for axes, cost in zip(panels, (row.evaluations, row.seconds), strict=True):
            if cost > 0 and math.isfinite(cost):
                axes.plot([n * cost for n in repeats], error, style, color=color, label=_label(row))
    for axes, name in zip(panels, ("evaluations of f", "seconds"), strict=True):
        _log_axes(axes, name, "mean squared error")
    if rows:
        figure.legend(
            *panels[0].get_legend_handles_labels(), loc="outside right center", fontsize=7, frameon=False
        )
    return figure


def temperature_figure(rows: Sequence[Measures]) -> "Figure":
    """What temperature does, in one picture: samples on the triangle above, bias and variance below.

    Example:
        >>> len(temperature_figure([]).axes)
        7
    """
    figure = _figure(10.0, 5.2)
    parts: Any = figure.subfigures(2, 1, height_ratios=(1.0, 1.35))
    upper, lower = parts
    for axes, tau in zip(upper.subplots(1, len(_TRIANGLE_TAUS)), _TRIANGLE_TAUS, strict=True):
        _triangle_axes(axes, tau, 200)
    left, right = lower.subplots(1, 2, sharex=True)
    _tau_axes(left, right, rows)
    return figure


def svg(figure: "Figure") -> str:
    """The figure as SVG text, the same bytes for the same data."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()


def _figure(width: float, height: float) -> "Figure":
    # the object interface: pyplot's global state stays as the user has it
    from matplotlib.figure import Figure

    figure: Figure = Figure(figsize=(width, height), layout="constrained")
    return figure


def _tau_axes(left: Any, right: Any, rows: Sequence[Measures]) -> None:
    shown = swept(rows)
    for number, (name, group) in enumerate(shown.items()):
        color = _COLORS[number % len(_COLORS)]
        taus = [row.tau for row in group]
        for axes, value, error in ((left, "bias", "bias_error"), (right, "variance", "variance_error")):
            axes.errorbar(
                taus,
                [getattr(row, value) for row in group],
                yerr=[2 * getattr(row, error) for row in group],
                color=color,
                marker="o",
                markersize=3,
                linewidth=1.2,
                capsize=2,
                label=name,
            )
    _log_axes(left, "tau", "bias")
    _log_axes(right, "tau", "variance")
    # an unbiased estimator's measured bias may be 0, which a plain logarithm would drop
    largest = max((row.bias for group in shown.values() for row in group), default=0.0)
    if largest > 0:
        left.set_yscale("symlog", linthresh=largest / 300)
        left.set_ylim(bottom=0.0)
    if shown:
        right.legend(fontsize=7, frameon=False)


def _triangle_axes(axes: Any, tau: float, draws: int) -> None:
    logits = torch.tensor(_TRIANGLE_P).log().expand(draws, 3)
    y = get("gumbel-softmax", tau=tau)(logits, key=Key(0))
    corners = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.5, 3**0.5 / 2]])
    outline = torch.cat([corners, corners[:1]])
    points = y @ corners
    axes.plot(outline[:, 0].tolist(), outline[:, 1].tolist(), color="#999999", linewidth=1)
    axes.scatter(
        points[:, 0].tolist(), points[:, 1].tolist(), s=5, color=_COLORS[0], alpha=0.45, linewidths=0
    )
    axes.set_title(f"tau = {tau:g}", fontsize=9)
    axes.set_aspect("equal")
    axes.set_axis_off()


def _log_axes(axes: Any, x: str, y: str) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(color="#dddddd", linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)


def _family(row: Measures) -> str:
    return row.estimator.partition("(")[0]


def _label(row: Measures) -> str:
    return _family(row) if row.tau is None else f"{_family(row)}, tau {row.tau:g}"
