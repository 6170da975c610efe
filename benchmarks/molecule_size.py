"""How time and memory of one molecule grow with its number of atoms.

    python -m benchmarks.molecule_size

Prints milliseconds and peak megabytes of a training step and of a masked draw, for a molecule of 10 to 80
atoms (a branched chain, so that every size exists), and the power of growth from each size to the next: 2 is
quadratic.
"""

import math
import statistics
import time
from collections.abc import Callable

import torch
from torch.profiler import ProfilerActivity, profile

from softdraw.molecules.data.dataset import load
from softdraw.molecules.model.drawing import draw
from softdraw.molecules.model.likelihood import log_likelihood
from softdraw.molecules.model.network import GraphNetwork
from softdraw.random import Key

SIZES = (10, 20, 40, 80)
REPEATS = 9
BATCH = 8


def peak_bytes(work: Callable[[], object]) -> int:
    """The most that tensors made by ``work`` hold at once, from the allocator's own record."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        work()
    held = most = 0
    events = [event for event in record.profiler.kineto_results.events() if event.name() == "[memory]"]
    for event in sorted(events, key=lambda one: one.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return most


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """Median milliseconds and peak megabytes per molecule."""
    work()
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return 1e3 * statistics.median(times) / BATCH, peak_bytes(work) / BATCH / 2**20


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
