"""The benchmark of goal-directed generation measures what PMO does, and loses nothing when it is cut off."""

import json
import math

import numpy as np
import pytest
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator

from softdraw.molecules import MoleculeGenerator
from softdraw.molecules.tasks.suite import SUITES

from ..molecules.small import MOLECULES, SIZES


@pytest.fixture
def bench():
    from benchmarks import goal_directed

    return goal_directed


def test_the_figures_of_a_run(bench):
    scores = [0.1 * n for n in range(1, 9)] + [math.nan, 0.5, 0.95, 0.2]
    found = list(zip(MOLECULES, scores, strict=True))
    figures = bench.measured(found, calls=400)
    ten = np.sort(np.nan_to_num(scores))[-10:].mean()
    assert figures["top1"] == 0.95
    assert figures["top10"] == pytest.approx(ten)
    assert figures["top100"] == pytest.approx(np.nanmean(scores))
    # the curve rises from 0 to its last point at 12 calls, and stays there
    assert figures["auc_top10"] == pytest.approx(ten * (12 / 2 + 388) / 400)
    assert figures["best"][0] == [MOLECULES[10], 0.95]
    made = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    prints = [made.GetFingerprint(Chem.MolFromSmiles(one)) for one, value in found if value == value]
    pairs = [DataStructs.TanimotoSimilarity(a, b) for k, a in enumerate(prints) for b in prints[:k]]
    assert figures["diversity"] == pytest.approx(1 - np.mean(pairs), abs=1e-6)


def test_what_is_beyond_the_budget_does_not_count(bench):
    found = list(zip(MOLECULES, [0.1] * 10 + [1.0, 1.0], strict=True))
    assert bench.measured(found, calls=10)["top1"] == 0.1


def test_published_figures_stand_beside_the_objective_that_they_are_of(bench):
    before = {name.removesuffix("_prev") for name in SUITES["pmo-2022"]}
    expected = {f"{name}_prev" if name in before else name for name in SUITES["pmo"]}
    assert set(bench.PUBLISHED) == expected
    run = dict.fromkeys(bench.FIGURES, 0.5) | {"method": "softdraw", "calls": 10_000, "task": "median1"}
    other = run | {"task": "zaleplon_mpo"}
    text = bench.table([run, run | {"auc_top10": 0.7}, other])
    assert "| softdraw | median1 | 2 | 0.600 (0.500 to 0.700) |" in text
    assert "| 0.356 | 0.294 |" in text
    assert text.splitlines()[3].endswith("|  |  |")
    assert text.splitlines()[-1].endswith("0.5500")
    assert "0.356" not in bench.table([run | {"calls": 3000}])


def test_what_has_ended_is_not_run_again(bench, tmp_path, monkeypatch, capsys):
    (tmp_path / "data.smi").write_text("\n".join([*MOLECULES, "OCC"]) + "\n")
    words = ["--method", "random", "--data", str(tmp_path / "data.smi"), "--tasks", "median1", "--calls", "6"]
    words += ["--out", str(tmp_path / "out.json")]
    (first,) = bench.main(words)
    assert json.loads((tmp_path / "out.json").read_text()) == [first]
    assert first["evaluated"] == 6
    assert 0 < first["top10"] <= first["top1"] <= 1
    assert [path.name for path in (tmp_path / "out-runs").iterdir()] == []

    def refused(*arguments, **options):
        raise AssertionError("a process was started")

    monkeypatch.setattr(bench, "ProcessPoolExecutor", refused)
    assert bench.main(words) == [first]
    assert "median1" in capsys.readouterr().out
    with pytest.raises(AssertionError, match="a process was started"):
        bench.main([*words, "--seeds", "0,1"])


def test_random_molecules_are_different_ones_of_the_data(bench, tmp_path):
    (tmp_path / "data.smi").write_text("\n".join([*MOLECULES, "OCC", "no molecule"]) + "\n")
    drawn = list(bench.pool(tmp_path / "data.smi", 0, 100))
    assert sorted(drawn) == sorted({Chem.CanonSmiles(one) for one in MOLECULES})
    assert list(bench.pool(tmp_path / "data.smi", 0, 3)) == drawn[:3]
    assert list(bench.pool(tmp_path / "data.smi", 1, 100)) != drawn


@pytest.mark.parametrize("method", ["softdraw", "graph-ga"])
def test_methods_spend_the_budget_and_no_more(bench, tmp_path, method):
    (tmp_path / "data.smi").write_text("\n".join(MOLECULES) + "\n")
    MoleculeGenerator(**SIZES, batch_size=8).fit(MOLECULES, steps=20, holdout=0).save(tmp_path / "model")
    (tmp_path / "work").mkdir()
    parser_words = {"model": tmp_path / "model", "data": tmp_path / "data.smi", "calls": 30, "method": method}
    asked = bench.argparse.Namespace(**parser_words, set=["batch_size=8"], threads=1)
    found, seconds = bench.METHODS[method](asked, "albuterol_similarity", 0, tmp_path / "work")
    assert len(found) == len(dict(found)) == 30
    assert seconds > 0
    score = bench.property_of("albuterol_similarity")
    assert dict(found) == {one: score(Chem.MolFromSmiles(one)) for one, _ in found}
    assert bench.options_of(asked)["batch_size"] == 8
