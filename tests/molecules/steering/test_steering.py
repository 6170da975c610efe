import numpy as np
import pytest
import torch

import softdraw as sd
from softdraw.molecules import MoleculeGenerator
from softdraw.molecules.chemistry.properties import evaluate
from softdraw.molecules.errors import CheckpointError, TargetError
from softdraw.molecules.runtime.remarks import MoleculeWarning
from softdraw.molecules.steering.steering import Steering

from ..small import MOLECULES, SIZES


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    data = [*MOLECULES, *(f"{one}C" for one in MOLECULES if not one.startswith("FCC"))]
    folder = tmp_path_factory.mktemp("fitted")
    MoleculeGenerator(**SIZES, batch_size=8).fit(data, steps=120).save(folder)
    return folder


def distance(generator, goal, name="heteroatoms"):
    values = evaluate(name, generator.sample(400, key=sd.Key(9)))
    return float(np.abs(values - goal).mean())


@pytest.mark.parametrize("estimator", ["log-variance", "st-gumbel-softmax", "reinforce", "reinmax", "st"])
def test_steering_reaches_an_additive_target_without_a_property_network(fitted, estimator):
    generator = MoleculeGenerator.load(fitted)
    before = distance(generator, 3.0)
    generator.steer({"heteroatoms": 3.0}, steps=60, estimator=estimator, learning_rate=3e-3, batch_size=64)
    assert distance(generator, 3.0) < before / 2
    assert generator.steer_summary["predicted_gap"] is None
    assert generator.steer_summary["estimator"] == estimator


def test_steering_through_a_property_network_is_judged_by_rdkit(fitted):
    generator = MoleculeGenerator.load(fitted)
    before = distance(generator, 1.2, "logp")
    generator.steer(
        {"logp": 1.2},
        steps=60,
        learning_rate=3e-3,
        batch_size=64,
        property_steps=150,
        estimator="st-gumbel-softmax",
    )
    assert distance(generator, 1.2, "logp") < before
    assert generator.steer_summary["predicted_gap"] < 1


def test_several_targets_and_directions(fitted):
    generator = MoleculeGenerator.load(fitted)
    before = evaluate("heavy_atoms", generator.sample(200, key=sd.Key(1))).mean()
    generator.steer(["heavy_atoms=min", "heteroatoms=1@0.2"], steps=40, learning_rate=3e-3, batch_size=64)
    assert evaluate("heavy_atoms", generator.sample(200, key=sd.Key(1))).mean() < before
    assert [target["weight"] for target in generator.steer_summary["targets"]] == [1.0, 0.2]


def test_the_temperature_falls_and_draws_get_decided(fitted):
    generator = MoleculeGenerator.load(fitted)
    generator.steer({"heteroatoms": 2.0}, steps=31, estimator="st-gumbel-softmax")
    history = generator.steer_history
    assert [entry["step"] for entry in history] == [0, 10, 20, 30]
    assert [entry["tau"] for entry in history] == sorted((entry["tau"] for entry in history), reverse=True)
    assert history[0]["tau"] == 1.0
    assert history[-1]["decided_bonds"] > history[0]["decided_bonds"]
    assert abs(history[0]["kl"]) < 1e-4


def test_gradients_reach_every_weight_through_the_draws(fitted, monkeypatch):
    """The cost alone: its gradient passes types, bonds and the inputs of the network."""
    generator = MoleculeGenerator.load(fitted)
    seen = []
    clip = torch.nn.utils.clip_grad_norm_

    def spy(parameters, most):
        parameters = list(parameters)
        seen.append([float(weight.grad.abs().sum()) for weight in parameters if weight.grad is not None])
        return clip(parameters, most)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", spy)
    generator.steer({"heteroatoms": 3.0}, steps=1, divergence=0.0, estimator="st-gumbel-softmax")
    reached = np.array(seen[0])
    assert len(reached) == len(list(generator.network.parameters()))
    assert (reached > 0).mean() > 0.9


@pytest.mark.parametrize("estimator", ["log-variance", "st-gumbel-softmax"])
def test_the_divergence_keeps_the_network_near_the_fitted_one(fitted, estimator):
    ends = []
    for price in (0.0, 3.0):
        generator = MoleculeGenerator.load(fitted)
        options = {"divergence": price, "learning_rate": 3e-3, "estimator": estimator}
        generator.steer({"heteroatoms": 3.0}, steps=41, **options)
        ends.append(generator.steer_history[-1]["kl"])
    assert ends[1] < ends[0] / 2


