"""Steering that draws on from a given part: every molecule keeps it, whatever the estimator."""

import warnings

import pytest
import torch

import softdraw as sd
from softdraw.molecules import MoleculeGenerator
from softdraw.molecules.chemistry.scaffold import read_scaffold
from softdraw.molecules.errors import CheckpointError, DataError
from softdraw.molecules.evaluating.evaluations import read_evaluations

from ..small import MOLECULES, SIZES

SCAFFOLD = "[*]CO"
ESTIMATORS = ["st-gumbel-softmax", "reinforce", "reinforce-critic", "control-variate", "log-variance"]
QUICK = {"batch_size": 8, "property_steps": 1}


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fitted")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        MoleculeGenerator(**SIZES, batch_size=8).fit(MOLECULES, steps=10).save(folder)
    return folder


def steered(fitted, **options):
    generator = MoleculeGenerator.load(fitted)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of so few steps
        return generator.steer({"heavy_atoms": "max"}, **{**QUICK, **options})


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_every_molecule_that_is_evaluated_holds_the_part(fitted, tmp_path, estimator):
    more = {"updates": 2, "memory": 10} if estimator == "log-variance" else {}
    generator = steered(fitted, calls=24, scaffold=SCAFFOLD, estimator=estimator, folder=tmp_path, **more)
    part = read_scaffold(SCAFFOLD)
    _, rows = read_evaluations(tmp_path)
    drawn = [one for one, known in rows.items() if known.step is not None]
    assert len(drawn) > 5
    assert all(part.is_in(one) for one in drawn)
    before = MoleculeGenerator.load(fitted).network.parameters()
    assert any(not torch.equal(a, b) for a, b in zip(generator.network.parameters(), before, strict=True))
    assert generator.steer_summary["scaffold"] == [SCAFFOLD]
    assert abs(generator.steer_history[0]["kl"]) < 1e-3


def test_a_resume_keeps_the_part(fitted, tmp_path):
    options = {"estimator": "log-variance", "updates": 2, "memory": 10, "scaffold": SCAFFOLD}
    whole = steered(fitted, steps=4, **options)
    steered(fitted, steps=2, folder=tmp_path, **options)
    with pytest.raises(CheckpointError, match=r"its targets are heavy_atoms=max \[\*\]CO"):
        steered(fitted, steps=4, folder=tmp_path, resume=True, **{**options, "scaffold": "[*]CN"})
    assert len(whole.sample(20, key=sd.Key(0), scaffold=SCAFFOLD)) == 20


def test_what_cannot_be_kept_is_refused(fitted):
    with pytest.raises(DataError, match="scaffold: got 'xyz'"):
        steered(fitted, steps=1, scaffold="xyz")
    with pytest.raises(DataError, match=r"\[\*\]B"):
        steered(fitted, steps=1, scaffold="[*]B(O)O")
    with pytest.raises(ValueError, match=r"offspring: got 0\.5 and a scaffold, expected 0"):
        steered(fitted, steps=1, scaffold=SCAFFOLD, estimator="log-variance", offspring=0.5)
