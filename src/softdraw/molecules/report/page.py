"""What the report shows, collected from a run's folder, and the page itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from softdraw import pages
from softdraw.molecules.chemistry.properties import described_property
from softdraw.molecules.report.fronts import front_plots
from softdraw.molecules.report.pairs import pairs
from softdraw.molecules.report.plots import calls_plot, histograms, learning_plots, steering_plots
from softdraw.molecules.scoring.table import DASH, filled_rows, written
from softdraw.molecules.steering.goal_text import known_goal
from softdraw.molecules.steering.outcome import defined_text, spread_text, unit_of
from softdraw.molecules.steering.progress import progress_text
from softdraw.molecules.storage.atomic import write_text
from softdraw.molecules.storage.run_folder import RunFolder

__all__ = ["render", "write_report"]

PAIRS = 18
"""Molecules drawn in the report: the first of the draw, whatever they are."""
COLUMNS = {"fitted": "fitted", "unmasked": "no mask", "steered": "steered"}
"""Heads of the table of scores, by draw."""


def write_report(folder: RunFolder) -> Path:
    """Make ``report.html`` from what lies in the folder of a run.

    Args:
        folder: the folder, complete or not: what is missing is said to be missing.

    Returns:
        The path of the report.

    Raises:
        DataError: the folder holds no run.
        CheckpointError: a file of the run is damaged.
        OutputError: the report cannot be written; an earlier one stays.
    """
    folder.require()
    write_text(folder.report, render(folder))
    return folder.report


def render(folder: RunFolder) -> str:
    """The page as text; everything that comes from outside is escaped."""
    return pages.render("softdraw.molecules.report", "page.html.j2", "page.css", **_context(folder))


def _context(folder: RunFolder) -> dict[str, Any]:
    config, metrics, history = folder.config, folder.metrics, folder.history
    steer, scores = metrics.get("steer") or {}, metrics.get("scores") or {}
    properties = {
        name: {draw: np.array(values, dtype=np.float64) for draw, values in draws.items()}
        for name, draws in (history.get("properties") or {}).items()
    }
    draws = [draw for draw in COLUMNS if draw in scores]
    targets = steer.get("targets") or []
    words = history.get("property_words") or {}
    # of these a few molecules are known, those that the steering met
    unmeasured = {target["property"] for target in targets if target.get("measured_on") == "batches"}
    names = dict.fromkeys([*(target["property"] for target in targets), *properties])
    records = {name: described_property(name, words.get(name)) for name in names}
    return {
        "heading": f"softdraw molecules: {folder.path.resolve().name or 'run'}",
        "data": metrics.get("data") or {},
        "fit": metrics.get("fit") or {},
        "steer": steer,
        "goals": [records[one["property"]].goal_text(_words(one["goal"])) for one in targets],
        "targets": targets,
        "deviations": bool(unit_of(steer)),
        "multiplied": steer.get("combine") == "product",
        "defined": [text for one in targets for text in (spread_text(one), defined_text(one)) if text],
        "tiles": _tiles(metrics),
        "notes": _notes(metrics),
        "pairs": pairs(
            folder.read_smiles("samples.smi"),
            folder.read_smiles("steered.smi"),
            properties,
            records,
            [target["property"] for target in targets],
            PAIRS,
        ),
        "learning": learning_plots(history.get("fit") or []),
        "steering": {**steering_plots(history.get("steer") or [], unit_of(steer)), **calls_plot(steer)},
        "calls": progress_text(steer),
        "fronts": front_plots(history.get("front"), properties, records, targets),
        "histograms": histograms(
            {name: draws for name, draws in properties.items() if name not in unmeasured},
            records,
            {t["property"]: t["goal"] for t in targets if t["property"] not in unmeasured},
        ),
        "score_heads": [COLUMNS[draw] for draw in draws],
        "score_rows": filled_rows(scores, draws),
        "options": _options(config.get("options") or {}),
        "command": config.get("command") or "",
        "versions": config.get("versions") or {},
        "seconds": metrics.get("seconds") or {},
        "records": records,
        "written": written,
    }


def _words(goal: Any) -> Any:
    known = known_goal(goal)
    return goal if known is None else known.words


def _tiles(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The four or five figures that a reader looks for first; each also stands in a table below."""
    samples, steer = metrics.get("samples") or {}, metrics.get("steer") or {}
    tiles = [
        ("valid, with no mask", written(samples.get("validity_unmasked"), "share")),
        ("unique of the valid", written(samples.get("uniqueness"), "share")),
        ("valid, unique and new", written(samples.get("valid_unique_novel"), "share")),
        ("Fréchet ChemNet distance", written(samples.get("fcd"))),
    ]
    before, after = steer.get("distance_before"), steer.get("distance_after")
    if before is not None and after is not None:
        unit = ", std" if unit_of(steer) else ""
        tiles.append((f"distance to target{unit}", f"{before:.2f} → {after:.2f}"))
    return [tile for tile in tiles if tile[1] != DASH]


def _notes(metrics: Mapping[str, Any]) -> list[dict[str, str]]:
    """What a reader has to know before he looks at figures: ``text``, and the ``flags`` that help."""
    fit, steer = metrics.get("fit") or {}, metrics.get("steer") or {}
    if not fit:
        return [{"text": "There is no fitted model yet.", "flags": "--resume"}]
    notes = []
    for name, stage in (("fit", fit), ("steering", steer)):
        if stage.get("interrupted"):
            notes.append({"text": f"The {name} was interrupted.", "flags": "--resume"})
    if fit.get("under_trained"):
        text = f"The model is under-trained: it saw the data {fit.get('epochs', 0):.2g} times."
        # a model that was fitted elsewhere is not gone on with here
        flags = "" if fit.get("adopted") else "--resume and more --minutes"
        notes.append({"text": text, "flags": flags})
    if steer.get("scaffold"):
        parts = " and ".join(map(str, steer["scaffold"]))
        text = f"All molecules but those without mask are drawn on from {parts}, by the fitted model too."
        notes.append({"text": text, "flags": ""})
    notes += [{"text": f"Steering: {remark}.", "flags": ""} for remark in steer.get("remarks") or ()]
    if not steer:
        notes.append({"text": "The model was not steered.", "flags": ""})
    return notes


def _options(options: Mapping[str, Any]) -> dict[str, str]:
    shown = {}
    for name, value in options.items():
        if value is None or value == []:
            continue
        shown[name.replace("_", " ")] = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return shown
