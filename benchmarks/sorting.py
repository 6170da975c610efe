"""Sort images of four-digit numbers, told nothing but their order: the task of NeuralSort's paper.

    python -m benchmarks.sorting --data ../shared/data/mnist --n 3 5 --minutes 20

Four relaxations train the same network, each for as long: NeuralSort, SoftSort and Gumbel-Sinkhorn of
softdraw, and the PyPI package `diffsort` where it is installed. Prints the share of lists that are in order
throughout (exact) and of elements at their place, over lists of the test set, beside published figures.

The network is the paper's: two convolutions of 5 x 5 with 32 and 64 channels, each pooled, then 64 units, and
a score. Two things differ, for two cores and minutes: each digit is convolved by itself instead of beside its
three neighbours, and the numbers of a batch are composed of `--pool` digits, which are convolved once. A row
of minutes is not to be compared with a published one of hours.
"""

import argparse
import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

import softdraw as sd
from benchmarks.mnist import read_images, read_labels

__all__ = ["METHODS", "Digits", "ScoreNetwork", "main", "read_digits", "score_lists", "train"]

PLACES = 4
#: exact (element-wise) by method and n. Recalled, not read: Grover et al. 2019, table 1.
PUBLISHED = {("neuralsort", 3): "0.919 (0.945)", ("neuralsort", 5): "0.777 (0.901)"}

Loss = Callable[[Tensor, Tensor, sd.Key], Tensor]


@dataclass(frozen=True)
class Digits:
    """Images ``[N, 1, 28, 28]`` in [0, 1] and labels ``[N]``."""

    images: Tensor
    labels: Tensor

    def numbers(self, batch: int, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Places of the digits of ``batch`` lists of n numbers ``[batch, n, 4]``, and their values."""
        index = torch.randint(len(self.labels), (batch, n, PLACES), generator=generator)
        powers = 10 ** torch.arange(PLACES - 1, -1, -1)
        return index, (self.labels[index] * powers).sum(-1)

    def some(self, count: int, generator: torch.Generator) -> "Digits":
        """``count`` of them at random."""
        index = torch.randint(len(self.labels), (count,), generator=generator)
        return Digits(self.images[index], self.labels[index])


def read_digits(folder: Path, part: str) -> Digits:
    """The original files of MNIST, ``part`` "train" or "t10k"."""
    images = read_images(folder, part).unsqueeze(1)
    return Digits(images.float() / 255, read_labels(folder, part))


class ScoreNetwork(nn.Module):
    """A score for each number, from the images of its digits."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Sequential(
            nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        )  # fmt: skip
        # the layer over four digits side by side, as a sum over their places
        self.place = nn.Linear(64 * 7 * 7, PLACES * 64, bias=False)
        self.bias = nn.Parameter(torch.zeros(64))
        self.score = nn.Linear(64, 1)

    def features(self, images: Tensor) -> Tensor:
        """What a digit adds at each place: ``[pool, 4, 64]``."""
        return self.place(self.look(images)).unflatten(-1, (PLACES, 64))

    def forward(self, features: Tensor, index: Tensor) -> Tensor:
        """Scores ``[batch, n]`` of numbers whose digits are at ``index`` ``[batch, n, 4]``."""
        hidden = sum(features[index[..., place], place] for place in range(PLACES))
        return self.score(torch.relu(hidden + self.bias)).squeeze(-1)


def cross_entropy(permutation: Tensor, order: Tensor) -> Tensor:
    """Mean of -log of what row i gives to the number that is the i-th largest."""
    return -permutation.gather(-1, order.unsqueeze(-1)).clamp(min=1e-20).log().mean()


def soft_sort(method: str) -> Loss:
    """The loss of a relaxed sort."""
    return lambda scores, order, key: cross_entropy(sd.soft_sort(scores, 1.0, method=method), order)


def gumbel_sinkhorn(scores: Tensor, order: Tensor, key: sd.Key) -> Tensor:
    """Sorting as a matching: the permutation P with the largest Σ_ij P_ij (n + 1 - 2 i) s_j, relaxed."""
    n = scores.shape[-1]
    weight = n + 1 - 2 * torch.arange(1, n + 1, dtype=scores.dtype)
    return cross_entropy(sd.gumbel_sinkhorn(weight[:, None] * scores.unsqueeze(-2), 1.0, key=key), order)


