"""Goal-directed generation: tasks of GuacaMol and PMO by a budget of evaluations, as PMO measures it.

    python -m benchmarks.goal_directed --model runs/zinc --tasks pmo --calls 10000 --seeds 0,1,2
    python -m benchmarks.goal_directed --method graph-ga --data zinc250k.smi.gz --tasks median1 --calls 3000

Each task and seed is a process of its own, one after another, and is in the file of ``--out`` once it has
ended: what is there is not run again, and a run by softdraw that was cut off goes on where it was.

``softdraw`` steers the model. ``graph-ga`` crosses and mutates the best molecules so far, from 100 random
ones of ``--data``, with this package's operators and the settings of Tripp and Hernández-Lobato 2023
(arXiv:2310.09267). ``random`` evaluates random molecules of ``--data``. AUC top-10 is the area under the mean
of the ten best so far against calls, divided by the budget; diversity is one less the mean similarity of two
of the 100 best. What was published, means of five seeds (Gao et al. 2022, arXiv:2206.12411), is shown at
10,000 calls.
"""

import argparse
import json
import shutil
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rdkit import Chem

import softdraw as sd
from benchmarks.runs import Results
from softdraw.molecules.chemistry.properties import property_of
from softdraw.molecules.data.files import read_rows
from softdraw.molecules.evaluating.evaluations import read_evaluations
from softdraw.molecules.evaluating.evaluator import Evaluator
from softdraw.molecules.proposing.offspring import offspring
from softdraw.molecules.run.starts import generator_of
from softdraw.molecules.scoring.fingerprints import internal_diversity, pack_fingerprints
from softdraw.molecules.steering.presets import OPTIMIZE
from softdraw.molecules.steering.progress import auc_top, best_so_far
from softdraw.molecules.tasks.suite import SUITES

__all__ = ["METHODS", "PUBLISHED", "main", "measured", "table"]

PUBLISHED = {
    "albuterol_similarity": (0.882, 0.838),
    "amlodipine_mpo": (0.635, 0.661),
    "celecoxib_rediscovery": (0.713, 0.630),
    "deco_hop": (0.666, 0.619),
    "fexofenadine_mpo": (0.784, 0.760),
    "isomers_c7h8n2o2_prev": (0.852, 0.862),
    "isomers_c9h10n2o2pf2cl_prev": (0.642, 0.719),
    "median1": (0.356, 0.294),
    "median2": (0.276, 0.273),
    "mestranol_similarity": (0.618, 0.579),
    "osimertinib_mpo": (0.837, 0.831),
    "perindopril_mpo": (0.537, 0.538),
    "qed": (0.941, 0.940),
    "ranolazine_mpo": (0.760, 0.728),
    "scaffold_hop": (0.560, 0.517),
    "sitagliptin_mpo_prev": (0.021, 0.433),
    "thiothixene_rediscovery": (0.534, 0.479),
    "troglitazone_rediscovery": (0.441, 0.390),
    "valsartan_smarts": (0.178, 0.000),
    "zaleplon_mpo_prev": (0.358, 0.346),
}
"""AUC top-10 of REINVENT and of Graph GA, each under the objective that it was measured with."""
PUBLISHED_CALLS = 10_000
FIRST, CHILDREN = 100, 10
"""Random molecules that graph-ga begins with, and those of a generation."""
FIGURES = ("auc_top10", "top1", "top10", "top100", "diversity", "seconds")
Evaluated = list[tuple[str, float]]
"""Molecules and their scores in the order of their calls."""


def steered(asked: argparse.Namespace, task: str, seed: int, folder: Path) -> tuple[Evaluated, float]:
    """By softdraw; a run that was cut off goes on from what lies in the folder."""
    generator = generator_of(asked.model, "fitted")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        generator.steer(
            {task: "max"},
            calls=asked.calls,
            key=sd.Key(seed),
            folder=folder,
            resume=True,
            progress=False,
            **options_of(asked),
        )
    _, rows = read_evaluations(folder)
    return [(smiles, row.values[0]) for smiles, row in rows.items()], generator.steer_summary["seconds"]


def random(asked: argparse.Namespace, task: str, seed: int, folder: Path) -> tuple[Evaluated, float]:
    """Random molecules of the data."""
    began = time.monotonic()
    return scored(task, list(pool(asked.data, seed, asked.calls))), time.monotonic() - began


def bred(asked: argparse.Namespace, task: str, seed: int, folder: Path) -> tuple[Evaluated, float]:
    """By a genetic algorithm on graphs."""
    began = time.monotonic()
    rng = np.random.default_rng(seed)
    found = dict(scored(task, list(pool(asked.data, seed, min(FIRST, asked.calls)))))
    while len(found) < asked.calls:
        wanted = min(CHILDREN, asked.calls - len(found))
        children = offspring(list(found), list(found.values()), wanted, rng)
        if not children:
            break
        found |= dict(scored(task, children))
    return list(found.items()), time.monotonic() - began


METHODS: dict[str, Callable[[argparse.Namespace, str, int, Path], tuple[Evaluated, float]]] = {
    "softdraw": steered,
    "graph-ga": bred,
    "random": random,
}


def pool(data: Path, seed: int, count: int) -> Iterator[str]:
    """Different molecules of a file at random, as canonical SMILES."""
    rows = [smiles for _, smiles in read_rows(data) if smiles]
    seen: set[str] = set()
    for place in np.random.default_rng(seed).permutation(len(rows)):
        mol = Chem.MolFromSmiles(rows[place])
        smiles = "" if mol is None else Chem.MolToSmiles(mol, isomericSmiles=False)
        if smiles and smiles not in seen:
            seen.add(smiles)
            yield smiles
        if len(seen) == count:
            return


