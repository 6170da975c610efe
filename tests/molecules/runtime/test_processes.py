import os
import signal
import subprocess
import sys
import time
from pathlib import Path

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


PARENT = """
import os, time
from softdraw.molecules.runtime.processes import by_pool
results = by_pool(time.sleep, [0.1] * 2 + [600.0] * 8, 2)
next(results)
print(*[child.pid for child in __import__("multiprocessing").active_children()], flush=True)
next(results)
next(results)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_no_process_outlives_a_parent_that_is_killed():
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    with parent:
        children = [int(child) for child in parent.stdout.readline().split()]
        assert len(children) == 2
        parent.kill()
    ends = time.monotonic() + 60
    while any(map(is_running, children)):
        assert time.monotonic() < ends
        time.sleep(0.05)


def is_running(process):
    """Not so a zombie that nobody has waited for."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return False
