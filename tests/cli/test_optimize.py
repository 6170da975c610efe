"""``softdraw molecules optimize``: a task, a budget of calls, and the best molecules in a table."""

import csv
import json
import subprocess
import sys

import pytest

from softdraw.molecules import MoleculeGenerator
from softdraw.molecules.chemistry.properties import evaluate
from softdraw.molecules.steering.presets import OPTIMIZE
from softdraw.molecules.storage.run_folder import RunFolder
from softdraw.molecules.tasks.suite import TASKS

from ..molecules.small import MOLECULES, SIZES
from .molecules import here
from .test_priors import contents, message

pytestmark = [
    pytest.mark.xdist_group("molecules-calls"),
    pytest.mark.filterwarnings("ignore:.*did not fall:softdraw.molecules.runtime.remarks.MoleculeWarning"),
]
SMALL = ("--calls", 40, "--batch-size", 8, "--updates", 1, "--screen", 1, "--samples", 10)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "saved"
    MoleculeGenerator(**SIZES, batch_size=8).fit(MOLECULES, steps=30, holdout=0).save(folder)
    return folder


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_task_is_optimised_and_its_best_molecules_are_kept(capsys, tmp_path, model):
    before = contents(model)
    out = tmp_path / "run"
    words = ("optimize", "Albuterol_Similarity", "--from", model, *SMALL, "--out", out)
    code, said, _ = here(capsys, *words)
    assert code == 0
    assert contents(model) == before
    evaluated = rows_of(out / "checkpoints" / "steer" / "evaluations.csv")
    best = rows_of(out / "best.csv")
    assert len(evaluated) == 40
    name = "albuterol_similarity"
    scores = sorted((float(row[name]) for row in evaluated), reverse=True)
    assert [float(row[name]) for row in best] == scores
    assert [row["rank"] for row in best] == [str(rank) for rank in range(1, len(best) + 1)]
    assert evaluate(name, [best[0]["smiles"]])[0] == pytest.approx(scores[0])
    assert f"best {name} {scores[0]:.4f}, top 10 {sum(scores[:10]) / 10:.4f}" in said
    assert "AUC top-10" in said
    assert best[0]["smiles"] in said
    assert (out / "report.html").exists()
    assert RunFolder(out).metrics["fit"]["adopted"]
    folder = RunFolder(out)
    assert folder.metrics["steer"]["labels"] == 4
    assert folder.config["command"] == (
        f"softdraw molecules optimize Albuterol_Similarity --calls 40 --from {model} --seed 0 "
        "--batch-size 8 --updates 1 --screen 1 --samples 10"
    )
    # it is complete, and not paid for again
    code, said, _ = here(capsys, *words, "--resume")
    assert code == 0
    assert "steer: complete, taken from the folder" in said
    assert rows_of(out / "best.csv") == best
    code, _, err = here(capsys, *words)
    assert code == 1
    assert "--overwrite" in err


def test_the_seed_decides_what_is_drawn_and_any_target_may_be_asked_for(capsys, tmp_path, model):
    found = {}
    for name, seed in (("a", 0), ("b", 1), ("c", 0)):
        words = (
            "optimize",
            "heavy_atoms=4",
            "--from",
            model,
            *SMALL,
            "--seed",
            seed,
            "--out",
            tmp_path / name,
        )
        assert here(capsys, *words)[0] == 0
        found[name] = rows_of(tmp_path / name / "checkpoints" / "steer" / "evaluations.csv")
    assert found["a"] == found["c"]
    assert found["a"] != found["b"]
    best = rows_of(tmp_path / "a" / "best.csv")
    away = [abs(float(row["heavy_atoms"]) - 4) for row in best]
    assert away == sorted(away)
    assert away[0] == 0


def test_the_tasks_are_listed_with_a_line_each(capsys):
    code, said, _ = here(capsys, "optimize", "--list")
    assert code == 0
    lines = said.splitlines()
    assert [line.split()[0] for line in lines] == list(TASKS)
    assert all(TASKS[line.split()[0]].text in line for line in lines)


@pytest.mark.parametrize(
    ("task", "why"),
    [
        ("zaleplon", "near: zaleplon_mpo"),
        ("celecoxib=max", "near: celecoxib_rediscovery"),
        ("qed=highest", "goal"),
        ("similarity:CC(=O", "expected SMILES that RDKit can read"),
        (None, "TASK: got none"),
    ],
)
def test_what_is_no_task_is_said_with_what_is_near_it(capsys, tmp_path, monkeypatch, task, why):
    monkeypatch.chdir(tmp_path)
    code, _, err = here(capsys, "optimize", *([task] if task else []))
    assert code == 2
    assert why in message(err)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("--from", "nowhere"), 1, "no such folder"),
        (("--estimator", "st-gumbel"), 2, "expected one of"),
        (("--learning-rate", -1), 2, "learning_rate"),
        (("--resume", "--overwrite"), 2, "got both"),
    ],
)
def test_a_mistake_costs_nothing(capsys, tmp_path, monkeypatch, words, code, why):
    monkeypatch.chdir(tmp_path)
    found, _, err = here(capsys, "optimize", "qed", *words)
    assert found == code
    assert why in message(err)
    assert list(tmp_path.iterdir()) == []


def test_the_settings_are_options_of_the_command(capsys):
    _, said, _ = here(capsys, "optimize", "--help")
    for name, value in OPTIMIZE.items():
        assert f"--{name.replace('_', '-')}" in said
        assert json.dumps(value).strip('"') in said


@pytest.mark.slow  # tests/molecules/run/test_helping.py has two processes without torchrun
def test_processes_of_torchrun_optimise_as_one_does(capsys, tmp_path, model, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    words = ("optimize", "heavy_atoms", "--from", model, *SMALL, "--offspring", 0.5, "--out")
    assert here(capsys, *words, tmp_path / "one")[0] == 0
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "softdraw"]
    command = [*launcher, "molecules", *map(str, words), str(tmp_path / "two")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("written:") == 1
    for name in ("best.csv", "checkpoints/steer/evaluations.csv"):
        assert (tmp_path / "one" / name).read_text() == (tmp_path / "two" / name).read_text()
    # the second process does not wait for what the first one refuses
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 1
    assert ended.stderr.count("already holds") == 1
