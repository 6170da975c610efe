"""Gradients of steering against the sum over all graphs of up to three atoms."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from softdraw.molecules.model.decisions import decisions_of
from softdraw.molecules.model.drawing import draw
from softdraw.molecules.model.likelihood import log_likelihood
from softdraw.molecules.steering.gradients.control_variate import ControlVariate
from softdraw.molecules.steering.gradients.critic import WithCritic
from softdraw.molecules.steering.gradients.learner import Batch
from softdraw.molecules.steering.gradients.score_function import ScoreFunction
from softdraw.random import Key

from ...statistics import assert_mean
from ..model.test_likelihood import all_graphs
from ..small import random_network

PRICE = 0.5
VALENCES = (9, 9)
"""So large that no mask forbids a bond."""


def rough(types, bonds, seed):
    """Some cost ``[B]`` of graphs."""
    generator = torch.Generator().manual_seed(seed)
    of_types, of_bonds = torch.randn(3, generator=generator), torch.randn(3, 3, generator=generator)
    return torch.sin(1 + types @ of_types + (bonds @ of_bonds).diagonal(dim1=1, dim2=2).sum(1))


def cost_of(drawn):
    return rough(drawn.types.float(), drawn.bonds.float(), 0)


class Closely:
    """A prediction that is off by a third of another function."""

    teacher = None

    def cost(self, drawn):
        return cost_of(drawn) + rough(drawn.types.float(), drawn.bonds.float(), 1) / 3


OBJECTIVE = SimpleNamespace(cost=lambda values: values[:, 0], targets=())


@pytest.fixture(scope="module")
def networks():
    return tuple(random_network(VALENCES, max_atoms=3, seed=seed, scale=0.4) for seed in (0, 1))


def projections(network):
    count = sum(weight.numel() for weight in network.parameters())
    return torch.randn(8, count, generator=torch.Generator().manual_seed(3)) / count**0.5


def gradient(network, loss):
    network.zero_grad()
    loss.backward()
    whole = [torch.zeros_like(one) if one.grad is None else one.grad for one in network.parameters()]
    return projections(network) @ torch.cat([one.flatten() for one in whole])


def exact(network, fitted, price):
    """The gradient of the expected cost and price, over graphs of at least one atom."""
    types, bonds = (torch.stack(part) for part in zip(*list(all_graphs(2, 3))[1:], strict=True))
    made = decisions_of(types, bonds, network.valences, 3)
    total = torch.zeros(len(types))
    for own, other, classes in zip(network(made), fitted(made), (made.types, made.bonds), strict=True):
        log_p, log_q = own.log_softmax(-1), other.detach().log_softmax(-1)
        apart = (log_p.exp() * (log_p - log_q)).sum(-1)
        total = total + (apart * (classes >= 0)).sum(1)
    p = log_likelihood(network, types, bonds).softmax(0)
    return gradient(network, (p * (rough(types.float(), bonds.float(), 0) + price * total)).sum())


def estimates(learner, network, repeats, batch_size=256, learn=0):
    found = []
    for repeat in range(learn + repeats):
        drawn = draw(network, batch_size, Key(5).fold_in(repeat), mask=True, choose=learner.begin())
        values = cost_of(drawn).double().numpy()[:, None]
        batch = Batch(drawn, ["C"] * batch_size, values, np.ones(batch_size, dtype=bool), [], values[:0])
        loss = learner.loss(batch).loss
        if repeat < learn:
            learner.after(batch, lambda _: None)
        else:
            found.append(gradient(network, loss))
    return torch.stack(found)


def control_variate(network, fitted, price, free=512):
    options = {"free": free, "updates": 1, "batch_size": 1, "key": Key(8)}
    return ControlVariate(network, fitted, OBJECTIVE, Closely(), price, **options)


def with_critic(fitted, price):
    return WithCritic(fitted, OBJECTIVE, price, learning_rate=5e-3, key=Key(1))


def test_the_control_variate_leaves_the_gradient_as_it_is(networks):
    found = estimates(control_variate(*networks, PRICE), networks[0], 40)
    assert_mean(found, exact(*networks, PRICE), precise=0.03)


def test_any_critic_leaves_the_gradient_as_it_is(networks):
    learner = with_critic(networks[1], PRICE)
    with torch.no_grad():
        for head in (learner.critic.type_head, learner.critic.bond_head):
            head[-1].weight.normal_(std=0.3, generator=torch.Generator().manual_seed(0))
    assert_mean(estimates(learner, networks[0], 40), exact(*networks, PRICE), precise=0.03)


def spread(found):
    return float(found.var(0).sum())


def test_free_draws_take_variance_away(networks):
    plain = spread(estimates(ScoreFunction(networks[1], OBJECTIVE, 0.0), networks[0], 30))
    for free, share in ((256, 0.65), (1024, 0.35)):
        learner = control_variate(*networks, 0.0, free=free)
        assert spread(estimates(learner, networks[0], 30, learn=3)) < share * plain
    assert 0.6 < learner.correlated < 1.2


def test_a_critic_that_learned_takes_variance_away(networks):
    plain = spread(estimates(with_critic(networks[1], 0.0), networks[0], 30))
    assert spread(estimates(with_critic(networks[1], 0.0), networks[0], 30, learn=40)) < 0.8 * plain
