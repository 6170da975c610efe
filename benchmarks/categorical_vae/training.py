"""One run: steps of training, and the points at which it is judged."""

import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import softdraw as sd
from benchmarks.categorical_vae.gradients import gradient_of
from benchmarks.categorical_vae.model import CategoricalVAE, drawing, exact_bound, loss_of, sampled_bound
from benchmarks.categorical_vae.settings import LATENTS, Setting
from benchmarks.runs import keep, kept
from softdraw.schedules import Schedule

__all__ = ["Images", "schedules", "train"]

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
    setting: Setting,
    images: Images,
    seed: int,
    steps: int,
    *,
    points: int = 8,
    tau: Schedule | None = None,
    halfway: Path | None = None,
) -> dict[str, Any]:
    """Train and judge.

    Args:
        setting: of the run.
        images: the data.
        seed: of weights, batches and draws.
        steps: of ``BATCH`` images.
        points: of the curve, evenly spaced, after the one before training.
        tau: a schedule in the place of the setting's temperature; it is stepped.
        halfway: a file; every point of the curve is kept there with all that it takes to go on, and a run
            that finds its own there goes on from it.

    Returns:
        ``curve``: entries of step, seconds (of this process, training alone), -ELBO in nats of training and
        test images, temperature, and the gradient's bias, variance and cosine; with an ``Adaptive`` the
            share of dead rows in its last window.
    """
    run = {"setting": asdict(setting), "seed": seed, "steps": steps}
    torch.manual_seed(seed)
    model = CategoricalVAE(LATENTS[setting.latents])
    draw = drawing(setting.estimator, setting.tau if tau is None else tau)
    parts: dict[str, Any] = {
        "model": model,
        "optimizer": setting.make_optimizer(list(model.parameters())),
        **({} if tau is None else {"tau": tau}),
    }
    order = torch.Generator().manual_seed(seed)
    now: dict[str, Any] = {"step": 0, "curve": [], "seconds": 0.0, "queue": torch.empty(0, dtype=torch.long)}
    if (state := kept(halfway, run)) is not None:
        for name, part in parts.items():
            part.load_state_dict(state[name])
        order.set_state(state["order"])
        torch.set_rng_state(state["noise"])
        now = {name: state[name] for name in now}
    marks = sorted({round(steps * point / points) for point in range(points + 1)})
    for mark in marks[len(now["curve"]) :]:
        began = time.process_time()
        while now["step"] < mark:
            if len(now["queue"]) < BATCH:
                now["queue"] = torch.randperm(len(images.train), generator=order)
            chosen, now["queue"] = now["queue"][:BATCH], now["queue"][BATCH:]
            loss = loss_of(model, draw, images.train[chosen]).mean()
            parts["optimizer"].zero_grad()
            loss.backward()
            parts["optimizer"].step()
            if tau is not None:
                tau.step()
            now["step"] += 1
        now["seconds"] += time.process_time() - began
        entry: dict[str, Any] = {"step": mark, "seconds": round(now["seconds"], 2)}
        entry["tau"] = setting.tau if tau is None else float(tau.tau)
        if isinstance(tau, sd.schedules.Adaptive) and tau.measured is not None:
            entry["dead"] = tau.measured.dead
        # at a number, not the schedule: one that watches gradients is not to see those of the measurement
        entry |= _judged(model, drawing(setting.estimator, entry["tau"]), images, whole=mark == steps)
        now["curve"].append(entry)
        if halfway is not None:
            states = {name: part.state_dict() for name, part in parts.items()}
            keep(
                halfway, {**run, **now, **states, "order": order.get_state(), "noise": torch.get_rng_state()}
            )
    return {**run, "curve": now["curve"], "torch": torch.__version__}


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
    (theirs takes 23,000 steps). The others watch the gradient, in 60 windows: with the limits that
    ``Adaptive`` has by itself, and with one alone, that half of the rows may be dead.
    """
    window = max(1, steps // 60)
    rate = 1.5 * math.log(2) / steps
    watching = {"start": 2.0, "floor": 0.1, "factor": 0.9, "every": window}
    return {
        "exponential": lambda: sd.schedules.Exponential(start=1.0, floor=0.5, rate=rate, every=window),
        "adaptive": lambda: sd.schedules.Adaptive(**watching),
        "adaptive-half": lambda: sd.schedules.Adaptive(**watching, max_dead=0.5, max_variance=None),
    }
