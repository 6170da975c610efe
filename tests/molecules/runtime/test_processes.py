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
    time.sleep(600 if item == "wait" else 0.01 * (item % 3))
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
import time
from softdraw.molecules.runtime.processes import by_pool
from tests.molecules.runtime.test_processes import work
results = by_pool(work, [1, 2, *["wait"] * 8], 2)
print(next(results)[1], next(results)[1], flush=True)
next(results)
"""


def test_an_error_in_a_process_is_that_of_the_call():
    results = by_pool(str.upper, ["a", "b", 3, *"cd" * 100], 2)
    assert [next(results), next(results)] == ["A", "B"]
    with pytest.raises(TypeError, match="upper"):
        next(results)


def test_a_script_may_have_processes_without_a_guard(tmp_path):
    """They do not import it: with multiprocessing's, this one would start itself again, for ever."""
    script = tmp_path / "script.py"
    script.write_text(
        "from softdraw.molecules.runtime.processes import by_pool\n"
        "print(list(by_pool(len, ['ab', 'c'], 2)))\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert done.stdout == "[2, 1]\n"


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_no_process_outlives_a_parent_that_is_killed():
    root = Path(__file__).parents[3]
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True, cwd=root)
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
