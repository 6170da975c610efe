"""What the learner of the log-variance loss does with a batch, number by number."""

import math

import numpy as np
import pytest
import torch

from softdraw.molecules import MoleculeGenerator
from softdraw.molecules.chemistry.codec import decode_batch
from softdraw.molecules.chemistry.properties import evaluate
from softdraw.molecules.chemistry.vocabulary import AtomType, Vocabulary
from softdraw.molecules.data.graphs import GraphSet
from softdraw.molecules.model.drawing import draw
from softdraw.molecules.model.likelihood import log_likelihood
from softdraw.molecules.steering.gradients.estimator import learner_of
from softdraw.molecules.steering.gradients.learner import Batch
from softdraw.molecules.steering.gradients.log_variance import LogVariance
from softdraw.molecules.steering.gradients.memory import Memory
from softdraw.molecules.steering.objectives import Objective
from softdraw.molecules.steering.options import SteerOptions
from softdraw.molecules.steering.targets import Target
from softdraw.random import Key

from ..small import MOLECULES, SIZES, random_network

VOCABULARY = Vocabulary([AtomType("C"), AtomType("N"), AtomType("O"), AtomType("F")])
OBJECTIVE = Objective((Target("heavy_atoms", 4.0),), ((0.0, 2.0),))
PRICE, CROWDING = 0.5, 0.75


def learner_with(network=None, **options):
    """A learner whose network is the fitted one, or another."""
    fitted = random_network((4, 3, 2, 1), 6)
    options = {"divergence": PRICE, "crowding": CROWDING, "updates": 2, "batch_size": 16, **options}
    memory = Memory(VOCABULARY, 6, options.get("memory", 1000))
    return LogVariance(network or fitted, fitted, OBJECTIVE, SteerOptions(**options), memory, Key(3))


def batch_of(network, key=0, count=32, others=(), other_values=None):
    with torch.no_grad():
        drawn = draw(network, count, Key(key), mask=True)
    smiles = decode_batch(drawn.types, drawn.bonds, VOCABULARY)
    values = evaluate("heavy_atoms", smiles)[:, None]
    none = np.zeros((0, 1)) if other_values is None else other_values
    return Batch(drawn, smiles, values, np.ones(count, dtype=bool), list(others), none)


def apart_of(learner, types, bonds):
    own, before = (log_likelihood(one, types, bonds, mask=True) for one in (learner.network, learner.fitted))
    return own - before


