"""Times of several calls, taken in turns so that a slow moment of the machine strikes them all."""

import time
from collections.abc import Callable, Mapping
from statistics import median

import torch

__all__ = ["medians"]


def medians(
    calls: Mapping[str, Callable[[], object]], seconds: float, device: str = "cpu"
) -> dict[str, float]:
    """Median seconds of each call, from as many interleaved repeats (3 to 300) as ``seconds`` allow."""
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None

    def timed(call: Callable[[], object]) -> float:
        wait()
        start = time.perf_counter()
        call()
        wait()
        return time.perf_counter() - start

    for call in calls.values():
        call()
    first = sum(timed(call) for call in calls.values())
    repeats = max(3, min(300, int(seconds / max(first, 1e-9))))
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            times[name].append(timed(call))
    return {name: median(values) for name, values in times.items()}
