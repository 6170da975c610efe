"""A task over many items, done by several processes, with the results in the order of the items."""

import os
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

import torch.distributed as dist

from softdraw.molecules.runtime.pool import Pool

__all__ = ["alone", "by_pool", "by_ranks", "launched_group"]

Item = TypeVar("Item")
Result = TypeVar("Result")
_AHEAD = 2
"""Items that wait for each process, so that none is ever idle, and few are done in vain."""


def alone(task: Callable[[Item], Result], items: Iterable[Item]) -> Generator[Result, None, None]:
    """Do a task in this process, item by item.

    Example:
        >>> list(alone(len, ["a", "bc"]))
        [1, 2]
    """
    for item in items:
        yield task(item)


def by_pool(
    task: Callable[[Item], Result], items: Iterable[Item], processes: int
) -> Generator[Result, None, None]:
    """Do a task on this machine, by processes of its own, each on one thread.

    They need 2 s to start; see ``Pool``. Closing the iterator ends them; so do Ctrl-C and the death of this
    process. Python that does not know its own program does all of it here.

    Args:
        task: a function or a callable object that can be pickled; each process gets it once.
        items: read as far as the results are asked for, and a little ahead.
        processes: how many.

    Yields:
        The result for each item, in their order.

    Raises:
        MoleculeError: a process was killed.
    """
    if not sys.executable:
        yield from alone(task, items)
        return
    waiting: deque[Future[Result]] = deque()
    pool = Pool(task, processes)
    threads = ThreadPoolExecutor(processes)  # each waits for a process
    try:
        for item in items:
            waiting.append(threads.submit(pool.work, item))
            if len(waiting) > _AHEAD * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.end()
        threads.shutdown(cancel_futures=True)


def by_ranks(
    task: Callable[[Item], Result], items: Iterable[Item], group: dist.ProcessGroup
) -> Generator[Result, None, None]:
    """Do a task by all ranks of a group, which call this alike; every rank gets every result.

    Args:
        task: the same on all ranks.
        items: the same on all ranks; rank ``r`` of ``W`` does the items ``r``, ``r + W``, ...
        group: a group whose backend moves objects of the CPU, such as gloo.

    Yields:
        The result for each item, in their order. All ranks have to stop at the same one.
    """
    rank, ranks = dist.get_rank(group), dist.get_world_size(group)
    left = iter(items)
    while some := list(islice(left, ranks)):
        own = task(some[rank]) if rank < len(some) else None
        results: list[Any] = [None] * ranks
        dist.all_gather_object(results, own, group)
        yield from results[: len(some)]


@contextmanager
def launched_group() -> Iterator[dist.ProcessGroup | None]:
    """The gloo group of the processes that torchrun started; None where it started one, or was not there.

    Example:
        >>> with launched_group() as group:
        ...     group is None
        True
    """
    if not dist.is_torchelastic_launched() or int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield None
        return
    dist.init_process_group("gloo")
    try:
        yield dist.group.WORLD
    finally:
        dist.destroy_process_group()
