"""Which charts the report shows, each with a title, a sentence, and a text for those who cannot see it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softdraw.molecules.chemistry.property import Property
from softdraw.molecules.report.figures import Points, curves, histogram
from softdraw.molecules.steering.outcome import unit_of

__all__ = ["Plot", "calls_plot", "histograms", "learning_plots", "steering_plots"]

History = Sequence[Mapping[str, Any]]

GAP = (
    " The gap is the mean difference between the network's prediction and RDKit's value: if it grew, the "
    "network's mistakes would be exploited."
)


@dataclass(frozen=True)
class Plot:
    """A chart on the page.

    Attributes:
        picture: a data URI.
        title: what it is.
        text: how to read it.
        alt: its main figures, in words.
    """

    picture: str
    title: str
    text: str
    alt: str


def learning_plots(history: History) -> list[Plot]:
    """Loss and learning rate of the fit over time."""
    loss, judged = _points(history, "seconds", "loss"), _points(history, "seconds", "validation_loss")
    plots = []
    if len(loss[0]) or len(judged[0]):
        plots.append(
            Plot(
                curves(
                    [("nats a molecule", {"training": loss, "validation": judged})],
                    "seconds",
                    limits=[_robust(loss, judged)],
                ),
                "Loss of the fit",
                "Minus the log-likelihood of a molecule's decisions. Validation molecules are never trained "
                "on, and are judged by the averaged weights.",
                f"Training loss {_ends(loss)}, validation loss {_ends(judged)}.",
            )
        )
    rate = _points(history, "seconds", "learning_rate")
    if len(rate[0]):
        plots.append(
            Plot(
                curves([("learning rate", {"learning rate": rate})], "seconds", limits=[(0, None)]),
                "Learning rate",
                "After a short rise it falls along a cosine over the whole budget.",
                f"Learning rate {_ends(rate)}.",
            )
        )
    return plots


def steering_plots(history: History, unit: str = "standard deviations") -> dict[str, Plot]:
    """Temperature, decisions, distance, diversity and the property network's gap, over steps.

    Args:
        history: of the steering.
        unit: of the distances (see ``outcome.unit_of``).
    """
    plots = {}
    tau = _points(history, "step", "tau")
    shares = {
        "atoms": _points(history, "step", "decided_atoms", 100),
        "bonds": _points(history, "step", "decided_bonds", 100),
    }
    if len(tau[0]):
        plots["temperature"] = Plot(
            curves(
                [("temperature", {"temperature": tau}), ("% decided", shares)],
                "steps of steering",
                limits=[(0, None), (0, 103)],
            ),
            "Temperature, and how decided the draws are",
            "A relaxed draw counts as decided when one choice holds more than 0.9 of its weight. While the "
            "temperature falls, draws become decisions.",
            f"Temperature {_ends(tau)}; decided atoms {_ends(shares['atoms'])} %, "
            f"bonds {_ends(shares['bonds'])} %.",
        )
    distance, gap = _points(history, "step", "distance"), _points(history, "step", "predicted_gap")
    if len(distance[0]):
        about = GAP if len(gap[0]) else ""
        plots["distance"] = Plot(
            curves(
                [("distance", {"distance to target": distance})]
                + [("gap", {"gap": gap})] * bool(len(gap[0])),
                "steps of steering",
                limits=[(min(0.0, *distance[1]), None), (0, None)],
            ),
            "Distance to the target" + ", and the property network's error" * bool(len(gap[0])),
            (f"In {unit} of the data, by RDKit, on" if unit else "By RDKit, on")
            + " the molecules drawn in each step."
            + about,
            f"Distance {_ends(distance)}{' ' * bool(unit)}{unit}; gap {_ends(gap)}.",
        )
    unique, divergence = _points(history, "step", "uniqueness", 100), _points(history, "step", "kl")
    if len(unique[0]) or len(divergence[0]):
        plots["diversity"] = Plot(
            curves(
                [("% unique", {"unique": unique}), ("nats", {"divergence": divergence})],
                "steps of steering",
                limits=[(min([80.0, *unique[1]]), 101), (0, None)],
            ),
            "What is kept of the fitted model",
            "Unique molecules in each step's batch, and the Kullback-Leibler divergence of the steered from "
            "the fitted model.",
            f"Unique {_ends(unique)} %, divergence {_ends(divergence)} nats.",
        )
    return plots


def calls_plot(steer: Mapping[str, Any]) -> dict[str, Plot]:
    """The best molecules so far against the calls of a budget; nothing where they were not counted."""
    curve = steer.get("progress") or {}
    if not curve.get("calls"):
        return {}
    names = {"best": "best", "top10": "top 10", "top100": "top 100"}
    named = {
        text: _points([{"x": x, "y": y} for x, y in zip(curve["calls"], curve[name], strict=True)], "x", "y")
        for name, text in names.items()
    }
    of = curve["of"]
    unit = f", in {unit_of(steer)} of the data" if of == "distance" and unit_of(steer) else ""
    return {
        "calls": Plot(
            curves([(of, named)], "calls"),
            "The best molecules against calls",
            f"The best molecule so far, and the mean of the 10 and of the 100 best, by {of}{unit}; "
            f"{curve['better']} is better. A call is one molecule whose properties were computed, each "
            "molecule once, those of the data included.",
            "; ".join(f"{text} {_ends(points)}" for text, points in named.items()) + ".",
        )
    }


def histograms(
    properties: Mapping[str, Mapping[str, NDArray[np.float64]]],
    records: Mapping[str, Property],
    goals: Mapping[str, Any],
) -> list[Plot]:
    """Each property over data, fitted and steered draws, those with a target first."""
    plots = []
    for name in dict.fromkeys([*goals, *properties]):
        title = records[name].title
        values = {draw: known[np.isfinite(known)] for draw, known in properties.get(name, {}).items()}
        picture = histogram(values, title, goals.get(name))
        if picture is None:
            continue
        means = ", ".join(f"{draw} {known.mean():.3g}" for draw, known in values.items() if len(known))
        goal = goals.get(name)
        target = "" if goal is None else f"; target {goal if isinstance(goal, str) else format(goal, '.3g')}"
        text = f"Mean: {means}{target}."
        plots.append(Plot(picture, title, text, f"Distribution of {title}. {text}"))
    return plots


def _points(history: History, x: str, y: str, scale: float = 1.0) -> Points:
    """Where both are known; a line of history may lack what was not measured in its step."""
    kept = [
        (entry[x], scale * entry[y])
        for entry in history
        if entry.get(x) is not None and entry.get(y) is not None
    ]
    return [point[0] for point in kept], [point[1] for point in kept]


def _robust(*curves_: Points) -> tuple[float | None, float | None]:
    """Limits that leave out the steep fall of the first steps, which would flatten all that follows."""
    values = np.array([y for points in curves_ for y in points[1]])
    if len(values) < 8:
        return None, None
    low, high = float(values.min()), float(np.percentile(values, 90))
    margin = 0.08 * (high - low) or 0.5
    return low - margin, high + 4 * margin


def _ends(points: Points) -> str:
    y = points[1]
    return f"from {y[0]:.3g} to {y[-1]:.3g}" if len(y) else "unknown"