def test_a_batch_is_priced_by_how_often_its_molecules_came():
    """The loss, written out: residual times log-ratio, the residual less its mean."""
    learner = learner_with(random_network((4, 3, 2, 1), 6, seed=1))
    times, found = {}, 0.0
    for key in (0, 1):
        batch = batch_of(learner.network, key)
        cost = np.abs(batch.values[:, 0] - 4) / 2
        for one in batch.smiles:
            times[one] = times.get(one, 0) + 1
        # a molecule that came twice in a batch is priced at its last number
        crowded = torch.tensor(cost + CROWDING * np.log([times[one] for one in batch.smiles])).float()
        with torch.no_grad():
            learned, apart = learner.loss(batch), apart_of(learner, batch.drawn.types, batch.drawn.bonds)
        residual = PRICE * apart + crowded
        assert learner.constant == pytest.approx(float(residual.mean()), rel=1e-4)
        expected = ((residual - residual.mean()) * apart).mean()
        torch.testing.assert_close(learned.loss, expected, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(learned.divergence, apart, atol=1e-4, rtol=1e-4)
        assert float(learned.cost) == pytest.approx(cost.mean(), rel=1e-5)
        found = max(times.values())
    assert found > 2


@pytest.mark.parametrize("knows_parts", [False, True])
def test_the_memory_is_learned_as_often_as_asked_and_at_its_own_costs(knows_parts, monkeypatch):
    network = random_network((4, 3, 2, 1), 6, seed=1)
    learner = learner_with(network, updates=3)
    network.knows_parts.fill_(knows_parts)
    batch = batch_of(network)
    learner.loss(batch)
    made, orders, losses = [], [], []
    graphs = learner.memory.graphs

    def noted(places, rng):
        found = graphs(places, rng)
        made.append((places, found))
        orders.append(rng)
        return found

    monkeypatch.setattr(learner.memory, "graphs", noted)
    learner.after(batch, lambda loss: losses.append(loss.detach()))
    assert len(losses) == len(made) == 3
    assert all((rng is None) is knows_parts for rng in orders)
    for loss, (places, (types, bonds)) in zip(losses, made, strict=True):
        smiles = [learner.memory.smiles[place] for place in places]
        assert len(set(smiles)) == len(smiles)
        cost = np.abs(evaluate("heavy_atoms", smiles) - 4) / 2
        times = [batch.smiles.count(one) for one in smiles]
        residual = PRICE * (apart := apart_of(learner, types, bonds).detach()) - learner.constant
        residual = residual + torch.tensor(cost + CROWDING * np.log(times)).float()
        torch.testing.assert_close(loss, (residual * apart).mean(), atol=1e-3, rtol=1e-3)


def test_a_network_that_did_not_move_learns_nothing_of_a_divergence():
    """Each log-ratio is 0, also where the fitted network's part of it was computed once for all updates."""
    learner = learner_with(updates=4)
    learner.network.knows_parts.fill_(True)
    learner.fitted.knows_parts.fill_(True)
    batch, losses = batch_of(learner.network), []
    assert float(learner.loss(batch).divergence.abs().max()) < 1e-5
    learner.after(batch, lambda loss: losses.append(float(loss.detach())))
    assert len(losses) == 4
    assert max(map(abs, losses)) < 1e-4


def test_offspring_and_failures_are_remembered_as_what_they_are():
    learner = learner_with(updates=0)
    others, values = ["CCCCO", "CCCO", "CCN"], np.array([[5.0], [math.nan], [3.0]])
    batch = batch_of(learner.network, others=others, other_values=values)
    learner.loss(batch)
    learner.after(batch, lambda loss: pytest.fail("no update was asked for"))
    kept = dict(zip(learner.memory.smiles, learner.memory.costs, strict=True))
    assert kept["CCCCO"] == 0.5
    assert kept["CCN"] == 0.5
    assert "CCCO" not in kept
    for one, cost in kept.items():
        assert cost == np.abs(evaluate("heavy_atoms", [one])[0] - 4) / 2


def test_molecules_of_the_data_are_remembered_but_for_those_without_a_part():
    generator = MoleculeGenerator(**SIZES, batch_size=8).fit(MOLECULES, steps=1, holdout=0)
    graphs: GraphSet = generator.parts.train
    labels = evaluate("heavy_atoms", graphs.smiles)[:, None]
    for from_part in (False, True):
        learner = learner_of(
            "log-variance",
            generator.network,
            generator.network,
            graphs,
            labels,
            OBJECTIVE,
            SteerOptions(),
            torch.tensor(1.0),
            Key(0),
            from_part=from_part,
        )
        expected = [] if from_part else graphs.smiles
        assert sorted(learner.memory.smiles) == sorted(expected)


@pytest.mark.filterwarnings("ignore:.*did not fall:softdraw.molecules.runtime.remarks.MoleculeWarning")
def test_what_is_learned_is_what_was_chosen_and_what_it_is_worth(monkeypatch):
    generator = MoleculeGenerator(**SIZES, batch_size=8).fit(
        [*MOLECULES, *(f"{one}C" for one in MOLECULES if not one.startswith("FCC"))], steps=40, holdout=0
    )
    batches, learners = [], []
    loss = LogVariance.loss

    def noted(self, batch):
        batches.append(batch)
        learners.append(self)
        return loss(self, batch)

    monkeypatch.setattr(LogVariance, "loss", noted)
    generator.steer({"logp": 1.0}, calls=160, batch_size=16, offspring=0.5, screen=3)
    assert any(batch.others for batch in batches)
    assert any(len(batch.smiles) == 8 for batch in batches)
    for batch in batches:
        assert decode_batch(batch.drawn.types, batch.drawn.bonds, generator.vocabulary) == batch.smiles
    memory = learners[-1].memory
    std = generator.property_statistics["logp"][1]
    np.testing.assert_allclose(memory.costs, np.abs(evaluate("logp", memory.smiles) - 1) / std, rtol=1e-6)
