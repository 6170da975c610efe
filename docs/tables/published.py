"""Write the tables of docs/published.md from docs/tables/published.json, or gather that file from runs.

python docs/tables/published.py
python docs/tables/published.py --gather runs/categorical_vae runs/structured_prediction
"""

import argparse
import json
import math
import re
import statistics
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent.parent / "published.md"
RESULTS = Path(__file__).with_suffix(".json")
#: of Jang et al. 2017, table 1, as read in a copy of its full text
JANG = {"score function": 73.1, "st": 61.8, "gumbel-softmax": 59.0, "st-gumbel-softmax": 59.7}
#: the estimator whose temperature was swept, and the temperature that the sweep of ReinMax_ASC chose
SWEPT, TUNED = "st-gumbel-softmax", 0.5
LABELS = {
    "exponential": "Jang's, 1 to 0.5",
    "adaptive": "`Adaptive(2.0, 0.1)`",
    "adaptive-half": "`Adaptive(2.0, 0.1, max_dead=0.5, max_variance=None)`",
}
Run = dict[str, Any]


def gather(folders: list[Path]) -> list[Run]:
    """What the files of runs hold, short; of a run that is there twice, that of the last folder.

    That of a sweep at the tuned temperature is left out: it is the same run as without ``--temperatures``.
    """
    found: dict[tuple[str, ...], Run] = {}
    for path in [file for folder in folders for file in sorted(folder.rglob("*.json"))]:
        run = json.loads(path.read_text())
        if run.get("name") == f"{SWEPT} tau {TUNED:g}":
            continue
        keep: Run = {"what": "halves", "name": run.get("method", run.get("name"))}
        keep |= {key: run[key] for key in ("seed", "steps")}
        if "curve" in run:
            keep["what"] = run["setting"]["latents"]
            keep["curve"] = [{key: _short(value) for key, value in entry.items()} for entry in run["curve"]]
        else:
            keep |= {key: _short(run[key]) for key in ("test", "seconds")}
        found[tuple(str(keep[key]) for key in ("what", "name", "steps", "seed"))] = keep
    return list(found.values())


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")


def read() -> list[Run]:
    """The results."""
    runs: list[Run] = json.loads(RESULTS.read_text())
    return runs


def rows_of(runs: list[Run], what: str) -> dict[str, list[Run]]:
    """Runs of one kind at the tuned temperature, by name."""
    rows: dict[str, list[Run]] = {}
    for run in runs:
        if run["what"] == what and not run["name"].startswith(f"{SWEPT} "):
            rows.setdefault(run["name"], []).append(run)
    return rows


def temperatures(runs: list[Run]) -> dict[str, list[Run]]:
    """Runs of the estimator whose temperature was swept, by temperature: fixed ones first."""
    rows: dict[str, list[Run]] = {}
    for run in runs:
        if run["what"] == "8x4" and run["name"] == SWEPT:
            rows.setdefault(f"tau {TUNED:g}", []).append(run)
        elif run["what"] == "8x4" and run["name"].startswith(f"{SWEPT} "):
            rows.setdefault(run["name"].removeprefix(f"{SWEPT} "), []).append(run)
    return dict(sorted(rows.items(), key=lambda row: (not row[0].startswith("tau "), row[0])))


def spread(values: list[float], digits: int = 1) -> str:
    """Mean and range."""
    mean = format(statistics.mean(values), f".{digits}f")
    if len(values) == 1:
        return mean
    return f"{mean} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def _vae(runs: list[Run], what: str) -> list[list[str]]:
    """Best of the test images first."""
    table = [["estimator", "-ELBO, train", "-ELBO, test", "seeds", "CPU ms a step"]]
    rows = []
    for name, of_name in rows_of(runs, what).items():
        last = [run["curve"][-1] for run in of_name]
        cost = statistics.mean(1000 * one["seconds"] / one["step"] for one in last)
        cells = [f"`{name}`", *(spread([one[part] for one in last]) for part in ("train", "test"))]
        rows.append((statistics.mean(one["test"] for one in last), [*cells, str(len(last)), f"{cost:.0f}"]))
    return table + [cells for _, cells in sorted(rows, key=lambda row: row[0])]


def _gradients(runs: list[Run]) -> list[list[str]]:
    """Means over seeds and the points of the second half of the run."""
    table = [["estimator", "squared bias", "variance", "cosine"]]
    rows = []
    for name, of_name in rows_of(runs, "8x4").items():
        late = [entry for run in of_name for entry in run["curve"][len(run["curve"]) // 2 :]]
        means = [statistics.mean(entry[key] for entry in late) for key in ("bias", "variance", "cosine")]
        rows.append((means[0], [f"`{name}`", f"{means[0]:.2f}", f"{means[1]:.1f}", f"{means[2]:.2f}"]))
    return table + [cells for _, cells in sorted(rows)]


def _annealing(runs: list[Run]) -> list[list[str]]:
    table = [["temperature", "-ELBO, train", "-ELBO, test", "seeds", "tau at the end"]]
    for name, of_name in temperatures(runs).items():
        last = [run["curve"][-1] for run in of_name]
        bounds = [spread([one[part] for one in last]) for part in ("train", "test")]
        end = spread([one["tau"] for one in last], 2)
        table.append([LABELS.get(name, name.replace("tau ", "fixed at ")), *bounds, str(len(last)), end])
    return table


def _halves(runs: list[Run]) -> list[list[str]]:
    """Best after most steps first; a column for each length of run."""
    rows = rows_of(runs, "halves")
    lengths = sorted({run["steps"] for of_name in rows.values() for run in of_name})
    nats = {
        name: [[run["test"] for run in of_name if run["steps"] == steps] for steps in lengths]
        for name, of_name in rows.items()
    }
    shown = [f"{steps:,} steps" for steps in lengths]
    table = [["method", *shown, "CPU ms a step", "published"]]
    for name in sorted(rows, key=lambda name: statistics.mean(nats[name][-1] or [math.inf])):
        cost = statistics.mean(1000 * run["seconds"] / run["steps"] for run in rows[name])
        label = name if " " in name else f"`{name}`"
        cells = [spread(values) if values else "" for values in nats[name]]
        table.append([label, *cells, f"{cost:.0f}", str(JANG.get(name, ""))])
    return table


def tables(runs: list[Run]) -> dict[str, str]:
    """Every table that has rows, in Markdown, by the name in its marker."""
    made = {name: _vae(runs, name) for name in ("8x4", "2x12", "4x24")}
    made |= {"gradients": _gradients(runs), "annealing": _annealing(runs), "halves": _halves(runs)}
    return {name: _markdown(rows) for name, rows in made.items() if len(rows) > 1}


def _markdown(rows: list[list[str]]) -> str:
    lines = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "".join(f"| {' | '.join(cells)} |\n".replace("|  ", "| ") for cells in lines)


def written(page: str, runs: list[Run]) -> str:
    """The page with the tables under their markers in the place of those that it has."""
    for name, table in tables(runs).items():
        marker = f"<!-- table: {name} -->\n"
        page = re.sub(rf"{marker}\n(\|.*\n)*", lambda _, new=f"{marker}\n{table}": new, page)
    return page


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gather", nargs="+", type=Path, help="folders of the runs' files")
    options = parser.parse_args()
    if options.gather:
        lines = ",\n".join(json.dumps(run) for run in gather(options.gather))
        RESULTS.write_text(f"[\n{lines}\n]\n")
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), read()), encoding="utf-8")
