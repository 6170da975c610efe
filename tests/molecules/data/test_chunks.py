import os
import random
import signal
import subprocess
import sys
import time

import pytest
from rdkit import Chem

from softdraw.molecules.data import chunks, dataset
from softdraw.molecules.data.dataset import load

from ..drugs import DRUGS


@pytest.fixture
def small_chunks(monkeypatch):
    """Chunks of a few rows, and other processes from the first row on."""
    monkeypatch.setattr(chunks, "_ROWS", 7)
    monkeypatch.setattr(chunks, "PATIENCE", 0.0)


def test_several_processes_give_what_one_gives(small_chunks, tmp_path):
    """Molecules come again in other chunks, written otherwise, in other stereo, or as part of a salt."""
    rng = random.Random(3)
    lines = []
    for smiles in DRUGS.values():
        mol = Chem.MolFromSmiles(smiles)
        isomers = [Chem.MolToSmiles(mol, doRandom=True, canonical=False) for _ in range(2)]
        lines += [smiles, *isomers, f"{smiles}.Cl"]
    lines += ["C[C@H](N)F", "C[C@@H](N)F", "CC(N)F", "FC(C)N"] * 2 + ["", "C1CC", "C*", "[Na+].[Cl-]"] * 9
    rng.shuffle(lines)
    file = tmp_path / "a.smi"
    file.write_text("".join(f"{line}\n" for line in lines))
    for fragments in ("drop", "largest"):
        one, two = (load(file, cache=None, processes=n, fragments=fragments) for n in (1, 2))
        assert one.graphs.to_arrays().keys() == two.graphs.to_arrays().keys()
        for name, array in one.graphs.to_arrays().items():
            assert (array == two.graphs.to_arrays()[name]).all()
        assert one.account() == two.account()
        assert one.read == len(lines)
        assert one.dropped["duplicate"].count > len(DRUGS)
        assert one.dropped["stereoisomer"].count >= 1
        assert (one.parted > len(DRUGS) / 2) == (fragments == "largest")


def test_what_is_done_within_seconds_is_done_here(monkeypatch):
    monkeypatch.setattr(chunks, "_ROWS", 2)
    monkeypatch.setattr(chunks, "by_pool", None)
    assert len(load([f"{'C' * n}O" for n in range(1, 9)], cache=None, processes=2)) == 8


def test_how_far_a_source_is_read_is_shown(small_chunks, monkeypatch, tmp_path):
    shown = []

    class Bar:
        def __init__(self, title, show):
            assert (title, show) == ("data", None)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            shown.append("end")

        def update(self, share, figures):
            shown.append((share, figures))

    monkeypatch.setattr(dataset, "ProgressBar", Bar)
    monkeypatch.setattr(dataset, "PATIENCE", 0.0)
    file = tmp_path / "a.smi"
    file.write_text("".join(f"{'C' * (n % 30 + 1)}O{'N' * (n // 30)}\n" for n in range(40)))
    load(file, cache=None, processes=1)
    assert shown[-2:] == [(1.0, "40 of 40 molecules are used"), "end"]
    assert [figures for _, figures in shown[:2]] == [f"{n} of {n} molecules are used" for n in (7, 14)]
    shown.clear()
    load(["C" * n for n in range(1, 21)], cache=None, processes=1, progress=None)
    assert len(shown) == 4


@pytest.mark.parametrize("processes", [0, -1, 1.5, "2"])
def test_a_number_of_processes_that_is_none_is_refused(processes):
    with pytest.raises((TypeError, ValueError), match="processes: got"):
        load(["C"], cache=None, processes=processes)


SCRIPT = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background ignores it
from softdraw.molecules.data import chunks
from softdraw.molecules.data.dataset import load
chunks._ROWS, chunks.PATIENCE = 50, 0.0

class Endless(list):
    def __iter__(self):
        return iter(["CC(=O)OC1=CC=CC=C1C(=O)O"] * 5_000_000)

print("reading", flush=True)
load(Endless(), cache=None, processes=2)
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="processes are found in /proc")
def test_ctrl_c_ends_all_processes():
    script = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert script.stdout.readline() == b"reading\n"
    deadline = time.monotonic() + 60
    while len(workers := children_of(script.pid)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.killpg(script.pid, signal.SIGINT)  # as a terminal does
    try:
        _, errors = script.communicate(timeout=60)
    finally:
        script.kill()
    assert script.returncode not in (0, None)
    assert errors.rstrip().endswith(b"KeyboardInterrupt")
    assert not [pid for pid in workers if os.path.exists(f"/proc/{pid}")]


def children_of(pid):
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as names:
            found += names.read().split()
    return found
