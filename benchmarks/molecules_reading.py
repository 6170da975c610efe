"""A file of molecules read and encoded the first time, then from the cache: time, memory of all processes.

    python -m benchmarks.molecules_reading FILE [--processes 2]

Each of the two is done by a fresh Python. Memory is the largest sum, over the process and those it started,
of what they have resident, which counts shared pages once for each, and of their proportional shares. Linux
only.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

READ = """
import json, sys, time
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from softdraw.molecules.data.dataset import load
began = time.monotonic()
data = load(sys.argv[1], cache=sys.argv[2], processes=int(sys.argv[3]))
seconds = time.monotonic() - began
used = [getrusage(who) for who in (RUSAGE_SELF, RUSAGE_CHILDREN)]
cpu = sum(one.ru_utime + one.ru_stime for one in used)
print(json.dumps({"seconds": seconds, "cpu": cpu, "summary": data.summary()}))
"""


def family(process: int) -> list[int]:
    """A process and all that it started, directly or not."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:  # it has ended
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found, left = [], [process]
    while left:
        found.append(left.pop())
        left += children.get(found[-1], [])
    return found


def memory(processes: list[int]) -> tuple[float, float]:
    """Resident and proportional memory of processes, in GiB."""
    sums = {"Rss:": 0, "Pss:": 0}
    for process in processes:
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        for words in map(str.split, lines):
            if words[0] in sums:
                sums[words[0]] += int(words[1])
    return sums["Rss:"] / 2**20, sums["Pss:"] / 2**20


def measured(file: str, cache: str, processes: int) -> str:
    """One reading, in a line."""
    words = [sys.executable, "-c", READ, file, cache, str(processes)]
    reader = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    resident = proportional = 0.0
    while reader.poll() is None:
        now = memory(family(reader.pid))
        resident, proportional = max(resident, now[0]), max(proportional, now[1])
        time.sleep(0.2)
    found = json.loads(reader.communicate()[0])
    return (
        f"{found['seconds']:.1f} s, {found['cpu']:.1f} s of CPU time with the imports, {resident:.2f} GiB "
        f"resident, {proportional:.2f} GiB in proportion\n  {found['summary']}"
    )


def main() -> None:
    """Print two lines of figures, and the size of the cache."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.molecules_reading", description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        for what in ("first time", "from the cache"):
            line = measured(options.file, cache, options.processes)
            print(f"{what}: load {os.getloadavg()[0]:.1f}: {line}", flush=True)
        size = sum(entry.stat().st_size for entry in Path(cache).iterdir())
        print(f"cache: {size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
