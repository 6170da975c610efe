"""Layers over blocks of unequal sizes: the function at the same key in training, each block in eval mode."""

import copy
import math

import pytest
import torch
from torch.distributions import Categorical, kl_divergence

import softdraw as sd

SIZES = [3, 1, 6]
KEY = sd.Key(5)
X = torch.linspace(-1, 2, 40).reshape(4, 10)
TENSOR = [
    n
    for n in sd.estimators.names()
    if sd.estimators.get(n).needs == "tensor" and not sd.estimators.get(n).binary
]


@pytest.mark.parametrize("estimator", ["gumbel-softmax", "st-gumbel-softmax"])
@pytest.mark.parametrize("tau", [0.7, sd.schedules.Constant(0.7)])
def test_training_is_the_function(estimator, tau):
    layer = sd.nn.GumbelSoftmax(tau, estimator=estimator, sizes=SIZES)
    hard = estimator.startswith("st")
    mask = torch.arange(10) != 4
    y = layer(X, mask=mask, key=KEY)
    assert torch.equal(y, sd.gumbel_softmax(X, 0.7, hard, mask=mask, key=KEY, sizes=SIZES))


@pytest.mark.parametrize("estimator", TENSOR)
def test_every_estimator_draws_in_every_block(estimator):
    layer = sd.nn.Choice(estimator, sizes=SIZES)
    x = X.clone().requires_grad_()
    y = layer(x, key=KEY)
    for block in y.split(SIZES, -1):
        torch.testing.assert_close(block.sum(-1), torch.ones(4))
    (y * torch.linspace(-10, 20, 40).reshape(4, 10)).sum().backward()
    assert bool(x.grad.isfinite().all())
    assert bool(x.grad.any())
    assert not x.grad[:, 3].any()  # a block of one class has no choice


@pytest.mark.parametrize("evaluation", ["argmax", "mean", "sample"])
def test_evaluation_is_that_of_each_block(evaluation):
    layer = sd.nn.GumbelSoftmax(sizes=SIZES, evaluation=evaluation).eval()
    y = layer(X, key=KEY)
    for x, block in zip(X.split(SIZES, -1), y.split(SIZES, -1), strict=True):
        if evaluation == "argmax":
            assert torch.equal(block.argmax(-1), x.argmax(-1))
        if evaluation == "mean":
            torch.testing.assert_close(block, x.softmax(-1))
        torch.testing.assert_close(block.sum(-1), torch.ones(4))


def test_an_adaptive_temperature_sees_the_blocks():
    tau = sd.schedules.Adaptive(1.0)
    layer = sd.nn.GumbelSoftmax(tau, sizes=SIZES)
    x = X.clone().requires_grad_()
    layer(x, key=KEY).square().sum().backward()
    assert bool(x.grad.any())


@pytest.mark.parametrize("training", [True, False])
def test_compiled_copied_and_traced(training):
    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = sd.nn.GumbelSoftmax(0.5, sizes=SIZES)

        def forward(self, x):
            return self.layer(x * 2, key=KEY)

    model = copy.deepcopy(Model()).train(training)
    expected = model(X)
    torch._dynamo.reset()
    torch.testing.assert_close(torch.compile(model, fullgraph=True, backend="eager")(X), expected)
    torch.testing.assert_close(torch.fx.symbolic_trace(model)(X), expected)
    assert "sizes=(3, 1, 6)" in repr(model)


def test_the_latent_of_unequal_variables():
    prior = torch.linspace(1, -1, 10)
    latent = sd.nn.CategoricalLatent(3, SIZES, prior=prior, tau=0.7, estimator="gumbel-softmax")
    x = X.clone().requires_grad_()
    out = latent(x, key=KEY)
    torch.testing.assert_close(out.sample, sd.gumbel_softmax(X, 0.7, key=KEY, sizes=SIZES))
    kl = torch.zeros(4)
    entropy = []
    for b, (part, given) in enumerate(zip(X.split(SIZES, -1), prior.split(SIZES), strict=True)):
        p = Categorical(logits=part)
        kl += kl_divergence(p, Categorical(logits=given.expand_as(part)))
        torch.testing.assert_close(out.log_probs.split(SIZES, -1)[b], p.logits)
        entropy.append(Categorical(probs=p.probs.mean(0)).entropy().exp())
    torch.testing.assert_close(out.kl, kl)
    torch.testing.assert_close(out.perplexity, torch.stack(entropy).mean())
    (out.kl.sum() + out.perplexity + out.sample.square().sum()).backward()
    assert bool(x.grad.isfinite().all())


def test_a_latent_of_one_size_is_what_it_was():
    one = sd.nn.CategoricalLatent(2, 5, prior="learned")(X, key=KEY)
    other = sd.nn.CategoricalLatent(2, [5, 5], prior="learned")(X, key=KEY)
    assert torch.equal(one.sample.flatten(-2), other.sample)
    torch.testing.assert_close(one.kl, other.kl)


def test_padding_of_a_latent_costs_nothing():
    latent = sd.nn.CategoricalLatent(3, SIZES)
    mask = torch.ones(4, 10, dtype=torch.bool)
    mask[1, 4:] = False
    out = latent(X, mask=mask, key=KEY)
    assert not out.sample[1, 4:].any()
    assert bool((out.log_probs[1, 4:] == -math.inf).all())
    other = sd.nn.CategoricalLatent(2, [3, 1])(X[1:2, :4], key=KEY)
    torch.testing.assert_close(out.kl[1:2], other.kl)


def test_errors():
    for make in (sd.nn.GumbelSoftmax, sd.nn.Choice):
        with pytest.raises(ValueError, match="sizes: got 0, expected an int >= 1"):
            make(sizes=[3, 0])
        with pytest.raises(ValueError, match=r"sizes: got \(3, 1, 6\), expected sizes that sum to 9"):
            make(sizes=SIZES)(torch.zeros(2, 9))
    with pytest.raises(ValueError, match="dim: got 1, expected -1 beside sizes"):
        sd.nn.GumbelSoftmax(dim=1, sizes=SIZES)
    with pytest.raises(ValueError, match=r"classes: got \(3, 5\), expected a number, or one for each of 3"):
        sd.nn.CategoricalLatent(3, [3, 5])
    with pytest.raises(ValueError, match=r"classes: got \(3, 1, 6\), expected sizes that sum to 12"):
        sd.nn.CategoricalLatent(3, SIZES)(torch.zeros(2, 12))
    with pytest.raises(ValueError, match="prior: got "):
        sd.nn.CategoricalLatent(3, SIZES, prior=torch.zeros(3, 6))
