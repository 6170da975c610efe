"""Several updates for a batch of evaluations: of the property network, and of the steered one through it."""

import math

import pytest

from softdraw.molecules import MoleculeGenerator
from softdraw.molecules.steering.gradients import prediction
from softdraw.molecules.steering.gradients.pathwise import Pathwise
from softdraw.molecules.steering.gradients.property_training import PropertyTraining
from softdraw.molecules.steering.steering import Steering

from ..small import MOLECULES, SIZES
from .resuming import assert_resumes


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fitted")
    MoleculeGenerator(**SIZES, batch_size=8).fit(MOLECULES, steps=60).save(folder)
    return folder


OPTIONS = {"estimator": "st-gumbel-softmax", "batch_size": 16, "property_steps": 5}


def steered(fitted, target, **options):
    return MoleculeGenerator.load(fitted).steer(target, **OPTIONS | options)


@pytest.fixture
def descents(monkeypatch):
    taken = []
    descend = Steering._descend

    def counted(self, loss):
        taken.append(self.steps)
        descend(self, loss)

    monkeypatch.setattr(Steering, "_descend", counted)
    return taken


def test_a_sum_over_atoms_is_always_trusted(fitted, descents):
    before = len(descents)
    generator = steered(fitted, {"heteroatoms": 2.0}, steps=3, pathwise_updates=4)
    assert descents[before:] == [0] * 4 + [1] * 4 + [2] * 4
    # the further ones ask for nothing
    assert generator.steer_summary["calls"] <= 3 * 16 + 32


@pytest.mark.parametrize("estimator", ["st-gumbel-softmax", "control-variate"])
@pytest.mark.parametrize(("bound", "updates"), [(math.inf, 3), (0.0, 1)])
def test_a_network_that_errs_is_followed_once(fitted, descents, monkeypatch, estimator, bound, updates):
    monkeypatch.setattr(prediction, "TRUSTED_GAP", bound)
    steered(fitted, {"logp": 1.0}, steps=2, pathwise_updates=3, estimator=estimator)
    assert descents == [0] * updates + [1] * updates


def test_further_draws_are_fresh(fitted, monkeypatch):
    seen = []
    loss = Pathwise._loss

    def noted(self, drawn, count):
        seen.append(tuple(drawn.types.flatten().tolist()))
        return loss(self, drawn, count)

    monkeypatch.setattr(Pathwise, "_loss", noted)
    steered(fitted, {"heteroatoms": 2.0}, steps=2, pathwise_updates=3, learning_rate=0.0)
    assert len(set(seen)) == 6


def test_the_property_network_learns_earlier_molecules_again(fitted, monkeypatch):
    sizes = []
    learn = PropertyTraining._learn

    def noted(self, types, bonds, labels, rate):
        sizes.append(len(types))
        return learn(self, types, bonds, labels, rate)

    monkeypatch.setattr(PropertyTraining, "_learn", noted)
    steered(fitted, {"logp": 1.0}, steps=2, property_updates=3)
    assert len(sizes) == 5 + 2 * 2 * 3
    assert set(sizes) == {16}


@pytest.mark.parametrize("target", [{"logp": 1.0}, {"heteroatoms": 2.0}])
def test_an_interrupted_steering_resumes_to_the_same_result(fitted, tmp_path, monkeypatch, target):
    options = OPTIONS | {"steps": 6, "property_updates": 2, "pathwise_updates": 2}
    assert_resumes(fitted, target, tmp_path, monkeypatch, **options)


@pytest.mark.parametrize("name", ["property_updates", "pathwise_updates"])
def test_no_update_at_all_is_refused(fitted, name):
    with pytest.raises(ValueError, match=f"{name}: got 0"):
        steered(fitted, {"logp": 1.0}, steps=1, **{name: 0})