def diffsort(scores: Tensor, order: Tensor, key: sd.Key) -> Tensor:
    """An odd-even network at the settings of its experiment: Cauchy, steepness 10, binary cross-entropy."""
    from diffsort import DiffSortNet

    n = scores.shape[-1]
    _, columns = DiffSortNet("odd_even", n, steepness=10.0)(scores)
    # it sorts ascending, and its columns are places
    truth = nn.functional.one_hot(order.flip(-1), n).mT.to(columns.dtype)
    return nn.functional.binary_cross_entropy(columns.clamp(0.0, 1.0), truth)


METHODS: dict[str, Loss] = {
    "neuralsort": soft_sort("neuralsort"),
    "softsort": soft_sort("softsort"),
    "gumbel-sinkhorn": gumbel_sinkhorn,
    "diffsort": diffsort,
}


def descending(values: Tensor) -> Tensor:
    """Which is the i-th largest, of equals the first."""
    return values.sort(dim=-1, descending=True, stable=True).indices


def train(
    loss: Loss,
    digits: Digits,
    n: int,
    *,
    seed: int,
    seconds: float = float("inf"),
    steps: int | None = None,
    batch: int = 100,
    pool: int = 256,
    rate: float = 1e-3,
) -> tuple[ScoreNetwork, int]:
    """A network trained for a time or a number of steps, and how many steps those were."""
    torch.manual_seed(seed)
    network, generator = ScoreNetwork(), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    end, step = time.monotonic() + seconds, 0
    while time.monotonic() < end and step != steps:
        few = digits.some(pool, generator)
        index, values = few.numbers(batch, n, generator)
        scores = network(network.features(few.images), index)
        optimizer.zero_grad()
        loss(scores, descending(values), sd.Key(seed).fold_in(step)).backward()
        optimizer.step()
        step += 1
    return network, step


@torch.no_grad()
def score_lists(network: ScoreNetwork, digits: Digits, n: int, lists: int, seed: int) -> tuple[float, float]:
    """Shares of lists in order throughout, and of elements at their place."""
    index, values = digits.numbers(lists, n, torch.Generator().manual_seed(seed))
    features = torch.cat([network.features(part) for part in digits.images.split(500)])
    right = descending(network(features, index)) == descending(values)
    return right.all(-1).float().mean().item(), right.float().mean().item()


def main(arguments: list[str] | None = None) -> None:
    """Train by each method and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sorting",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data/mnist"), help="folder of MNIST's files"
    )
    parser.add_argument("--n", type=int, nargs="+", default=[3, 5], help="numbers in a list (3 5)")
    parser.add_argument("--minutes", type=float, default=20.0, help="for all rows together (20)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, default=100, help="lists a step (100, as in the paper)")
    parser.add_argument("--pool", type=int, default=256, help="digits a step (256)")
    parser.add_argument("--rate", type=float, default=1e-3, help="learning rate of Adam (1e-3)")
    parser.add_argument("--lists", type=int, default=10_000, help="lists that are tested (10000)")
    options = parser.parse_args(arguments)
    digits, test = read_digits(options.data, "train"), read_digits(options.data, "t10k")
    methods = dict(METHODS)
    if importlib.util.find_spec("diffsort") is None:
        del methods["diffsort"]
        print("diffsort is not installed (pip install diffsort): no row of it")
    seconds = 60 * options.minutes / (len(methods) * len(options.n))
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {seconds:.0f} s a row")
    print(
        f"{'method':<18}{'n':>3}{'steps':>8}{'exact':>9}{'element':>9}   published exact (element), recalled"
    )
    for n in options.n:
        for name, loss in methods.items():
            network, steps = train(
                loss, digits, n,
                seed=options.seed, seconds=seconds, batch=options.batch, pool=options.pool, rate=options.rate,
            )  # fmt: skip
            exact, element = score_lists(network, test, n, options.lists, options.seed)
            published = PUBLISHED.get((name, n), "")
            print(
                f"{name:<18}{n:>3}{steps:>8}{exact:>9.3f}{element:>9.3f}   {published}".rstrip(), flush=True
            )


if __name__ == "__main__":
    main()
