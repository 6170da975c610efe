"""Steering by the score function with less variance: a control variate, or a baseline for each decision."""

import numpy as np
import pytest
import torch

import softdraw as sd
from softdraw.molecules import MoleculeGenerator
from softdraw.molecules.chemistry.properties import evaluate
from softdraw.molecules.model.drawing import draw
from softdraw.molecules.steering.gradients.control_variate import ControlVariate
from softdraw.molecules.steering.gradients.estimator import BLACK_BOX, steering_estimators

from ..small import MOLECULES, SIZES, random_network
from .resuming import assert_resumes


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fitted")
    MoleculeGenerator(**SIZES, batch_size=8).fit(MOLECULES, steps=80).save(folder)
    return folder


def distance(generator, goal, name):
    return float(np.abs(evaluate(name, generator.sample(300, key=sd.Key(9))) - goal).mean())


@pytest.mark.parametrize("estimator", ["reinforce-critic", "control-variate"])
def test_steering_reaches_a_target(fitted, estimator):
    generator = MoleculeGenerator.load(fitted)
    before = distance(generator, 3.0, "heteroatoms")
    options = {"learning_rate": 4e-3, "batch_size": 64, "free_draws": 1}
    generator.steer({"heteroatoms": 3.0}, steps=40, estimator=estimator, **options)
    assert distance(generator, 3.0, "heteroatoms") < before / 2
    assert generator.steer_summary["estimator"] == estimator
    assert generator.steer_summary["predicted_gap"] is None


def test_the_control_variate_is_learned_and_costs_no_evaluation(fitted, monkeypatch):
    seen = []
    loss = ControlVariate.loss

    def noted(self, batch):
        seen.append((self.correlated, len(batch.smiles)))
        return loss(self, batch)

    monkeypatch.setattr(ControlVariate, "loss", noted)
    generator = MoleculeGenerator.load(fitted)
    generator.steer({"logp": 1.0}, steps=5, estimator="control-variate", batch_size=32, property_steps=150)
    # nothing is known of it at first
    assert seen[0] == (0.0, 32)
    assert 0.5 < seen[-1][0] < 1.5
    assert generator.steer_summary["predicted_gap"] < 1


@pytest.mark.parametrize("estimator", ["reinforce-critic", "control-variate"])
def test_an_interrupted_steering_resumes_to_the_same_result(fitted, tmp_path, monkeypatch, estimator):
    options = {"steps": 6, "estimator": estimator, "batch_size": 16, "property_steps": 5}
    assert_resumes(fitted, {"logp": 1.0}, tmp_path, monkeypatch, **options)


@pytest.mark.filterwarnings("ignore:steering. the distance")
@pytest.mark.parametrize("estimator", ["reinforce-critic", "control-variate"])
def test_a_last_batch_that_is_paid_for_in_part_is_learned(fitted, estimator):
    generator = MoleculeGenerator.load(fitted)
    options = {"batch_size": 32, "property_steps": 5}
    generator.steer({"logp": 1.0}, calls=70, estimator=estimator, **options)
    assert generator.steer_summary["calls"] == 70
    assert all(bool(torch.isfinite(one).all()) for one in generator.network.parameters())


def test_they_are_known_by_name():
    assert {"reinforce-critic", "control-variate"} <= set(steering_estimators())
    assert "reinforce-critic" in BLACK_BOX
    with pytest.raises(ValueError, match="free_draws: got -1"):
        sd.molecules.MoleculeGenerator(**SIZES).steer({"logp": 1.0}, steps=1, free_draws=-1)


def test_decisions_are_listed_in_the_order_in_which_they_are_made():
    asked = []

    def choose(logits, mask, key):
        asked.append(logits.shape[1])
        return torch.nn.functional.one_hot(logits.argmax(1), logits.shape[1]).to(logits.dtype)

    drawn = draw(random_network(), 32, sd.Key(0), mask=False, choose=choose)
    widths = [5 if step < 0 else 3 * atom + (step > 0) for atom, step in drawn.order]
    assert widths[: len(asked)] == asked
    assert all(step < 0 for _, step in drawn.order[len(asked) :])
