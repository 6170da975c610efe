"""Budgets are split as promised, and a run's options survive its configuration."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softdraw.molecules.errors import CheckpointError, OutputError, TargetError
from softdraw.molecules.run.options import DEFAULT_MINUTES, RunOptions
from softdraw.molecules.run.request import check_request


def test_default_budget():
    options = RunOptions()
    assert options.fit_budget == {"minutes": 4.0}
    assert options.steer_budget == {"minutes": 2.0}
    assert DEFAULT_MINUTES == 6.0


@given(st.floats(1e-3, 1e4))
def test_fit_and_steering_share_the_minutes(minutes):
    options = RunOptions(minutes=minutes)
    fit, steer = options.fit_budget["minutes"], options.steer_budget["minutes"]
    assert fit + steer == pytest.approx(minutes, abs=1e-8)
    assert fit == pytest.approx(2 * steer, abs=1e-8)


@pytest.mark.parametrize(
    ("given_", "fit", "steer"),
    [
        ({"steps": 100}, {"steps": 100}, {"steps": 20}),
        ({"steps": 2}, {"steps": 2}, {"steps": 1}),
        ({"steps": 100, "steer_steps": 7}, {"steps": 100}, {"steps": 7}),
        ({"minutes": 3, "steer_minutes": 1}, {"minutes": 2.0}, {"minutes": 1}),
        ({"minutes": 3, "steer_steps": 5}, {"minutes": 3.0}, {"steps": 5}),
        ({"steps": 9, "steer_minutes": 5}, {"steps": 9}, {"minutes": 5}),
    ],
)
def test_budgets(given_, fit, steer):
    options = RunOptions(**given_)
    assert (options.fit_budget, options.steer_budget) == (fit, steer)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"minutes": 1, "steps": 2}, "minutes, steps: got 1 and 2"),
        ({"steps": 2, "steer_steps": 1, "steer_minutes": 2}, "steer_minutes, steer_steps: got 2 and 1"),
        ({"minutes": 0}, "minutes: got 0"),
        ({"minutes": float("inf")}, "minutes: got inf"),
        ({"minutes": float("nan")}, "minutes: got nan"),
        ({"minutes": 2, "steer_minutes": 2}, "steer_minutes: got 2"),
        ({"steer_minutes": -1, "steps": 1}, "steer_minutes: got -1"),
        ({"steps": 0}, "steps: got 0, expected an int >= 1"),
        ({"samples": 0}, "samples: got 0"),
        ({"max_atoms": -1}, "max_atoms: got -1"),
        ({"fragments": "all"}, "fragments: got 'all', expected drop or largest"),
        ({"elements": ("C", "X")}, "elements: got 'X', expected symbols of heavy elements"),
        ({"max_atoms": 300}, "max_atoms: got 300, expected 1 to 255"),
        ({"encoding": "rot13"}, "encoding: got 'rot13', expected the name of an encoding of text"),
    ],
)
def test_mistakes_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        RunOptions(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [{"minutes": "1"}, {"steps": 2.5}, {"samples": "many"}, {"devices": True}, {"steer_minutes": [1]}],
)
def test_a_wrong_type_is_a_type_error(wrong):
    (name,) = wrong
    with pytest.raises(TypeError, match=f"{name}: got .*, expected"):
        RunOptions(**wrong)


def test_command_repeats_what_differs_from_the_defaults():
    options = RunOptions(
        data="my file.smi",
        elements=("C", "N"),
        max_atoms=9,
        encoding="cp1252",
        fragments="largest",
        steps=5,
        targets=("logp=2", "m:f=max@0.5"),
        forbid=("pains", "my file.smarts"),
        require=("a.smarts",),
        fcd=False,
    )
    assert options.command == (
        "softdraw molecules run --data 'my file.smi' --elements C,N --max-atoms 9 "
        "--encoding cp1252 --fragments largest --steps 5 --target logp=2 "
        "--target m:f=max@0.5 --forbid pains --forbid 'my file.smarts' --require a.smarts "
        "--seed 0 --no-fcd"
    )
    assert RunOptions().command == "softdraw molecules run --minutes 6 --seed 0"


@given(
    st.fixed_dictionaries(
        {"data": st.text(), "seed": st.integers(), "samples": st.integers(1, 10**6)},
        optional={
            "elements": st.lists(st.sampled_from("CNOF"), min_size=1).map(tuple),
            "max_atoms": st.integers(1, 255),
            "minutes": st.floats(1e-6, 1e6),
            "targets": st.lists(st.text()).map(tuple),
            "forbid": st.lists(st.text()).map(tuple),
        },
    )
)
def test_round_trip_through_the_configuration(values):
    options = RunOptions(**values)
    assert RunOptions.from_dict(json.loads(json.dumps(options.to_dict()))) == options


@pytest.mark.parametrize("stored", [{"colour": 1}, {"minutes": -1}, {"samples": "many"}])
def test_a_damaged_configuration_is_named(stored):
    with pytest.raises(CheckpointError, match=r"config\.json"):
        RunOptions.from_dict(stored)


def test_what_is_done_with_fragments_may_not_change_on_the_way():
    """A run of before there was a choice left them out, and goes on as it was."""
    before = {"data": "digest", "elements": None, "max_atoms": None, "seed": 0, "minutes": 4.0}
    assert RunOptions().fit_stage("digest") == before
    largest = RunOptions(fragments="largest")
    largest.check_same_model(largest.fit_stage("digest"), "digest", "runs/a")
    largest.check_same_model({}, "digest", "runs/a")
    with pytest.raises(OutputError, match="runs/a: holds a run with fragments drop, and largest was asked"):
        largest.check_same_model(before, "digest", "runs/a")
    with pytest.raises(OutputError, match="runs/a: holds a run with fragments largest, and drop was asked"):
        RunOptions().check_same_model(largest.fit_stage("digest"), "digest", "runs/a")


def test_only_budgets_and_targets_may_change_on_the_way():
    stored = RunOptions(minutes=1).fit_stage("digest")
    RunOptions(minutes=9, targets=("qed=max",), samples=7).check_same_model(stored, "digest", "runs/a")
    with pytest.raises(OutputError, match="runs/a: holds a run with other data"):
        RunOptions().check_same_model(stored, "another", "runs/a")
    with pytest.raises(OutputError, match="holds a run with seed 0, and 5 was asked for"):
        RunOptions(seed=5).check_same_model(stored, "digest", "runs/a")
    with pytest.raises(OutputError, match="max_atoms None, and 9 was asked for"):
        RunOptions(max_atoms=9).check_same_model(stored, "digest", "runs/a")


def test_requests_are_checked_before_any_training():
    check_request(RunOptions(estimator="reinforce"))
    check_request(
        RunOptions(estimator="gumbel-softmax", targets=("tpsa=min", "rdkit.Chem.Lipinski:RingCount=1"))
    )
    with pytest.raises(ValueError, match=r"'rebar', expected one of .*st-gumbel-softmax"):
        check_request(RunOptions(estimator="rebar"))
    with pytest.raises(TargetError, match="has no nothing"):
        check_request(RunOptions(targets=("math:nothing=1",)))


def test_a_step_is_refused_where_its_gradient_would_be_followed():
    with pytest.raises(TargetError, match=r"logp=step\(1\): a step has no gradient, which the estimator st "):
        check_request(RunOptions(targets=("logp=step(1)",), estimator="st"))
    for estimator in ("reinforce", "log-variance", "control-variate"):
        check_request(RunOptions(targets=("logp=step(1)",), estimator=estimator))
    check_request(RunOptions(targets=("logp=sigmoid(1,0.1)",), estimator="st"))


def test_the_scaffold_is_part_of_the_steering_and_of_the_command(tmp_path):
    (tmp_path / "parts.smi").write_text("C1CC1\n[*]OC\n")
    options = RunOptions(steps=10, keep_scaffold=("[*]CO", str(tmp_path / "parts.smi")))
    assert "--keep-scaffold '[*]CO' --keep-scaffold" in options.command
    assert options.scaffolds == ["[*]CO", "C1CC1", "[*]OC"]
    assert options.steer_stage("digest")["scaffold"] == options.scaffolds
    assert "scaffold" not in RunOptions(steps=10).steer_stage("digest")


def test_how_targets_are_combined_is_part_of_the_steering_and_of_the_command():
    options = RunOptions(steps=10, targets=("logp=1..3", "mw<=350@0.5"), combine="product")
    assert "--target logp=1..3 --target 'mw<=350@0.5' --seed 0 --combine product" in options.command
    assert options.steer_options == {"combine": "product"}
    assert options.steer_stage("digest")["combine"] == "product"
    # a run of before there was a choice goes on
    assert "combine" not in RunOptions(steps=10).steer_stage("digest")
    with pytest.raises(ValueError, match="combine: got 'both', expected one of"):
        RunOptions(combine="both")
