"""Estimators of the steering side by side: the same fitted model, targets, molecules drawn and price.

    python -m benchmarks.steering --model runs/molecules --targets logp,qed --steps 400 --seeds 0,1,2
    python -m benchmarks.steering --model druglike --targets logp,qed --steps 200

Each run steers the model to a logP of 1.5 standard deviations above the mean of its data, or to the highest
QED, and draws 2,000 molecules: their distance (as ``targets.distance``, in standard deviations of the data),
mean of the property, uniqueness, and divergence from the fitted model in nats. ``calls`` counts molecules
whose property was computed, ``seconds`` is process time of the steering alone, labels included. A run that is
in the file of ``--out`` is not made again.
"""

import argparse
import copy
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import softdraw as sd
from benchmarks.runs import Results
from softdraw.molecules import MoleculeGenerator
from softdraw.molecules.chemistry.codec import decode_batch
from softdraw.molecules.chemistry.properties import evaluate
from softdraw.molecules.model.divergence import divergence_from
from softdraw.molecules.model.drawing import draw
from softdraw.molecules.run.starts import generator_of
from softdraw.molecules.steering.targets import Target, default_target, distance

__all__ = ["main", "measured", "table"]

DRAWN, BATCH = 2_000, 500
FIGURES = ("distance", "mean", "unique", "nats", "calls", "seconds")


def target_of(name: str, generator: MoleculeGenerator) -> Target:
    """The target that a name stands for."""
    return default_target(*generator.statistics_of("logp")) if name == "logp" else Target(name, "max")


def measured(model: str, name: str, estimator: str, steps: int, seed: int, **options: Any) -> dict[str, Any]:
    """Figures of one run."""
    generator = generator_of(model, "fitted")
    fitted, target = copy.deepcopy(generator.network), target_of(name, generator)
    generator.sample(1, key=sd.Key(1))  # the first call of a process imports and warms up
    began = time.process_time()
    generator.steer([target], steps=steps, estimator=estimator, key=sd.Key(seed), progress=False, **options)
    seconds = time.process_time() - began
    smiles: list[str] = []
    nats = []
    with torch.no_grad():
        for part in range(DRAWN // BATCH):
            drawn = draw(generator.network, BATCH, sd.Key(77).fold_in(part), mask=True)
            smiles += decode_batch(drawn.types, drawn.bonds, generator.vocabulary)
            nats.append(float(divergence_from(fitted, drawn).mean()))
    values = evaluate(target.property, smiles)
    mean, std = generator.property_statistics[target.property]
    return {
        "distance": float(np.nanmean(distance(values, target, mean, std))),
        "mean": float(np.nanmean(values)),
        "unique": len(set(smiles) - {""}) / len(smiles),
        "nats": float(np.mean(nats)),
        "calls": generator.steer_history[-1]["calls"],
        "seconds": seconds,
    }


def table(results: list[dict[str, Any]]) -> str:
    """Means over seeds, with the range where there are several."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for one in results:
        which = ("model", "target", "estimator", "steps", "options")
        groups.setdefault(tuple(str(one[name]) for name in which), []).append(one)
    lines = ["| model | target | estimator | steps | options | seeds | " + " | ".join(FIGURES) + " |"]
    lines.append("|" + " --- |" * (6 + len(FIGURES)))
    for key, found in groups.items():
        cells = [*key, str(len(found))]
        for name in FIGURES:
            values = [one[name] for one in found]
            text = f"{np.mean(values):.4g}"
            cells.append(text if len(values) == 1 else f"{text} ({min(values):.4g} to {max(values):.4g})")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> list[dict[str, Any]]:
    """Run what is missing, print the table, and return the results that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.steering", description=__doc__)
    parser.add_argument("--model", default="druglike", help="a folder, or druglike")
    parser.add_argument("--targets", default="logp,qed", help="logp, or properties for their highest value")
    parser.add_argument("--estimators", default="log-variance,reinforce")
    parser.add_argument("--steps", type=int, default=200, help="of 128 molecules (200)")
    parser.add_argument("--seeds", default="0", help="with commas between them (0)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="of steer")
    parser.add_argument("--threads", type=int, default=1, help="of torch (1)")
    parser.add_argument("--out", type=Path, default=Path("runs/steering.json"), help="file of results")
    asked = parser.parse_args(argv)
    torch.set_num_threads(asked.threads)
    options = {name: json.loads(value) for name, _, value in (one.partition("=") for one in asked.set)}
    results = Results(asked.out)
    chosen = []
    for seed in map(int, asked.seeds.split(",")):
        for name in asked.targets.split(","):
            for estimator in asked.estimators.split(","):
                run = {"model": asked.model, "target": name, "estimator": estimator, "steps": asked.steps}
                run |= {"seed": seed, "options": options, "threads": asked.threads}
                found = results.of(run)
                if found is None:
                    figures = measured(asked.model, name, estimator, asked.steps, seed, **options)
                    found = results.add(run, figures)
                    print(found, flush=True)
                chosen.append(found)
    print(table(chosen))
    return chosen


if __name__ == "__main__":
    main()
