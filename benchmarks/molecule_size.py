"""How time and memory of one molecule grow with its number of atoms.

    python -m benchmarks.molecule_size

Prints milliseconds and megabytes for a training step and a masked draw of one molecule of 10 to 80 atoms (a branched
chain, so that every size exists), and the exponent between each size and the one before: 2 is quadratic.
"""

import math
import statistics
import time
from collections.abc import Callable

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from softdraw.molecules.dataset import load
from softdraw.molecules.drawing import draw
from softdraw.molecules.likelihood import log_likelihood
from softdraw.molecules.network import GraphNetwork
from softdraw.random import Key

SIZES = (10, 20, 40, 80)
REPEATS = 9
BATCH = 8


class _Peak(TorchDispatchMode):
    """Bytes of all tensors made while active: an upper bound of what they hold at once, free of other noise."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        made = function(*args, **(kwargs or {}))
        for one in made if isinstance(made, tuple | list) else (made,):
            if isinstance(one, torch.Tensor) and not one._is_view():
                self.total += one.numel() * one.element_size()
        return made


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """Median milliseconds, and megabytes of tensors made, per molecule."""
    work()
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    with _Peak() as peak:
        work()
    return 1e3 * statistics.median(times) / BATCH, peak.total / BATCH / 2**20


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    before: dict[str, tuple[float, float]] = {}
    for atoms in SIZES:
        smiles = "C" + "C(O)" * ((atoms - 2) // 2) + "N" * (1 + atoms % 2)
        graphs = load([smiles], max_atoms=100, cache=None).graphs
        size = graphs.max_atoms
        network = GraphNetwork(graphs.vocabulary.valences, size)
        types, bonds = graphs.dense([0] * BATCH)

        def train(network=network, types=types, bonds=bonds) -> None:  # type: ignore[no-untyped-def]
            network.zero_grad()
            torch.autograd.backward(-log_likelihood(network, types, bonds).sum())

        @torch.no_grad()
        def sample(network=network, size=size) -> None:  # type: ignore[no-untyped-def]
            network.type_head[-1].bias[-1] = -1e4  # never stop, so that every draw has all atoms
            draw(network, BATCH, Key(0), mask=True)

        for name, work in (("train", train), ("draw", sample)):
            figures = measured(work)
            growth = ""
            if name in before:
                share = math.log(size / before[f"{name} size"][0])
                powers = [
                    math.log(now / then) / share for now, then in zip(figures, before[name], strict=True)
                ]
                growth = f"   grows with the power {powers[0]:.2f} in time, {powers[1]:.2f} in memory"
            print(f"{size:3d} atoms, {name:5s}: {figures[0]:8.3f} ms {figures[1]:8.3f} MB a molecule{growth}")
            before[name] = figures
            before[f"{name} size"] = (size, size)


if __name__ == "__main__":
    main()
