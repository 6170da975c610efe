"""A generator without a network, for tests of what stands around it: it draws from a list."""

import json
from pathlib import Path
from typing import ClassVar

import numpy as np

from softdraw.molecules.chemistry.properties import evaluate
from softdraw.molecules.errors import CheckpointError, OutputError
from softdraw.molecules.scoring.scores import score
from softdraw.molecules.steering.targets import default_target, targets_from

TRAIN = ["CCO", "CCN", "CCC", "C1CC1", "CC=O", "C#N", "OCCO", "CCF", "COC", "NCCN"]
HELD_OUT = ["CCCO", "CCCN"]
STEERED = ["CCCC", "CCCCC", "CCCCCC", "CC(C)C", "CCCF", "C1CCC1"]


class FakeGenerator:
    """Records its calls in ``calls``; ``interrupt`` names the stages that end as if after Ctrl-C."""

    calls: ClassVar[list] = []
    interrupt: ClassVar[set] = set()
    fail: Exception | None = None

    def __init__(self, *, seed=0, network=None):
        self.seed, self.stage = seed, "none"
        self.steer_summary, self.steer_history = {}, []

    def fit(self, data, **options):
        options.pop("say", print)("a network of the size that fits")
        if options.get("start") is None:
            options.pop("start", None)
        FakeGenerator.calls.append(("fit", data, options))
        if FakeGenerator.fail is not None:
            raise FakeGenerator.fail
        Path(options["folder"]).mkdir(parents=True, exist_ok=True)
        self.stage = "fitted"
        self.fit_summary = {
            "seconds": 1.5,
            "epochs": 2.0,
            "steps": 20,
            "loss": 12.5,
            "validation_loss": 12.75,
            "parameters": 1000,
            "under_trained": True,
            "interrupted": "fit" in FakeGenerator.interrupt,
            "budget": "20 steps",
        }
        self.fit_history = [
            {
                "step": s,
                "seconds": s / 10,
                "loss": 20.0 - s,
                "validation_loss": 20.5 - s,
                "learning_rate": 1e-3,
            }
            for s in range(1, 9)
        ]
        self.dataset_summary = {
            "description": str(data),
            "read": 12,
            "kept": 10,
            "dropped": {"duplicate": "2 (lines 3, 4)"},
            "vocabulary": ["C", "N", "O", "F"],
            "max_atoms": 4,
            "train": 8,
            "validation": 1,
            "heldout": 1,
        }
        return self

    def steer(self, targets=None, **options):
        FakeGenerator.calls.append(("steer", targets, options))
        Path(options["folder"]).mkdir(parents=True, exist_ok=True)
        logp = evaluate("logp", TRAIN)
        chosen = targets_from(targets) if targets else [default_target(logp.mean(), logp.std())]
        self.stage = "steered"
        self.steer_summary = {
            "targets": [{"property": t.property, "goal": t.goal, "weight": t.weight} for t in chosen],
            "estimator": options["estimator"],
            "combine": options.get("combine", "sum"),
            "seconds": 0.5,
            "steps": 4,
            "predicted_gap": 0.25,
            "schedule": "Exponential(start=1.0, floor=0.3)",
            "interrupted": "steer" in FakeGenerator.interrupt,
        }
        self.steer_history = [
            {
                "step": s,
                "seconds": s / 10,
                "tau": 1.0 - s / 10,
                "decided_atoms": 0.5,
                "decided_bonds": 0.75,
                "loss": 1.0,
                "distance": 2.0 - s / 5,
                "kl": s / 10,
                "uniqueness": 0.9,
                "predicted_gap": 0.3,
            }
            for s in range(6)
        ]
        return self

    @property
    def property_statistics(self):
        found = {}
        for target in self.steer_summary.get("targets", []):
            values = evaluate(target["property"], TRAIN)
            found[target["property"]] = (float(np.nanmean(values)), float(np.nanstd(values)))
        return found

    train_smiles = TRAIN
    heldout_smiles = HELD_OUT

    def sample(self, count, *, key=None, mask=True):
        FakeGenerator.calls.append(("sample", self.stage, {"count": count, "mask": mask}))
        rng = np.random.default_rng(key.seed % 2**32)
        drawn = [(STEERED if self.stage == "steered" else TRAIN)[i] for i in rng.integers(0, 6, count)]
        return drawn if mask else ["", *drawn[1:]]

    def score(self, samples, *, whole=None, fcd=True):
        FakeGenerator.calls.append(("score", self.stage, {"fcd": fcd}))
        return score(samples, train=TRAIN, reference=self.heldout_smiles, fcd=False, cache=None)

    def save(self, folder):
        if isinstance(FakeGenerator.fail, OutputError):
            raise FakeGenerator.fail
        Path(folder).mkdir(parents=True, exist_ok=True)
        kept = dict(vars(self))
        (Path(folder) / "generator.json").write_text(json.dumps(kept))

    @classmethod
    def load(cls, folder):
        try:
            kept = json.loads((Path(folder) / "generator.json").read_text())
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{folder}: cannot be read as a checkpoint ({error})") from error
        found = cls()
        vars(found).update(kept)
        return found
