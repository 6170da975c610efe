"""SIMPLE's synthetic experiment: bias and variance of the estimators over k-subsets, where all is known.

n = 10 items, k = 5 of them, 252 states, the cost |z - b|^2 with b = |N(0, 1)| and logits N(0, 1), at the ten
seeds of the paper's script. `python -m benchmarks.simple_toy` prints the medians over the seeds: bias and
square root of the squared error against the length of the exact gradient, variance against its square.
"""

import statistics
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution

import softdraw as sd
from softdraw.diagnostics import Measures
from softdraw.estimators import Estimator

__all__ = ["ORDERED", "SEEDS", "SUBSETS", "medians", "problem", "rows"]

SEEDS = (1234, 1067, 9198, 9453, 6240, 7044, 1755, 7898, 3131, 1277)
ITEMS, CHOSEN = 10, 5

#: the estimators of the k-subset law, each by the name that the table has for it
SUBSETS: dict[str, Callable[[], Estimator]] = {
    "marginal (SIMPLE)": lambda: sd.estimators.get("marginal"),
    "st-relaxed, tau 1": lambda: sd.estimators.get("st-relaxed"),
    "st-relaxed, tau 0.5": lambda: sd.estimators.get("st-relaxed", tau=0.5),
    "relaxed, tau 1": lambda: sd.estimators.get("relaxed"),
    "relaxed, tau 0.5": lambda: sd.estimators.get("relaxed", tau=0.5),
    "imle, step 1": lambda: sd.estimators.get("imle"),
    "imle, step 10": lambda: sd.estimators.get("imle", step=10.0),
    "rloo, S = 2": lambda: sd.estimators.get("rloo", samples=2),
    "rloo, S = 4": lambda: sd.estimators.get("rloo", samples=4),
    "rloo, S = 8": lambda: sd.estimators.get("rloo", samples=8),
    "reinforce": lambda: sd.estimators.get("reinforce", baseline="none"),
    "reinforce, moving average": lambda: sd.estimators.get("reinforce"),
}
#: those of the k best under Gumbel noise, in order
ORDERED = {name: SUBSETS[name] for name in ("rloo, S = 2", "rloo, S = 4", "rloo, S = 8", "reinforce")}


def problem(seed: int) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """The cost of a k-hot ``[*, n]`` and the logits ``[n]``, in float64."""
    drawn = np.random.RandomState(seed)
    logits, goal = torch.tensor(drawn.randn(ITEMS)), torch.tensor(drawn.randn(ITEMS)).abs()
    return lambda z: (z - goal).square().sum(-1), logits


def _subset(logits: Tensor) -> Distribution:
    return sd.structured.Subset(logits, CHOSEN)


def _ordered(logits: Tensor) -> Distribution:
    return sd.structured.OrderedSubset(logits, CHOSEN)


def rows(
    make: Callable[[], Estimator], draws: int, *, ordered: bool = False
) -> Iterator[tuple[Measures, float]]:
    """What one estimator does at each seed, and the length of the exact gradient there."""
    for seed in SEEDS:
        cost, logits = problem(seed)

        def of_order(index: Tensor, cost: Callable[[Tensor], Tensor] = cost) -> Tensor:
            return cost(torch.zeros(*index.shape[:-1], ITEMS, dtype=torch.float64).scatter(-1, index, 1.0))

        found = sd.diagnostics.compare(
            of_order if ordered else cost,
            logits,
            [make()],
            draws,
            key=sd.Key(seed),
            timing=False,
            distribution=_ordered if ordered else _subset,
        )
        yield found.rows[0], float(found.exact.norm())


def medians(found: Iterable[tuple[Measures, float]]) -> tuple[float, float, float]:
    """Over the seeds: relative bias, relative variance, relative root of the mean squared error."""
    pairs = list(found)
    return (
        statistics.median(row.bias / length for row, length in pairs),
        statistics.median(row.variance / length**2 for row, length in pairs),
        statistics.median(row.mse**0.5 / length for row, length in pairs),
    )


def main(draws: int = 4000) -> None:
    """Print the tables."""
    for title, table, ordered in (("Subset", SUBSETS, False), ("OrderedSubset", ORDERED, True)):
        print(f"{title}, {draws} draws at each of {len(SEEDS)} seeds")
        print(f"{'estimator':28} {'bias':>8} {'variance':>10} {'rms error':>10} {'evaluations':>12}")
        for name, make in table.items():
            found = list(rows(make, draws, ordered=ordered))
            bias, variance, error = medians(found)
            print(
                f"{name:28} {bias:8.3f} {variance:10.3f} {error:10.3f} {found[0][0].evaluations:12d}",
                flush=True,
            )


if __name__ == "__main__":
    main()