def scored(task: str, smiles: list[str]) -> Evaluated:
    """Scores of molecules, NaN where there is none."""
    found = [(place, row[0][0]) for place, row in Evaluator([task])(smiles)]
    return [(smiles[place], value) for place, value in found]


def measured(found: Evaluated, calls: int) -> dict[str, Any]:
    """Figures of a run.

    Args:
        found: what was evaluated, in order.
        calls: that were allowed.
    """
    scores = [value for _, value in found][:calls]
    best = best_so_far(scores, [1, 10, 100])
    ranked = sorted((pair for pair in found[:calls] if np.isfinite(pair[1])), key=lambda pair: -pair[1])[:100]
    alike = 1 - internal_diversity(pack_fingerprints(Chem.MolFromSmiles(one) for one, _ in ranked))[0]
    pairs = max(1, len(ranked) - 1)
    return {
        "auc_top10": auc_top(scores, calls),
        **{f"top{top}": best[str(top)][-1] for top in (1, 10, 100)},
        # without the similarity of a molecule to itself
        "diversity": 1 - (alike * len(ranked) - 1) / pairs,
        "evaluated": len(scores),
        "best": [[smiles, round(value, 6)] for smiles, value in ranked[:10]],
    }


def options_of(asked: argparse.Namespace) -> dict[str, Any]:
    """Options of the steering."""
    return {**OPTIMIZE, **dict(map(_option, asked.set))}


def _option(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def identity(asked: argparse.Namespace, task: str, seed: int) -> dict[str, Any]:
    """What tells a run from others."""
    mine = asked.method == "softdraw"
    return {
        "method": asked.method,
        "task": task,
        "calls": asked.calls,
        "seed": seed,
        "from": str(asked.model if mine else asked.data),
        "options": options_of(asked) if mine else {},
    }


def one(asked: argparse.Namespace, task: str, seed: int, folder: Path) -> dict[str, Any]:
    """A run, in a process of its own."""
    torch.set_num_threads(asked.threads)
    cpu = time.process_time()
    found, seconds = METHODS[asked.method](asked, task, seed, folder)
    figures = measured(found, asked.calls)
    return {**figures, "seconds": round(seconds, 1), "cpu_seconds": round(time.process_time() - cpu, 1)}


def table(results: list[dict[str, Any]]) -> str:
    """Means over the seeds of each method and task, the range of AUC top-10, and what was published."""
    head = ["method", "task", "seeds", *FIGURES, "REINVENT", "Graph GA"]
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for result in results:
        groups.setdefault((result["method"], result["task"]), []).append(result)
    means = []
    for (method, task), runs in groups.items():
        mean = {name: float(np.mean([run[name] for run in runs])) for name in FIGURES}
        means.append(mean["auc_top10"])
        area = [run["auc_top10"] for run in runs]
        over = f" ({min(area):.3f} to {max(area):.3f})" if len(runs) > 1 else ""
        cells = [f"{mean[name]:.3f}" + over * (name == "auc_top10") for name in FIGURES[:-1]]
        shown = PUBLISHED.get(task, ()) if runs[0]["calls"] == PUBLISHED_CALLS else ()
        known = [f"{value:.3f}" for value in shown] or ["", ""]
        cells = [method, task, str(len(runs)), *cells, f"{mean['seconds']:.0f}", *known]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, f"mean AUC top-10 of the {len(means)} lines: {np.mean(means):.4f}"])


def main(argv: list[str] | None = None) -> list[dict[str, Any]]:
    """Run what is missing, print the table, and return the results that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.goal_directed", description=__doc__)
    parser.add_argument("--method", choices=list(METHODS), default="softdraw")
    parser.add_argument("--model", default="druglike", help="of softdraw: a folder, or druglike")
    parser.add_argument("--data", type=Path, help="of the other methods: a file of molecules")
    parser.add_argument("--tasks", default="pmo", help="names with commas between them, or a suite (pmo)")
    parser.add_argument("--calls", type=int, default=10_000, help="evaluations (10000)")
    parser.add_argument("--seeds", default="0", help="with commas between them (0)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="of steer")
    parser.add_argument("--threads", type=int, default=1, help="of torch (1)")
    parser.add_argument("--out", type=Path, default=Path("runs/goal_directed.json"), help="file of results")
    asked = parser.parse_args(argv)
    if asked.method != "softdraw" and asked.data is None:
        parser.error(f"--data: expected a file of molecules for {asked.method}")
    tasks = list(SUITES.get(asked.tasks, asked.tasks.split(",")))
    for task in tasks:
        property_of(task)
    results = Results(asked.out)
    wanted = [identity(asked, task, int(seed)) for task in tasks for seed in asked.seeds.split(",")]
    for run in wanted:
        if results.of(run):
            continue
        folder = asked.out.with_name(f"{asked.out.stem}-runs") / f"{run['task']}-{run['calls']}-{run['seed']}"
        folder.mkdir(parents=True, exist_ok=True)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            found = process.submit(one, asked, run["task"], run["seed"], folder).result()
        kept = results.add(run, found)
        shutil.rmtree(folder)
        print({name: kept[name] for name in ("task", "seed", *FIGURES)}, flush=True)
    chosen = [found for run in wanted if (found := results.of(run))]
    print(table(chosen))
    return chosen


if __name__ == "__main__":
    main()
