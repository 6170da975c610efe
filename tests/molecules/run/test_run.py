"""The stages of a run: what is written when, what is done again, and what a failure leaves behind."""

import errno
import json
import os
from pathlib import Path

import pytest

from softdraw.molecules.errors import CheckpointError, DataError, OutputError
from softdraw.molecules.run.options import RunOptions
from softdraw.molecules.run.processes import is_worker
from softdraw.molecules.run.run import Run
from softdraw.molecules.storage import atomic as writing

from ..fake_generator import STEERED, TRAIN, FakeGenerator

COMPLETE = {
    "checkpoints",
    "config.json",
    "history.json",
    "metrics.json",
    "report.html",
    "samples.smi",
    "samples_unmasked.smi",
    "stages.json",
    "steered.smi",
}


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data.smi"
    path.write_text("\n".join(TRAIN))
    return str(path)


@pytest.fixture(autouse=True)
def fake(monkeypatch):
    """The fake generator in place of the real one, with a clean record."""
    for name in ("LOCAL_RANK", "RANK", "NODE_RANK", "GROUP_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(FakeGenerator, "calls", [])
    monkeypatch.setattr(FakeGenerator, "interrupt", set())
    monkeypatch.setattr(FakeGenerator, "fail", None)
    monkeypatch.setattr("softdraw.molecules.generator.MoleculeGenerator", FakeGenerator)
    # charts have tests of their own, and take longer to render than all the rest
    monkeypatch.setattr("softdraw.molecules.report.figures.chart", lambda figure: "data:,")
    return FakeGenerator


@pytest.fixture
def place(tmp_path):
    return tmp_path / "run"


def options_of(data, **changes):
    return RunOptions(**{"data": data, "steps": 20, "samples": 12, **changes})


def names(fake):
    return [call[0] for call in fake.calls if call[0] in ("fit", "steer")]


def resumed(fake):
    return [(call[0], call[2]["resume"]) for call in fake.calls if call[0] in ("fit", "steer")]


def metrics_of(place):
    return json.loads((place / "metrics.json").read_text())


def test_a_run_leaves_a_complete_folder(data, place, fake):
    lines = []
    Run(place, options_of(data), say=lines.append).everything()
    assert set(os.listdir(place)) == COMPLETE
    metrics = metrics_of(place)
    assert metrics["samples"].keys() == {
        "count",
        "validity",
        "validity_unmasked",
        "uniqueness",
        "novelty_train",
        "valid_unique_novel",
        "fcd",
    }
    assert metrics["samples"]["validity"] == 1.0
    assert metrics["samples"]["validity_unmasked"] == 11 / 12
    assert {"target", "distance_before", "distance_after", "uniqueness_after", "estimator"} <= metrics[
        "steer"
    ].keys()
    assert metrics["steer"]["distance_after"] < metrics["steer"]["distance_before"]
    assert {"seconds", "epochs", "loss", "parameters"} <= metrics["fit"].keys()
    assert len((place / "samples.smi").read_text().splitlines()) == 12
    assert (place / "samples_unmasked.smi").read_text().startswith("\n")
    assert set((place / "steered.smi").read_text().split()) <= set(STEERED)
    assert lines[-1] == f"report: {place / 'report.html'}"
    assert any("under-trained" in line for line in lines)


def test_the_two_masked_draws_share_their_noise(data, place, fake, monkeypatch):
    keys = []
    real = FakeGenerator.sample

    def sample(self, count, *, key=None, mask=True):
        keys.append((self.stage, mask, key.seed))
        return real(self, count, key=key, mask=mask)

    monkeypatch.setattr(FakeGenerator, "sample", sample)
    Run(place, options_of(data)).everything()
    found = {(stage, mask): seed for stage, mask, seed in keys}
    assert found["fitted", True] == found["steered", True] != found["fitted", False]


def test_distance_is_that_of_the_written_molecules(data, place, fake):
    from softdraw.molecules.chemistry.properties import evaluate

    Run(place, options_of(data, targets=("logp=2", "mw=max@0.5"))).everything()
    steer = metrics_of(place)["steer"]
    known = {name: evaluate(name, TRAIN) for name in ("logp", "mw")}
    for draw, reached in (("samples.smi", "distance_before"), ("steered.smi", "distance_after")):
        drawn = (place / draw).read_text().split()
        logp = abs(evaluate("logp", drawn) - 2).mean() / known["logp"].std()
        mw = (known["mw"].mean() - evaluate("mw", drawn)).mean() / known["mw"].std()
        assert [target[reached] for target in steer["targets"]] == pytest.approx([logp, mw])
        assert steer[reached] == pytest.approx((logp + 0.5 * mw) / 1.5)
    assert steer["target"] == "logp=2 mw=max@0.5"


def test_draws_are_held_to_patterns_and_nothing_is_left_out(data, place, fake, tmp_path):
    patterns = [str(tmp_path / name) for name in ("nitrogen.smarts", "three.smarts")]
    for path, smarts in zip(patterns, ("[#7]", "[#6]~*~*"), strict=True):
        Path(path).write_text(smarts)
    lines = []
    options = options_of(data, samples=60, forbid=(patterns[0],), require=(patterns[1],))
    Run(place, options, say=lines.append).everything()
    scores = metrics_of(place)["scores"]
    for draw, file in (("fitted", "samples"), ("unmasked", "samples_unmasked"), ("steered", "steered")):
        drawn = [one for one in (place / f"{file}.smi").read_text().split("\n")[:-1] if one]
        nitrogen = sum("N" in one for one in drawn)
        assert scores[draw]["forbidden"] == ({patterns[0]: nitrogen} if nitrogen else {})
        lacking = scores[draw]["lacking"].get(patterns[1], 0)
        assert scores[draw]["passing"] == (len(drawn) - nitrogen - lacking) / len(drawn)
    assert 0 < scores["fitted"]["passing"] < 1 == scores["steered"]["passing"]
    share = f"{100 * scores['fitted']['passing']:.1f} %"
    assert f"patterns: {share} of the fitted molecules, 100.0 % of the steered molecules pass" in lines
    report = (place / "report.html").read_text()
    assert "passes the patterns" in report
    assert share in report
    Run(place, options_of(data, samples=60), say=lines.append).everything(resume=True)
    assert "passing" not in metrics_of(place)["scores"]["fitted"]


def test_budgets_and_options_reach_the_generator(data, place, fake):
    run = Run(
        place,
        options_of(data, elements=("C", "N", "O", "F"), max_atoms=9, steer_steps=3, estimator="reinmax"),
    )
    run.everything()
    (_, source, fit), (_, _, steer) = [call for call in fake.calls if call[0] in ("fit", "steer")]
    assert source.graphs.smiles == TRAIN
    assert fit["steps"] == 20
    assert not fit["resume"]
    assert (steer["steps"], steer["estimator"], steer["resume"]) == (3, "reinmax", False)


def test_an_existing_run_is_kept(data, place, fake):
    Run(place, options_of(data)).everything()
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    with pytest.raises(OutputError, match="already holds"):
        Run(place, options_of(data, seed=1)).everything()
    with pytest.raises(OutputError, match="seed 0, and 1 was asked for"):
        Run(place, options_of(data, seed=1)).everything(resume=True)
    with pytest.raises(DataError):
        Run(place, options_of(str(place / "missing.smi"))).everything(overwrite=True)
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before
    assert names(fake) == ["fit", "steer"]


def test_a_file_without_molecules_costs_no_earlier_result(data, place, fake, tmp_path):
    Run(place, options_of(data)).everything()
    empty = tmp_path / "nothing.smi"
    empty.write_text("not-a-molecule\n")
    with pytest.raises(DataError, match="none of 1 molecules is usable"):
        Run(place, options_of(str(empty))).everything(overwrite=True)
    assert set(os.listdir(place)) == COMPLETE


def test_resume_does_nothing_twice(data, place, fake):
    Run(place, options_of(data)).everything()
    first = (place / "samples.smi").read_bytes()
    fake.calls.clear()
    Run(place, options_of(data)).everything(resume=True)
    assert names(fake) == []
    assert (place / "samples.smi").read_bytes() == first
    assert metrics_of(place)["fit"]["steps"] == 20


def test_resume_in_an_empty_folder_begins(data, place, fake):
    Run(place, options_of(data)).everything(resume=True)
    assert set(os.listdir(place)) == COMPLETE
    assert not fake.calls[0][2]["resume"]


def test_resume_goes_on_after_a_kill_in_the_fit(data, place, fake):
    fake.fail = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        Run(place, options_of(data)).everything()
    fake.fail = None
    fake.calls.clear()
    Run(place, options_of(data)).everything(resume=True)
    assert resumed(fake) == [("fit", True), ("steer", False)]
    assert set(os.listdir(place)) == COMPLETE


def test_more_minutes_go_on_with_the_fit_and_steer_anew(data, place, fake):
    Run(place, options_of(data)).everything()
    fake.calls.clear()
    Run(place, options_of(data, steps=40)).everything(resume=True)
    assert resumed(fake) == [
        ("fit", True),
        ("steer", False),
    ]


def test_another_target_steers_anew_without_a_fit(data, place, fake):
    Run(place, options_of(data)).everything()
    fake.calls.clear()
    Run(place, options_of(data, targets=("qed=max",))).everything(resume=True)
    assert resumed(fake) == [("steer", False)]
    assert metrics_of(place)["steer"]["target"] == "qed=max"


def test_other_data_under_the_same_name_is_noticed(data, place, fake):
    Run(place, options_of(data)).everything()
    with open(data, "a") as file:
        file.write("\nCCCCO")
    with pytest.raises(OutputError, match="other data"):
        Run(place, options_of(data)).everything(resume=True)


def test_ctrl_c_in_the_fit_ends_in_a_usable_folder(data, place, fake):
    fake.interrupt = {"fit"}
    run = Run(place, options_of(data))
    run.everything()
    assert run.interrupted
    assert names(fake) == ["fit"]
    assert set(os.listdir(place)) == COMPLETE - {"steered.smi"}
    assert metrics_of(place)["steer"] is None
    assert "The fit was interrupted" in (place / "report.html").read_text()
    assert not any(call[2].get("fcd") for call in fake.calls if call[0] == "score")
    fake.interrupt = set()
    fake.calls.clear()
    again = Run(place, options_of(data))
    again.everything(resume=True)
    assert not again.interrupted
    assert resumed(fake) == [
        ("fit", True),
        ("steer", False),
    ]


def test_ctrl_c_in_the_steering_keeps_the_fit(data, place, fake):
    fake.interrupt = {"steer"}
    run = Run(place, options_of(data))
    run.everything()
    assert run.interrupted
    assert set(os.listdir(place)) == COMPLETE
    fake.interrupt = set()
    fake.calls.clear()
    Run(place, options_of(data)).everything(resume=True)
    assert resumed(fake) == [("steer", True)]


def test_a_full_disk_anywhere_leaves_whole_files_and_can_be_resumed(data, place, fake, monkeypatch):
    """The n-th write fails, for every n there is; then the run goes on to the same molecules."""
    Run(place.with_name("whole"), options_of(data)).everything()
    expected = (place.with_name("whole") / "steered.smi").read_bytes()
    rename = os.replace
    for failing in range(100):
        count = iter(range(1000))

        def replace(source, target, count=count, failing=failing):
            if next(count) == failing:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            rename(source, target)

        target = place.with_name(f"full{failing}")
        with monkeypatch.context() as patch:
            patch.setattr(writing.os, "replace", replace)
            message = ""
            try:
                Run(target, options_of(data)).everything()
            except OutputError as error:
                message = str(error)
        if not message:
            break
        assert "No space left on device" in message
        for path in target.glob("*.json"):
            json.loads(path.read_text())
        assert not list(target.glob(".*"))
        if failing in (0, 5, 9):
            Run(target, options_of(data)).everything(resume=True)
            assert (target / "steered.smi").read_bytes() == expected
    assert failing > 10


def test_steering_alone(data, place, fake):
    run = Run(place, options_of(data))
    with pytest.raises(DataError, match="no such folder"):
        run.steering()
    run.open()
    with pytest.raises(CheckpointError, match="holds no fitted model yet"):
        Run(place, options_of(data)).steering()
    run.fit()
    os.remove(data)
    Run(place, options_of(data, targets=("qed=max",))).steering()
    assert set(os.listdir(place)) == COMPLETE
    assert names(fake) == ["fit", "steer"]
    with pytest.raises(OutputError, match="already holds a steered model"):
        Run(place, options_of(data)).steering()
    Run(place, options_of(data)).steering(overwrite=True)
    assert metrics_of(place)["steer"]["target"].startswith("logp=")


def test_a_damaged_model_is_an_error(data, place, fake):
    Run(place, options_of(data)).everything()
    (place / "checkpoints" / "fitted" / "generator.json").write_text("{")
    with pytest.raises(CheckpointError, match="cannot be read as a checkpoint"):
        Run(place, options_of(data)).everything(resume=True)


def test_a_helping_process_writes_nothing_of_its_own(data, place, fake, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    options = options_of(data, devices=2, strategy="ddp")
    assert is_worker(2, "ddp")
    Run(place, options).everything()
    assert names(fake) == ["fit"]
    assert [path for path in place.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("value", ["0", ""])
def test_the_first_process_is_no_worker(monkeypatch, value):
    monkeypatch.setenv("LOCAL_RANK", value)
    assert not is_worker()