@pytest.mark.parametrize("estimator", ["log-variance", "st-gumbel-softmax"])
def test_an_interrupted_steering_resumes_to_the_same_result(fitted, tmp_path, monkeypatch, estimator):
    options = {"steps": 12, "property_steps": 5, "estimator": estimator}
    whole = MoleculeGenerator.load(fitted).steer({"logp": 1.0}, **options)

    step = Steering.step

    def interrupt(self):
        if self.steps == 5:
            import os
            import signal

            os.kill(os.getpid(), signal.SIGINT)
        return step(self)

    with monkeypatch.context() as patch:
        patch.setattr(Steering, "step", interrupt)
        part = MoleculeGenerator.load(fitted).steer({"logp": 1.0}, folder=tmp_path, **options)
    assert part.steer_summary["interrupted"]
    assert part.steer_summary["steps"] == 6
    resumed = MoleculeGenerator.load(fitted).steer({"logp": 1.0}, folder=tmp_path, resume=True, **options)
    for mine, theirs in zip(resumed.network.parameters(), whole.network.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    assert [e["distance"] for e in resumed.steer_history] == [e["distance"] for e in whole.steer_history]


def test_a_checkpoint_of_another_steering_is_refused(fitted, tmp_path):
    MoleculeGenerator.load(fitted).steer({"heteroatoms": 1.0}, steps=2, folder=tmp_path)
    with pytest.raises(CheckpointError, match=r"steer\.ckpt"):
        MoleculeGenerator.load(fitted).steer(
            {"logp": 1.0}, steps=2, property_steps=2, folder=tmp_path, resume=True
        )


def test_bad_arguments_are_named(fitted):
    generator = MoleculeGenerator.load(fitted)
    with pytest.raises(ValueError, match=r"estimator: got 'no-such'.*reinforce"):
        generator.steer({"logp": 1.0}, steps=1, estimator="no-such")
    with pytest.raises(ValueError, match="estimator: got 'rebar'"):
        generator.steer({"logp": 1.0}, steps=1, estimator="rebar")
    with pytest.raises(TargetError, match="colour"):
        generator.steer({"colour": 1.0}, steps=1)


def test_without_a_target_logp_goes_up(fitted):
    generator = MoleculeGenerator.load(fitted)
    generator.steer(steps=1, property_steps=1)
    mean, std = generator.statistics_of("logp")
    assert generator.steer_summary["targets"] == [
        {"property": "logp", "goal": pytest.approx(mean + 1.5 * std), "weight": 1.0}
    ]


@pytest.mark.parametrize("combine", ["sum", "product"])
def test_ranges_sigmoids_and_products_are_reached(fitted, combine):
    generator = MoleculeGenerator.load(fitted)
    before = generator.sample(300, key=sd.Key(9))
    targets = {"heteroatoms": "3..", "heavy_atoms": "sigmoid(4,-0.5)"}
    generator.steer(targets, combine=combine, steps=60, learning_rate=3e-3, batch_size=64)
    after = generator.sample(300, key=sd.Key(9))
    missed = [3 - np.minimum(evaluate("heteroatoms", drawn), 3) for drawn in (before, after)]
    assert missed[1].mean() < missed[0].mean() * 0.7
    assert generator.steer_summary["combine"] == combine
    assert [target["goal"] for target in generator.steer_summary["targets"]] == ["3..", "sigmoid(4,-0.5)"]


def test_reinforce_climbs_a_step(fitted):
    generator = MoleculeGenerator.load(fitted)
    shares = [(evaluate("heteroatoms", generator.sample(300, key=sd.Key(9))) >= 3).mean()]
    generator.steer(
        {"heteroatoms": "step(3)"}, steps=60, estimator="reinforce", learning_rate=3e-3, batch_size=64
    )
    shares.append((evaluate("heteroatoms", generator.sample(300, key=sd.Key(9))) >= 3).mean())
    assert shares[1] > shares[0] + 0.2


def test_a_step_is_refused_where_its_gradient_would_be_followed(fitted):
    with pytest.raises(TargetError, match=r"logp=step\(1\): a step has no gradient, which the estimator st "):
        MoleculeGenerator.load(fitted).steer({"logp": "step(1)"}, estimator="st", steps=1)


def test_another_way_to_combine_is_refused_before_anything_is_asked(fitted):
    with pytest.raises(ValueError, match="combine: got 'or', expected one of"):
        MoleculeGenerator.load(fitted).steer({"logp": 1.0}, combine="or", steps=1)


def test_what_an_estimator_does_not_take_is_said(fitted):
    options = {"steps": 1, "estimator": "reinforce", "batch_size": 8}
    with pytest.warns(MoleculeWarning, match="offspring, screen: reinforce evaluates what the network draws"):
        MoleculeGenerator.load(fitted).steer({"heteroatoms": 1.0}, offspring=0.5, **options)
