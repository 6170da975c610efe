"""Draw docs/images/published-*.png from docs/tables/published.json."""

import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

DOCS = Path(__file__).parent.parent
RUNS: list[dict[str, Any]] = json.loads((DOCS / "tables" / "published.json").read_text())
PREFIX = "st-gumbel-softmax "
TUNED = [run for run in RUNS if run["what"] == "8x4" and not run["name"].startswith(PREFIX)]
#: the tuned temperature of st-gumbel-softmax is 0.5
MOVED = [
    {**run, "name": run["name"].removeprefix(PREFIX).replace(PREFIX.strip(), "tau 0.5")}
    for run in RUNS
    if run["what"] == "8x4" and run["name"].startswith(PREFIX.strip())
]


def by_name(runs: list[dict[str, Any]]) -> dict[str, list[list[dict[str, float]]]]:
    """Curves of each name, one a seed."""
    found: dict[str, list[list[dict[str, float]]]] = {}
    for run in runs:
        found.setdefault(run["name"], []).append(run["curve"])
    return dict(sorted(found.items()))


def curves(
    axes: Axes,
    runs: list[dict[str, Any]],
    x: Callable[[dict[str, float]], float],
    y: str,
    *,
    last: bool = True,
    each: bool = False,
) -> None:
    """Mean over seeds as a line, seeds as dots; with ``each`` a line for each seed.

    Without ``last`` lines end before the last point.
    """
    for number, (name, seeds) in enumerate(by_name(runs).items()):
        points = list(zip(*seeds, strict=True))[1:]
        color, shown = f"C{number}", points if last else points[:-1]
        across = [[x(one) for one in point] for point in shown]
        values = [[one[y] for one in point] for point in shown]
        if not each:
            across, values = ([[statistics.mean(point)] for point in part] for part in (across, values))
        axes.plot(across, values, lw=1.4, color=color, label=[name, *[None] * (len(values[0]) - 1)])
        for seed in points:
            axes.plot([x(one) for one in seed], [one[y] for one in seed], ".", ms=3, color=color)


def draw_bounds() -> None:
    """-ELBO of test images over steps and over seconds."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    curves(left, TUNED, lambda one: one["step"], "test", last=False)
    curves(right, TUNED, lambda one: one["seconds"], "test", last=False)
    left.set_ylim(138, 175)
    left.set_xlabel("step")
    right.set_xlabel("seconds of CPU, training alone")
    left.set_ylabel("-ELBO, test, nats")
    right.legend(fontsize=8)
    figure.savefig(DOCS / "images" / "published-vae.png", dpi=100)


def draw_gradients() -> None:
    """Bias and variance of the gradient while the network learns by it."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    curves(left, TUNED, lambda one: one["step"], "bias")
    curves(right, TUNED, lambda one: one["step"], "variance")
    left.set_ylim(-0.05, 1.4)
    right.set_yscale("log")
    left.set_ylabel("squared bias / squared norm of the exact gradient")
    right.set_ylabel("variance / the same")
    for axes in (left, right):
        axes.set_xlabel("step")
    right.legend(fontsize=8, ncols=2, loc="upper right")
    figure.savefig(DOCS / "images" / "published-gradients.png", dpi=100)


def draw_annealing() -> None:
    """What fixed and moving temperatures come to, and how the moving ones moved."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    curves(left, MOVED, lambda one: one["step"], "test", last=False, each=True)
    curves(right, MOVED, lambda one: one["step"], "tau", each=True)
    left.set_ylim(138, 200)
    right.set_ylim(0, 2.1)
    left.set_ylabel("-ELBO, test, nats")
    right.set_ylabel("temperature")
    for axes in (left, right):
        axes.set_xlabel("step")
    right.legend(fontsize=8, loc="upper right", bbox_to_anchor=(1.0, 0.95))
    figure.savefig(DOCS / "images" / "published-annealing.png", dpi=100)


if __name__ == "__main__":
    draw_bounds()
    draw_gradients()
    if MOVED:
        draw_annealing()
