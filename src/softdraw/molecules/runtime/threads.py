"""How many threads torch uses while a small network runs."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["one_thread", "threads_for", "threads_of_a_fit"]

SMALL = 96
"""Up to this width a network runs on one thread: a product takes less time than waking a second thread, and
where other programs share the cores every step would wait for the slower thread."""

MEDIUM = 96
"""From this width on, the threads of a fit pay."""


@contextmanager
def threads_for(width: int) -> Iterator[None]:
    """While open, torch uses one thread if the network is small; the count before comes back afterwards.

    Args:
        width: features of a token of the network.
    """
    before = torch.get_num_threads()
    if width <= SMALL and before > 1:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if torch.get_num_threads() != before:
            torch.set_num_threads(before)


@contextmanager
def one_thread() -> Iterator[None]:
    """While open, an operation uses one thread: whole parts of the work are shared out instead."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def threads_of_a_fit(width: int) -> int:
    """Threads that share a batch: one for a small network, whose steps are mostly Python.

    Args:
        width: features of a token of the network.
    """
    return 1 if width < MEDIUM else torch.get_num_threads()
