"""Learn to draw molecules in one shot from a critic, and score what was drawn."""

import argparse
import time
from dataclasses import asdict, fields
from pathlib import Path

import torch

import softdraw as sd
from softdraw.molecules.runtime.interrupts import StopOnInterrupt

from .graphs import Molecules
from .runs import CHECKPOINT, PICTURES, SCORES, load_game, save_game, shares, write_results
from .training import Game, Settings

BETWEEN = 30.0  # seconds between two lines, each after a checkpoint


def main(argv: list[str] | None = None) -> dict[str, object]:
    parser = argparse.ArgumentParser(prog="python -m examples.adversarial_molecules", description=__doc__)
    parser.add_argument(
        "--data", default="chemicals", help="a file of SMILES, 'qm9', or 'chemicals', which needs none"
    )
    parser.add_argument("--estimator", default="reinmax", help=", ".join(sd.estimators.names()))
    parser.add_argument("--out", type=Path, default=Path("adversarial"), help="folder of the run")
    parser.add_argument("--minutes", type=float, default=1.0, help="of training")
    parser.add_argument(
        "--steps", type=int, help="instead of minutes: the run is then a function of its seed"
    )
    parser.add_argument("--atoms", type=int, default=9, help="heavy atoms of the largest molecule")
    parser.add_argument("--elements", default="C,N,O,F", help="allowed")
    parser.add_argument("--samples", type=int, default=10_000, help="molecules drawn in the end")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", default="user", help="folder for encoded molecules")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="of training.Settings")
    args = parser.parse_args(argv)
    chosen = {"estimator": args.estimator, "seed": args.seed}
    for name, value in (one.split("=", 1) for one in args.set):
        kinds = [field.name for field in fields(Settings)]
        if name not in kinds:
            parser.error(f"--set: got {name!r}, expected one of {', '.join(kinds)}")
        chosen[name] = type(getattr(Settings(), name))(value)
    torch.set_num_threads(1)  # the networks are small: a second thread would cost more than it does
    molecules = Molecules(args.data, args.atoms, elements=args.elements.split(","), cache=args.cache)
    print(molecules.account, flush=True)
    game = Game(molecules, Settings(**chosen))
    args.out.mkdir(parents=True, exist_ok=True)
    spent = {"seconds": 0.0, "cpu_seconds": 0.0}
    if (args.out / CHECKPOINT).exists():
        spent = load_game(args.out, game)
        print(f"goes on from step {game.steps:,} of {args.out / CHECKPOINT}", flush=True)
    train(game, spent, args)
    rows = game.average.draw(game.layout, args.samples, sd.Key(args.seed).fold_in(-1))
    about = {"settings": asdict(game.settings), "steps": game.steps, **spent}
    result = write_results(args.out, molecules, game.layout.smiles(rows), about)
    print(
        f"{args.samples:,} draws: {result['valid']:.1%} valid, {result['valid_times_unique']:.1%} valid and "
        f"different; {args.out / SCORES}, {args.out / PICTURES}"
    )
    return result


def train(game: Game, spent: dict[str, float], args: argparse.Namespace) -> None:
    """Play until the budget is spent or Ctrl-C is pressed; what was reached is kept either way."""

    def progress() -> float:
        return game.steps / args.steps if args.steps else spent["seconds"] / (60.0 * args.minutes)

    told = 0.0
    with StopOnInterrupt() as stop:
        while progress() < 1.0 and not stop.requested:
            began, cpu = time.perf_counter(), time.process_time()
            figures = game.step(progress())
            spent["seconds"] += time.perf_counter() - began
            spent["cpu_seconds"] += time.process_time() - cpu
            if spent["seconds"] - told >= BETWEEN:
                told = spent["seconds"]
                save_game(args.out, game, spent)
                tell(game, figures, progress())
        save_game(args.out, game, spent)
    if stop.requested:
        print(f"stopped at step {game.steps:,}; the same command goes on", flush=True)


def tell(game: Game, figures: dict[str, float], progress: float) -> None:
    """One line on how far it is."""
    rows = game.average.draw(game.layout, 1000, sd.Key(0))
    valid, different = shares(game.layout.smiles(rows))
    print(
        f"{progress:4.0%}  step {game.steps:,}  of 1,000 draws {valid:.1%} valid, {different:.1%} different  "
        f"critic {figures['critic']:.3f}  generator {figures['generator']:.3f}  tau {game.tau.value:.2f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
