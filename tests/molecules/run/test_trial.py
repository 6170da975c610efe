"""The trial of a run's targets: what it pays for is paid once, whichever process did it, and stays."""

from collections import Counter

import pytest

from softdraw.molecules.chemistry.property import Property
from softdraw.molecules.evaluating.evaluations import (
    EVALUATIONS,
    Evaluated,
    read_evaluations,
    write_evaluations,
)
from softdraw.molecules.run.options import RunOptions
from softdraw.molecules.run.run import Run
from softdraw.molecules.run.trial import CountedTrial
from softdraw.molecules.steering.targets import Target
from softdraw.molecules.storage.atomic import make_folder

CHAINS = ["C" * n for n in range(1, 61)]


@pytest.fixture
def asked():
    return Counter()


@pytest.fixture
def tried(tmp_path, asked):
    """One process: it tries, and keeps what it paid for."""

    def size(mol):
        asked[mol.GetNumAtoms()] += 1
        return mol.GetNumAtoms()

    def trial(calls, *, resume=True):
        found = CountedTrial(tmp_path, RunOptions(steer_calls=calls))
        found.resume = resume
        for _ in range(2):  # before the fit, and once more before the steering
            assert found.run([Target(Property("mine", compute=size), "max")], CHAINS) == []
            found.keep()
        return read_evaluations(tmp_path)[1]

    return trial


def test_a_larger_budget_pays_for_what_is_missing(tried, asked):
    assert len(tried(20, resume=False)) == 10
    assert len(tried(20)) == 10
    assert len(tried(40)) == 20
    assert len(tried(200)) == 32
    assert asked.total() == 32
    assert max(asked.values()) == 1


def test_once_a_steering_has_begun_a_larger_budget_tries_nothing_more(tried, tmp_path, asked):
    """The scale of its distances comes from the molecules that it began with."""
    before = tried(20, resume=False)
    table = {**before, "CCO": Evaluated((3.0,), step=0)}
    write_evaluations(tmp_path / EVALUATIONS, ["mine"], table)
    assert tried(200) == table
    assert asked.total() == 10
    # what was drawn counts against the budget too
    write_evaluations(tmp_path / EVALUATIONS, ["mine"], before)
    assert len(tried(10)) == 10


def test_a_new_steering_knows_of_the_data_alone(tmp_path, asked, tried):
    before = tried(20, resume=False)
    write_evaluations(tmp_path / EVALUATIONS, ["mine"], {**before, "CCO": Evaluated((3.0,), step=0)})
    found = CountedTrial(tmp_path, RunOptions(steer_calls=20))
    found.resume = True
    found.run([Target(Property("mine", compute=lambda mol: 1 / 0), "max")], CHAINS)
    (tmp_path / EVALUATIONS).unlink()
    found.keep()
    assert read_evaluations(tmp_path)[1] == before


def test_without_resume_and_of_other_properties_nothing_is_taken_over(tmp_path, asked, tried):
    write_evaluations(tmp_path / EVALUATIONS, ["other"], {"CC": Evaluated((3.0,))})
    assert len(tried(20)) == 10
    assert asked.total() == 10
    (tmp_path / EVALUATIONS).unlink()
    assert len(tried(20, resume=False)) == 10
    assert asked.total() == 20


def test_what_a_new_steering_gives_up_is_counted(tmp_path):
    run = Run(tmp_path, RunOptions(steer_calls=20), say=print)
    assert run._given_up() == ""
    folder = make_folder(run.folder.steer_checkpoints)
    rows = {"C": Evaluated((1.0,)), "CC": Evaluated((2.0,), step=0), "CCC": Evaluated((3.0,), step=1)}
    write_evaluations(folder / EVALUATIONS, ["mine"], rows)
    assert run._given_up() == "; what was paid for 2 molecules that it drew is given up"
