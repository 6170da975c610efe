"""Train, judge, print the table; every run is a file, so that a killed benchmark goes on where it was.

python -m benchmarks.categorical_vae --data ../shared/data/mnist --latents 8x4 --steps 6000 --out runs/vae
python -m benchmarks.categorical_vae --data mnist --estimators st-gumbel-softmax --temperatures 0.3 0.5 1 2
python -m benchmarks.categorical_vae --data mnist --estimators st-gumbel-softmax --schedules adaptive
"""

import argparse
import statistics
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.categorical_vae.settings import ESTIMATORS, LATENTS, PACKAGE, Setting, serves, setting_of
from benchmarks.categorical_vae.training import Images, schedules, train
from benchmarks.mnist import find_folder
from benchmarks.runs import run_once
from softdraw.schedules import Schedule

SCHEDULES = list(schedules(1))


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="folder of the idx files, or mnist to download them")
    parser.add_argument("--latents", choices=LATENTS, default="8x4", help="classes x variables")
    parser.add_argument("--estimators", nargs="+", help="by default all that serve these latents")
    parser.add_argument("--steps", type=int, default=6000, help="of 100 images; the paper takes 96000")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each row, seeds from 0 on")
    parser.add_argument("--points", type=int, default=8, help="of each curve, after the one before training")
    parser.add_argument(
        "--temperatures",
        nargs="+",
        type=float,
        help="fixed ones, in place of that to which an estimator was tuned",
    )
    parser.add_argument("--schedules", nargs="+", choices=SCHEDULES, help="moving ones, in its place")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/categorical_vae"), help="folder of the files of runs"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    images = Images.read(find_folder(options.data))
    rows: dict[str, list[dict[str, Any]]] = {}
    for name, setting, tau in _wanted(options):
        for seed in range(options.seeds):
            path = options.out / options.latents / f"{name}-{options.steps}-{seed}.json".replace(" ", "_")
            wanted = {"setting": asdict(setting), "seed": seed, "steps": options.steps, "name": name}

            def make(
                halfway: Path, setting: Setting = setting, seed: int = seed, tau: Any = tau
            ) -> dict[str, Any]:
                more = {"points": options.points, "tau": tau and tau(), "halfway": halfway}
                return train(setting, images, seed, options.steps, **more)

            found = run_once(path, wanted, make)
            rows.setdefault(name, []).append(found)
            last = found["curve"][-1]
            print(f"{name} seed {seed}: train {last['train']:.2f}, test {last['test']:.2f}", flush=True)
    print_table(rows)


def _wanted(options: argparse.Namespace) -> Iterable[tuple[str, Setting, Callable[[], Schedule] | None]]:
    names = options.estimators or [name for name in (*ESTIMATORS, PACKAGE) if serves(name, options.latents)]
    for name in names:
        setting = setting_of(options.latents, name)
        if not (options.temperatures or options.schedules):
            yield name, setting, None
        for tau in options.temperatures or ():
            yield f"{name} tau {tau:g}", replace(setting, tau=tau), None
        for label in options.schedules or ():
            yield f"{name} {label}", replace(setting, tau=None), schedules(options.steps)[label]


def print_table(rows: dict[str, list[dict[str, Any]]]) -> None:
    """Mean and range over the seeds at the last step, and what a step took."""
    print(f"{'':34} {'train':>24} {'test':>24} {'ms a step':>10} {'tau':>6} {'bias':>7} {'variance':>9}")
    for name, runs in rows.items():
        last = [run["curve"][-1] for run in runs]
        figures = "".join(f" {_spread([one[part] for one in last]):>24}" for part in ("train", "test"))
        cost = statistics.mean(1000 * one["seconds"] / one["step"] for one in last)
        tau = last[0]["tau"]
        known = [one for one in last if "bias" in one]
        more = "".join(
            f" {statistics.mean(one[what] for one in known):>8.3f}" for what in ("bias", "variance") if known
        )
        print(f"{name:34}{figures} {cost:10.1f} {'' if tau is None else format(tau, '6.2f'):>6}{more}")


def _spread(values: list[float]) -> str:
    return f"{statistics.mean(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
