"""The benchmark of steering measures what it says, and makes no run twice."""

import numpy as np
import pytest

import softdraw as sd
from softdraw.molecules import MoleculeGenerator
from softdraw.molecules.chemistry.properties import evaluate

from ..molecules.small import MOLECULES, SIZES

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*did not fall:softdraw.molecules.runtime.remarks.MoleculeWarning"
)


@pytest.fixture
def bench(monkeypatch):
    from benchmarks import steering

    monkeypatch.setattr(steering, "DRAWN", 40)
    monkeypatch.setattr(steering, "BATCH", 20)
    return steering


def test_runs_are_measured_once_and_told_in_a_table(bench, tmp_path, monkeypatch, capsys):
    MoleculeGenerator(**SIZES, batch_size=8).fit(MOLECULES, steps=20, holdout=0).save(tmp_path / "model")
    words = ["--model", str(tmp_path / "model"), "--targets", "logp,qed", "--steps", "2", "--seeds", "0,1"]
    words += [
        "--set",
        "batch_size=8",
        "--estimators",
        "log-variance,reinforce",
        "--out",
        str(tmp_path / "found.json"),
    ]
    found = bench.main(words)
    assert len(found) == 8
    assert {(one["target"], one["estimator"], one["seed"]) for one in found} == {
        (target, estimator, seed)
        for target in ("logp", "qed")
        for estimator in ("log-variance", "reinforce")
        for seed in (0, 1)
    }
    assert all(0 < one["unique"] <= 1 and np.isfinite(one["nats"]) for one in found)
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert len(rows) == 2 + 4
    assert "log-variance | 2 |" in rows[2]
    monkeypatch.setattr(bench, "measured", lambda *rest, **options: pytest.fail("it was made twice"))
    assert bench.main(words) == found


def test_a_run_that_takes_no_step_has_the_figures_of_the_model(bench, tmp_path, monkeypatch):
    generator = MoleculeGenerator(**SIZES, batch_size=8).fit(MOLECULES, steps=20, holdout=0)
    generator.save(tmp_path)
    figures = bench.measured(str(tmp_path), "qed", "reinforce", 1, 0, batch_size=8, learning_rate=0.0)
    mean, std = generator.statistics_of("qed")
    drawn = [generator.sample(20, key=sd.Key(77).fold_in(part)) for part in range(2)]
    values = evaluate("qed", [one for part in drawn for one in part])
    assert figures["nats"] == pytest.approx(0, abs=1e-5)
    assert figures["mean"] == pytest.approx(np.nanmean(values), rel=1e-6)
    assert figures["distance"] == pytest.approx((mean - figures["mean"]) / std, rel=1e-5)
