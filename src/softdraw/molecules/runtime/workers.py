"""Work on chunks of molecules by several processes, with the results in the order of the chunks."""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from typing import TypeVar

__all__ = ["cores", "map_chunks"]

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")

_AHEAD = 2
"""Chunks for each process that are read before they are asked for: none waits, and memory is bounded."""


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_chunks(
    function: Callable[[Chunk], Result], chunks: Iterable[Chunk], processes: int = 1
) -> Iterator[Result]:
    """``map``, by several processes.

    They are spawned, not forked: torch's threads do not survive a fork. A script that asks for more than one
    therefore starts under ``if __name__ == "__main__"``. Ctrl-C is left to this process, which ends the
    others.

    Args:
        function: of a chunk; a module's own function, as it is sent to the processes by its name.
        chunks: are read a few ahead of the results.
        processes: 1 works in this process.

    Yields:
        The results, in the order of the chunks.

    Example:
        >>> list(map_chunks(sum, [[1, 2], [3], []]))
        [3, 3, 0]
    """
    if processes == 1:
        yield from map(function, chunks)
        return
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _leave_interrupts)
    try:
        waiting = iter(chunks)
        ahead: deque[Future[Result]] = deque(
            pool.submit(function, chunk) for chunk in islice(waiting, _AHEAD * processes)
        )
        while ahead:
            result = ahead.popleft().result()
            ahead.extend(pool.submit(function, chunk) for chunk in islice(waiting, 1))
            yield result
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
