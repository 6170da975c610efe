"""The prior that the package brings along: fitted to MOSES, exported, and scored by MOSES's protocol.

    python -m benchmarks.druglike --data ../shared/data/moses --minutes 60 --out runs/druglike

Fits the large network to the training set, or takes a fit that lies in the folder; writes the prior, and
prints its scores as JSON: shares of 10,000 samples without mask, the Fréchet ChemNet distance to 10,000 test
molecules and, with --all, of 30,000 samples to the whole test set. Training molecules, scored in the same
way, are the floor of each distance. ``--install`` copies the prior into the package.
"""

import argparse
import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np

import softdraw as sd
from softdraw.molecules import MoleculeGenerator
from softdraw.molecules.chemistry.properties import PROPERTIES
from softdraw.molecules.data.files import read_rows
from softdraw.molecules.priors.shipped import HOME, Prior, write_prior
from softdraw.molecules.scoring.frechet import ActivationStatistics, frechet_distance, reference_statistics

NAME = "druglike"


def fitted(arguments: argparse.Namespace) -> MoleculeGenerator:
    """The generator: read where it lies, else fitted, going on from a checkpoint."""
    folder = arguments.out / "fitted"
    if (folder / "generator.json").exists():
        return MoleculeGenerator.load(folder)
    generator = MoleculeGenerator(network=arguments.network, seed=arguments.seed)
    generator.fit(
        arguments.data / "train.csv.gz",
        minutes=arguments.minutes,
        folder=arguments.out / "fit",
        resume=True,
        say=print,
    )
    generator.save(folder)
    return generator


def export(generator: MoleculeGenerator, folder: Path) -> None:
    """Write the prior: weights and what is known of the data, without the data."""
    for record in PROPERTIES.values():
        generator.statistics_of(record.name)
    keep = ("budget", "seconds", "epochs", "steps", "batch_size", "learning_rate", "augment", "network")
    keep += ("plan", "parameters", "validation_loss", "loss", "under_trained", "interrupted", "stopped_early")
    data = {
        **generator.dataset_summary,
        "description": "MOSES (its molecules are not shipped: 10,000 that the prior draws stand for them)",
    }
    fit = {name: generator.fit_summary[name] for name in keep}
    prior = Prior(generator.network, generator.vocabulary, data, fit, generator.property_statistics)
    write_prior(folder, prior)


def drawn(generator: MoleculeGenerator, count: int, *, mask: bool) -> tuple[list[str], float]:
    """Molecules, and the seconds of drawing and decoding them."""
    generator.sample(1, key=sd.Key(1))  # the first call of a process imports and warms up
    began = time.perf_counter()
    smiles = generator.sample(count, key=sd.Key(2024), mask=mask)
    return smiles, time.perf_counter() - began


def distances(samples: list[str], train: list[str], test: list[str]) -> dict[str, float]:
    """Fréchet distance of samples to the test molecules, and of as many training molecules."""
    rng = np.random.default_rng(0)
    reference = reference_statistics(test, "user")
    floor = [train[place] for place in rng.choice(len(train), len(samples), replace=False)]
    return {
        "fcd": frechet_distance(ActivationStatistics.of(samples), reference),
        "floor": frechet_distance(ActivationStatistics.of(floor), reference),
    }


def scores(generator: MoleculeGenerator, arguments: argparse.Namespace) -> dict[str, Any]:
    """The figures of the table in docs/molecules-model.md."""
    free, seconds = drawn(generator, 10_000, mask=False)
    valid = [one for one in free if one]
    train = [one for _, one in read_rows(arguments.data / "train.csv.gz") if one]
    test = [one for _, one in read_rows(arguments.data / "test.csv.gz") if one]
    known = {*generator.train_smiles, *generator.validation_smiles, *generator.heldout_smiles}
    rng = np.random.default_rng(1)
    some = [test[place] for place in rng.choice(len(test), 10_000, replace=False)]
    found: dict[str, Any] = {
        "validity_unmasked": len(valid) / len(free),
        "uniqueness": len(set(valid)) / len(valid),
        "new": len(set(valid) - known) / len(set(valid)),
        "sample_seconds": seconds,
        "10,000 against 10,000": distances(valid, train, some),
    }
    print(json.dumps(found, indent=1), flush=True)
    if arguments.all:
        many, _ = drawn(generator, 30_000, mask=False)
        found["30,000 against all of test"] = distances([one for one in many if one], train, test)
    return found


def main() -> None:
    """Fit, export, score."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of MOSES: train.csv.gz, test.csv.gz")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--network", default="large")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--all", action="store_true", help="also 30,000 samples against all of test")
    parser.add_argument("--install", action="store_true", help="copy the prior into the package")
    parser.add_argument("--no-scores", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("runs/druglike"))
    arguments = parser.parse_args()
    generator = fitted(arguments)
    print(json.dumps(generator.fit_summary, indent=1), flush=True)
    export(generator, arguments.out / NAME)
    if arguments.install:
        for file in (arguments.out / NAME).iterdir():
            shutil.copy(file, HOME / NAME / file.name)
    if not arguments.no_scores:
        figures = scores(generator, arguments)
        (arguments.out / "figures.json").write_text(json.dumps(figures, indent=1))
        print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
