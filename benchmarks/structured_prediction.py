"""The lower half of a digit from its upper half, through two layers of 20 choices of 10: Jang et al. 2017.

    python -m benchmarks.structured_prediction --data ../shared/data/mnist --steps 6000 --seeds 2

A sigmoid belief network 392-200-200-392 whose hidden units are one-hot draws. Trained on one draw for each
image (the score function on two for each layer), tested on the log of the mean likelihood of 1,000 exact
draws. Pixels are drawn once, each with the probability of its grey. Adam at 1e-3, where the paper takes
momentum SGD at the best of six rates: compare a row with the others of its run, not with the published ones.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import softdraw as sd
from benchmarks.mnist import find_folder, read_images
from benchmarks.runs import run_once
from softdraw.estimators import TensorEstimator

__all__ = ["METHODS", "PUBLISHED", "HalfNetwork", "Halves", "read_halves", "train"]

CHOICES, CLASSES, HALF = 20, 10, 392
BATCH, RATE = 100, 1e-3
TESTED, DRAWS = 1000, 1000
"""Test images, and draws of each."""
#: how each method is made; one object for each of the two layers
METHODS: dict[str, Callable[[], sd.estimators.Estimator]] = {
    "score function": lambda: sd.estimators.get("rloo", samples=2),
    "st": lambda: sd.estimators.get("st", tau=1.0),
    "gumbel-softmax": lambda: sd.estimators.get("gumbel-softmax", tau=1.0),
    "st-gumbel-softmax": lambda: sd.estimators.get("st-gumbel-softmax", tau=1.0),
    "reinmax": lambda: sd.estimators.get("reinmax", tau=1.0),
}
#: test nats of the categorical network, table 1 of arXiv:1611.01144 as read in a copy of its full text
PUBLISHED = {
    "score function": 73.1, "DARN": 67.9, "MuProp": 63.0, "st": 61.8,
    "gumbel-softmax": 59.0, "st-gumbel-softmax": 59.7,
}  # fmt: skip

Halves = tuple[Tensor, Tensor]
"""Upper and lower halves ``[N, 392]``, of pixels 0 and 1."""


class HalfNetwork(nn.Module):
    """Three linear maps with a layer of draws after each but the last."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = (
            nn.Linear(HALF, CHOICES * CLASSES),
            nn.Linear(CHOICES * CLASSES, CHOICES * CLASSES),
        )
        self.last = nn.Linear(CHOICES * CLASSES, HALF)

    def logits(self, layer: nn.Linear, given: Tensor) -> Tensor:
        """``[..., 20, 10]`` from pixels ``[..., 392]`` or codes ``[..., 20, 10]``."""
        flat = given if given.shape[-1] == HALF else given.flatten(-2)
        return layer(flat).unflatten(-1, (CHOICES, CLASSES))

    def cost(self, code: Tensor, lower: Tensor) -> Tensor:
        """Nats of the lower halves ``[B, 392]`` under codes ``[..., B, 20, 10]``."""
        pixels = self.last(code.flatten(-2))
        return (nn.functional.softplus(pixels) - lower * pixels).sum(-1)

    def loss(
        self, one: sd.estimators.Estimator, two: sd.estimators.Estimator, upper: Tensor, lower: Tensor
    ) -> Tensor:
        """Expected nats ``[B]``, estimated: a layer of draws within a layer of draws."""
        logits = self.logits(self.first, upper)
        if isinstance(one, TensorEstimator):
            return self.cost(two(self.logits(self.second, one(logits))), lower)

        def within(code: Tensor) -> Tensor:
            return two.expectation(lambda last: self.cost(last, lower), self.logits(self.second, code))

        return one.expectation(within, logits)

    @torch.no_grad()
    def nats(self, upper: Tensor, lower: Tensor, draws: int, seed: int) -> float:
        """Negative log-likelihood, by the mean over exact draws."""
        total = 0.0
        for number, (above, below) in enumerate(zip(upper.split(20), lower.split(20), strict=True)):
            key = sd.Key(seed).fold_in(number)
            first = self.logits(self.first, above).expand(draws, -1, -1, -1)
            code = sd.gumbel_softmax(first, hard=True, key=key.fold_in(0))
            code = sd.gumbel_softmax(self.logits(self.second, code), hard=True, key=key.fold_in(1))
            likely = (-self.cost(code, below)).logsumexp(0) - torch.tensor(float(draws)).log()
            total -= float(likely.double().sum())
        return total / len(upper)


def read_halves(folder: Path, part: str) -> Halves:
    """Every pixel is 1 with the probability of its grey, drawn once."""
    grey = read_images(folder, part).flatten(1).float() / 255
    chance = torch.rand(grey.shape, generator=torch.Generator().manual_seed(0))
    pixels = (chance < grey).float()
    return pixels[:, :HALF], pixels[:, HALF:]


def train(
    method: str, data: Halves, test: Halves, seed: int, steps: int, draws: int = DRAWS
) -> dict[str, Any]:
    """Train, and judge at the end."""
    torch.manual_seed(seed)
    network, one, two = HalfNetwork(), METHODS[method](), METHODS[method]()
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE, fused=True)
    order = torch.Generator().manual_seed(seed)
    seconds, shown = 0.0, []
    for _ in range(steps):
        began = time.process_time()
        chosen = torch.randint(len(data[0]), (BATCH,), generator=order)
        loss = network.loss(one, two, data[0][chosen], data[1][chosen]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seconds += time.process_time() - began
        shown.append(float(loss.detach()))
    nats = network.nats(*(half[:TESTED] for half in test), draws, seed=1)
    return {"test": nats, "seconds": round(seconds, 2), "loss": statistics.mean(shown[-100:])}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="folder of the idx files, or mnist to download them")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS), help="by default all")
    parser.add_argument("--steps", type=int, default=4000, help=f"of {BATCH} images (4000)")
    parser.add_argument("--seeds", type=int, default=2, help="runs of each method, seeds from 0 on (2)")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/structured_prediction"), help="folder of the files of runs"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    folder = find_folder(options.data)
    data, test = read_halves(folder, "train"), read_halves(folder, "t10k")
    print(f"{options.steps} steps of {BATCH}; nats of {TESTED} test images, {DRAWS} draws")
    for method in options.methods:
        found = []
        for seed in range(options.seeds):
            path = options.out / f"{method}-{options.steps}-{seed}.json".replace(" ", "_")
            wanted = {"method": method, "seed": seed, "steps": options.steps}

            def make(_: Path, method: str = method, seed: int = seed) -> dict[str, Any]:
                return train(method, data, test, seed, options.steps)

            found.append(run_once(path, wanted, make))
        nats = [one["test"] for one in found]
        cost = statistics.mean(1000 * one["seconds"] / options.steps for one in found)
        published = PUBLISHED.get(method, "")
        spread = f"{statistics.mean(nats):.2f} ({min(nats):.2f} to {max(nats):.2f})"
        print(f"{method:20} {spread:>26} {cost:6.1f} ms a step, published {published}", flush=True)


if __name__ == "__main__":
    main()
