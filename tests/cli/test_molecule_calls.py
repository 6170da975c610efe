"""A budget of calls on the command line, with a function of the user's own, also when it is killed."""

import csv
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import softdraw
from softdraw.molecules.storage.run_folder import RunFolder

from .molecules import here

pytestmark = pytest.mark.xdist_group("molecules-calls")

PROGRAM = [sys.executable, "-c", "from softdraw.cli import main; main()", "molecules"]
SOURCE = str(Path(softdraw.__file__).resolve().parent.parent)
TEST_FOLDER = Path(__file__).parent.parent / "molecules" / "evaluating"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with data, a module of the user's own, and a fitted run."""
    folder = tmp_path_factory.mktemp("place")
    ends = ["", "C", "O", "N", "F", "C=O", "C#N", "C1CC1"]
    (folder / "data.smi").write_text(
        "".join(f"{a}{b}{c}\n" for a in ("C", "CC", "O") for b in ends for c in "CN")
    )
    (folder / "counting.py").write_bytes((TEST_FOLDER / "counting.py").read_bytes())
    run(folder, "fit", "--data", "data.smi", "--steps", 12, "--network", "small", "--out", "run")
    return folder


def run(folder, *words, code=0, **environment):
    ended = subprocess.run(
        [*PROGRAM, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=folder,
        # a relative PYTHONPATH of whoever runs the tests would lead elsewhere from there
        env={**os.environ, "PYTHONPATH": SOURCE, "OMP_NUM_THREADS": "1", **environment},
        check=False,
    )
    assert ended.returncode == code, ended.stdout + ended.stderr
    return ended.stdout


def rows_of(folder):
    with (RunFolder(folder).steer_checkpoints / "evaluations.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow  # tests/molecules/steering/test_calls.py kills within one process
def test_a_run_that_is_killed_again_and_again_pays_for_each_molecule_once(place):
    """By SIGKILL in the user's function, twice; then it ends, and reports without a further call."""
    noted = place / "noted.txt"
    words = ["steer", "run", "--target", "counting:noted=max", "--calls", 60, "--estimator", "reinforce"]
    words += ["--batch-size", 12, "--divergence", 0.1, "--learning-rate", 0.002, "--samples", 20, "--no-fcd"]
    begin = "--overwrite"
    for most in (40, 52):
        run(place, *words, begin, code=-9, NOTED=str(noted), NOTED_MOST=str(most))
        begin = "--resume"
    out = run(place, *words, "--resume", NOTED=str(noted))
    asked = Counter(noted.read_text().splitlines())
    rows = rows_of(place / "run")
    # the molecule that was being evaluated when the process died was not paid to its end
    assert sum(asked.values()) == 60 + 2
    assert max(asked.values()) == 2
    assert len(rows) == len({row["smiles"] for row in rows}) == 60
    assert set(asked) == {row["smiles"] for row in rows}
    assert [row["number"] for row in rows] == [str(n) for n in range(1, 61)]
    assert "steer: 60 calls to counting:noted=max" in out
    labels = sum(row["step"] == "" for row in rows)
    assert f"60 of 60 calls ({labels} for molecules of the data); best counting:noted" in out
    assert "its distances are of the first batch and of the last 10 of the steering" in out
    steer = json.loads((place / "run" / "metrics.json").read_text())["steer"]
    assert steer["divergence"] == 0.1
    assert steer["progress"]["calls"][-1] == steer["calls"] == 60
    assert steer["distance_before"] is not None
    page = (place / "run" / "report.html").read_text()
    assert "The best molecules against calls" in page
    assert "60 of 60 calls" in page
    # a complete steering is taken up without a call
    assert "steer: complete" in run(place, *words, "--resume", NOTED=str(noted))
    assert sum(Counter(noted.read_text().splitlines()).values()) == 62


def test_budgets_that_contradict_each_other_are_refused(place, capsys, monkeypatch):
    monkeypatch.chdir(place)
    code, _, err = here(capsys, "steer", "run", "--calls", 50, "--steps", 5)
    assert code == 2
    assert "--steps, --calls: got 5 and 50, expected one of them" in " ".join(err.replace("│", " ").split())
    code, _, err = here(capsys, "steer", "run", "--calls", 3)
    assert code == 2
    assert "'--calls'" in err
    assert "4" in err
    code, _, err = here(capsys, "run", "--steer-calls", 50, "--steer-minutes", 5)
    assert code == 2
    assert "steer_minutes, steer_calls: got 5.0 and 50" in " ".join(err.replace("│", " ").split())


def test_the_trial_before_the_fit_is_the_beginning_of_the_table(place):
    noted = place / "whole.txt"
    words = ["run", "--data", "data.smi", "--steps", 4, "--network", "small", "--seed", 1, "--out", "whole"]
    words += ["--target", "counting:noted=max", "--steer-calls", 45, "--steer-batch-size", 8]
    run(place, *words, "--estimator", "reinforce", "--samples", 20, "--no-fcd", NOTED=str(noted))
    asked = noted.read_text().splitlines()
    rows = rows_of(place / "whole")
    assert len(asked) == len(set(asked)) == 45
    assert [row["smiles"] for row in rows] == asked
    assert [row["step"] for row in rows[:22]] == [""] * 22
    assert [row["step"] for row in rows[22:24]] == ["0", "0"]
    assert "--steer-calls 45" in json.loads((place / "whole" / "config.json").read_text())["command"]
    # a folder that is taken is refused before the trial
    run(place, *words, NOTED=str(noted), code=1)
    assert len(noted.read_text().splitlines()) == 45
