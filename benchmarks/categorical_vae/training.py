"""One run: steps of training, checkpoints at which it is judged, and a file of what was found."""

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import softdraw as sd
from benchmarks.categorical_vae.gradients import gradient_of
from benchmarks.categorical_vae.model import CategoricalVAE, drawing, exact_bound, loss_of, sampled_bound
from benchmarks.categorical_vae.settings import LATENTS, Setting
from softdraw.files import atomic
from softdraw.schedules import Schedule

__all__ = ["Images", "run_once", "schedules", "train"]

BATCH = 100
JUDGED = 2000
"""Images of each set on which the curve is measured; the last point takes all."""
COUNTABLE = 5000
"""Up to this many states the bound is exact, and gradients are compared with enumeration."""
EXAMINED, DRAWS = 10, 400
"""Images, and draws of each, in a measurement of the gradient."""


class Images:
    """Pixels in [0, 1] as they are, ``[N, 784]``: to learn from, and to test."""

    def __init__(self, train: Tensor, test: Tensor) -> None:
        self.train, self.test = train, test

    @classmethod
    def read(cls, folder: Path) -> "Images":
        """Of a folder of idx files."""
        from benchmarks.mnist import read_images

        train, test = (read_images(folder, part).flatten(1).float() / 255 for part in ("train", "t10k"))
        return cls(train, test)


def train(
    setting: Setting, images: Images, seed: int, steps: int, *, points: int = 8, tau: Schedule | None = None
) -> dict[str, Any]:
    """Train and judge.

    Args:
        setting: of the run.
        images: the data.
        seed: of weights, batches and draws.
        steps: of ``BATCH`` images.
        points: of the curve, evenly spaced, after the one before training.
        tau: a schedule in the place of the setting's temperature; it is stepped.

    Returns:
        ``curve``: entries of step, seconds (of this process, training alone), -ELBO in nats of training and
        test images, temperature, and the gradient's bias, variance and cosine.
    """
    torch.manual_seed(seed)
    model = CategoricalVAE(LATENTS[setting.latents])
    draw = drawing(setting.estimator, setting.tau if tau is None else tau)
    optimizer = setting.make_optimizer(list(model.parameters()))
    marks = {round(steps * point / points) for point in range(points + 1)}
    order = torch.Generator().manual_seed(seed)
    curve, seconds, queue = [], 0.0, torch.empty(0, dtype=torch.long)
    for step in range(steps + 1):
        if step in marks:
            entry: dict[str, Any] = {"step": step, "seconds": round(seconds, 2)}
            entry |= _judged(model, draw, images, whole=step == steps)
            entry["tau"] = setting.tau if tau is None else float(tau.tau)
            curve.append(entry)
        if step == steps:
            break
        began = time.process_time()
        if len(queue) < BATCH:
            queue = torch.randperm(len(images.train), generator=order)
        chosen, queue = queue[:BATCH], queue[BATCH:]
        loss = loss_of(model, draw, images.train[chosen]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if tau is not None:
            tau.step()
        seconds += time.process_time() - began
    return {
        "setting": asdict(setting),
        "seed": seed,
        "steps": steps,
        "curve": curve,
        "torch": torch.__version__,
    }


def run_once(path: Path, wanted: Mapping[str, Any], make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What the file at ``path`` holds if it is of this run, else what ``make`` gives, written there whole."""
    if path.exists():
        found: dict[str, Any] = json.loads(path.read_text())
        if all(found.get(name) == value for name, value in wanted.items()):
            return found
    result: dict[str, Any] = {**make(), **wanted}
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as file:
        file.write(json.dumps(result, indent=1).encode())
    return result


def _judged(model: CategoricalVAE, draw: Any, images: Images, *, whole: bool) -> dict[str, float]:
    train, test = (part if whole else part[:JUDGED] for part in (images.train, images.test))
    if model.latents.states > COUNTABLE:
        return {"train": sampled_bound(model, train, 0), "test": sampled_bound(model, test, 1)}
    found = {"train": exact_bound(model, train), "test": exact_bound(model, test)}
    measured = asdict(gradient_of(model, draw, images.test[:EXAMINED], DRAWS, seed=0))
    return {**found, **measured}


def schedules(steps: int) -> dict[str, Callable[[], Schedule]]:
    """Temperatures that move over a run of so many steps, by name.

    The first is Jang et al. 2017's, from 1 down to 0.5, at a rate that gets there after two thirds of the run
    (theirs takes 23,000 steps). The second watches the gradient.
    """
    window = max(1, steps // 60)
    rate = 1.5 * math.log(2) / steps
    return {
        "exponential": lambda: sd.schedules.Exponential(start=1.0, floor=0.5, rate=rate, every=window),
        "adaptive": lambda: sd.schedules.Adaptive(start=2.0, floor=0.1, factor=0.9, every=window),
    }
