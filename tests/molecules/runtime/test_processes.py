import os
import signal
import time

import pytest
import torch

from softdraw.molecules.errors import MoleculeError
from softdraw.molecules.runtime.processes import by_pool


def work(item):
    """A task that says where it was done; it ends its process when it is told to."""
    if item == "end":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.01 * (item % 3))
    return item * item, os.getpid(), torch.get_num_threads()


def counted(items, seen):
    for item in items:
        seen.append(item)
        yield item


def test_a_pool_gives_results_in_order_and_reads_only_a_little_ahead():
    seen = []
    results = by_pool(work, counted(range(1000), seen), 2)
    first = [next(results) for _ in range(20)]
    assert [square for square, _, _ in first] == [item * item for item in range(20)]
    assert len({process for _, process, _ in first} | {os.getpid()}) == 3
    assert {threads for _, _, threads in first} == {1}
    assert len(seen) <= 26
    processes = {process for _, process, _ in first}
    results.close()
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_a_process_that_is_killed_is_an_error():
    with pytest.raises(MoleculeError, match="devices: one of 1 processes was killed"):
        list(by_pool(work, ["end"], 1))
