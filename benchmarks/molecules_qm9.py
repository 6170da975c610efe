"""The flagship on QM9: seeds of fit, sample, score and steer, and published samples scored the same way.

    python -m benchmarks.molecules_qm9 --data qm9.smi.gz [--peers FOLDER] [--steps 6000] [--steer-minutes 1]

Prints one table and writes all figures as JSON. Distances are RDKit's, in standard deviations of the data;
log-variance and reinforce get the wall time of the pathwise estimator, reinforce its number of graphs too.
"""

import argparse
import json
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import softdraw as sd
from softdraw.molecules import MoleculeGenerator
from softdraw.molecules.chemistry.properties import evaluate
from softdraw.molecules.data.files import read_rows
from softdraw.molecules.scoring.scores import score
from softdraw.molecules.steering.options import SteerOptions
from softdraw.molecules.steering.targets import default_target, distance

SAMPLES = 10_000
SHOWN = ("validity_unmasked", "validity", "uniqueness", "valid_unique_novel", "fcd", "sample_seconds")


def steered(fitted: Path, key: sd.Key, **options: Any) -> dict[str, float]:
    """Steer a copy of the fitted generator to the default target, and judge it by RDKit."""
    generator = MoleculeGenerator.load(fitted)
    mean, std = generator.statistics_of("logp")
    target = default_target(mean, std)

    def judged() -> tuple[float, float]:
        drawn = generator.sample(SAMPLES, key=key)
        off = distance(evaluate("logp", drawn), target, mean, std)
        return float(np.mean(off)), len(set(drawn)) / len(drawn)

    before, _ = judged()
    generator.steer(key=key, **options)
    after, unique = judged()
    summary = generator.steer_summary
    return {
        "distance_before": before,
        "distance_after": after,
        "uniqueness_after": unique,
        "seconds": summary["seconds"],
        "graphs_drawn": summary["graphs_drawn"],
        "predicted_gap": summary["predicted_gap"],
    }


def fitted(seed: int, arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Fit with one seed, unless that is done already, and score what is drawn."""
    if (folder / "generator.json").exists():
        generator = MoleculeGenerator.load(folder)
    else:
        generator = MoleculeGenerator(seed=seed)
        generator.fit(arguments.data, steps=arguments.steps, holdout=SAMPLES)
        generator.save(folder)
    key = sd.Key(seed).fold_in(100)
    generator.sample(1, key=key)  # the first call of a process imports and warms up
    began = time.perf_counter()
    drawn = generator.sample(SAMPLES, key=key)
    seconds = time.perf_counter() - began
    unmasked = generator.sample(SAMPLES, key=key.fold_in(1), mask=False)
    return {
        "seed": seed,
        **generator.fit_summary,
        **generator.score(drawn).to_dict(),
        "sample_seconds": seconds,
        "validity_unmasked": sum(map(bool, unmasked)) / SAMPLES,
        "unique_of_1540": len(set(drawn[:1540])) / 1540,
    }


ESTIMATORS = (
    "st-gumbel-softmax",
    "log-variance, equal time",
    "reinforce, equal time",
    "reinforce, equal samples",
)


def compared(seed: int, folder: Path, minutes: float) -> dict[str, dict[str, float]]:
    """Steer with the pathwise estimator, then with others for the same time and for the same draws."""
    key = sd.Key(seed).fold_in(100)
    rows = {"st-gumbel-softmax": steered(folder, key, minutes=minutes, estimator="st-gumbel-softmax")}
    rows["log-variance, equal time"] = steered(folder, key, minutes=minutes, estimator="log-variance")
    rows["reinforce, equal time"] = steered(folder, key, minutes=minutes, estimator="reinforce")
    steps = int(rows["st-gumbel-softmax"]["graphs_drawn"]) // SteerOptions().batch_size
    rows["reinforce, equal samples"] = steered(folder, key, steps=steps, estimator="reinforce")
    return rows


def peers(folder: Path, fitted: Path) -> dict[str, dict[str, Any]]:
    """Published samples of other models, scored against the same held-out molecules and whole set."""
    generator = MoleculeGenerator.load(fitted)
    rows = {}
    for path in sorted(folder.glob("*.smi.gz")):
        samples = [smiles or "" for _, smiles in read_rows(path)]
        whole = {*generator.train_smiles, *generator.validation_smiles, *generator.heldout_smiles}
        rows[path.name.removesuffix(".smi.gz")] = score(
            samples, train=generator.train_smiles, whole=whole, reference=generator.heldout_smiles
        ).to_dict()
    return rows


def spread(values: list[float]) -> str:
    """Mean and range."""
    return f"{np.mean(values):.4g} ({min(values):.4g} to {max(values):.4g})"


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--steer-minutes", type=float, default=1.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/qm9"))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    arguments.out.mkdir(parents=True, exist_ok=True)
    figures = arguments.out / "figures.json"
    results: dict[str, Any] = {"seeds": []}
    for stage in ("fit", "steer"):
        for place, seed in enumerate(arguments.seeds):
            folder = arguments.out / f"seed-{seed}"
            if stage == "fit":
                results["seeds"].append(fitted(seed, arguments, folder))
            else:
                results["seeds"][place] |= compared(seed, folder, arguments.steer_minutes)
            figures.write_text(json.dumps(results, indent=1))
            print(stage, json.dumps(results["seeds"][place]), flush=True)
    if arguments.peers:
        results["peers"] = peers(arguments.peers, arguments.out / f"seed-{arguments.seeds[0]}")
        figures.write_text(json.dumps(results, indent=1))
    for name in (*SHOWN, "epochs", "seconds", "unique_of_1540"):
        print(f"{name}: {spread([float(one[name]) for one in results['seeds']])}")
    for estimator in ESTIMATORS:
        for name in ("distance_before", "distance_after", "uniqueness_after", "graphs_drawn", "seconds"):
            print(f"{estimator}, {name}: {spread([one[estimator][name] for one in results['seeds']])}")
    for name, row in results.get("peers", {}).items():
        print(name, {k: row[k] for k in ("validity", "uniqueness", "valid_unique_novel", "fcd")})


if __name__ == "__main__":
    main()
