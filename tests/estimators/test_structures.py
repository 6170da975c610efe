"""Estimators over every law of ``softdraw.structured``, against enumeration of all structures."""

import importlib.util
from pathlib import Path

import pytest
import torch

import softdraw as sd
from softdraw.estimators import UnsuitableError

from ..statistics import assert_mean
from ..structured.laws import LAWS, normal

#: laws with something to choose
CHOICES = {name: law for name, law in LAWS.items() if len(law.structures) > 1}
#: and by whether a draw says of each part whether it is in (an order is a row of indices)
PARTS = {
    name: law
    for name, law in CHOICES.items()
    if law.make(*law.parameters(0)).sample(key=sd.Key(0)).is_floating_point()
}


def cost_of(event):
    """A cost of structures that is neither linear nor a sum."""
    weight = normal(*event, seed=7)

    def cost(z):
        total = (z * weight).flatten(-len(event)).sum(-1)
        return total.sin() + 0.3 * total.square()

    return cost


def linear_of(event):
    weight = normal(*event, seed=5)
    return lambda z: (z * weight).flatten(-len(event)).sum(-1)


def leaves(law, *lead):
    """Parameters with no rare structure, so that means of a few thousand draws are near normal."""
    return [(0.3 * p).expand(*lead, *p.shape).clone().requires_grad_() for p in law.parameters(0)]


def exact(law, f):
    """Value and gradients by the list's own structures and scores."""
    at = leaves(law)
    p = law.score(law.structures, *at).softmax(0)
    value = (p * f(law.structures).unsqueeze(-1)).sum(0)
    return value.detach(), torch.autograd.grad(value.sum(), at)


def estimates(est, law, f, key, *lead):
    at = leaves(law, *lead)
    value = est.expectation(f, law.make(*at), key=key)
    return value.detach(), torch.autograd.grad(value.sum(), at)


@pytest.mark.parametrize("name", LAWS)
def test_enumeration_is_the_sum_over_all_structures(name):
    law = LAWS[name]
    f = cost_of(law.structures.shape[1:])
    value, gradients = exact(law, f)
    found, own = estimates(sd.estimators.get("enumeration"), law, f, None)
    torch.testing.assert_close(found, value, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(own, gradients, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", CHOICES)
@pytest.mark.parametrize(("estimator", "options"), [("rloo", {}), ("reinforce", {"baseline": "none"})])
def test_unbiased(name, estimator, options):
    law = LAWS[name]
    f = cost_of(law.structures.shape[1:])
    value, gradients = exact(law, f)
    values, own = estimates(sd.estimators.get(estimator, **options), law, f, sd.Key(3), 4000)
    assert_mean(values, value)
    for draws, gradient in zip(own, gradients, strict=True):
        if gradient.numel():
            assert_mean(draws, gradient, precise=0.35)


@pytest.mark.parametrize("name", PARTS)
def test_marginal_is_exact_for_linear_costs(name):
    law = LAWS[name]
    f = linear_of(law.structures.shape[1:])
    _, gradients = exact(law, f)
    _, own = estimates(sd.estimators.get("marginal"), law, f, sd.Key(0), 3)
    for found, gradient in zip(own, gradients, strict=True):
        torch.testing.assert_close(found, gradient.expand(found.shape), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", PARTS)
def test_marginal_has_the_value_of_the_law(name):
    law = LAWS[name]
    f = cost_of(law.structures.shape[1:])
    values, _ = estimates(sd.estimators.get("marginal"), law, f, sd.Key(3), 4000)
    assert_mean(values, exact(law, f)[0])


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize(("estimator", "hard"), [("relaxed", False), ("st-relaxed", True)])
def test_relaxed_is_autograd_at_the_same_noise(name, estimator, hard):
    law = LAWS[name]
    f = cost_of(law.structures.shape[1:])
    at = leaves(law)
    y = law.make(*at).relax(0.7, hard=hard, sample_shape=(3,), key=sd.Key(3))
    expected = f(y).mean(0)
    gradients = torch.autograd.grad(expected.sum(), at)
    value, own = estimates(sd.estimators.get(estimator, tau=0.7, samples=3), law, f, sd.Key(3))
    torch.testing.assert_close(value, expected.detach())
    torch.testing.assert_close(own, gradients)


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("symmetric", [False, True])
def test_imle_is_the_difference_of_two_modes(name, symmetric):
    """Of perturbed modes, in the direction that the law's score gives to a difference of structures."""
    law, key, step = LAWS[name], sd.Key(1), 3.0
    f = cost_of(law.structures.shape[1:])
    at = leaves(law)
    d = law.make(*at)
    z = d.relax(1.0, hard=True, key=key).detach().requires_grad_()
    cost = f(z)
    (slope,) = torch.autograd.grad(cost.sum(), z)
    down = d.moved(-step * slope).relax(1.0, hard=True, key=key).detach()
    up = d.moved(step * slope).relax(1.0, hard=True, key=key).detach() if symmetric else z.detach()
    assert not torch.equal(up, down)
    # the score of an exponential family is the structure, less its mean
    width = 2 * step if symmetric else step
    gradients = torch.autograd.grad((d.log_prob(up) - d.log_prob(down)).sum() / width, at)
    value, own = estimates(sd.estimators.get("imle", step=step, symmetric=symmetric), law, f, key)
    torch.testing.assert_close(value, cost.detach())
    torch.testing.assert_close(own, gradients)


SERVING = [name for name in sd.estimators.names() if sd.estimators.get(name).law_needs]


@pytest.mark.parametrize("estimator", SERVING)
def test_vmap_of_grad(estimator):
    est, logits = sd.estimators.get(estimator).eval(), normal(3, 5)
    f = cost_of((5,))

    def loss(x):
        return est.expectation(f, sd.structured.Subset(x, 2, validate_args=False), key=sd.Key(0)).sum()

    found = torch.func.vmap(torch.func.grad(loss))(logits)
    torch.testing.assert_close(found, torch.stack([torch.func.grad(loss)(x) for x in logits]))
    torch.testing.assert_close(found[0], torch.autograd.functional.jacobian(loss, logits[0]))


# torch.combinations, by which subsets are listed, has no size that a graph could know
@pytest.mark.parametrize("estimator", [name for name in SERVING if name != "enumeration"])
def test_compile_in_one_graph(estimator):
    """The compiled value and gradient are the eager ones at the same key."""
    torch.compiler.reset()
    est, logits = sd.estimators.get(estimator).eval(), normal(3, 5)
    f = cost_of((5,))

    def loss(x):
        return est.expectation(f, sd.structured.Subset(x, 2, validate_args=False), key=sd.Key(0))

    results = []
    for run in (loss, torch.compile(loss, fullgraph=True, backend="aot_eager")):
        leaf = logits.clone().requires_grad_()
        value = run(leaf)
        results.append((value.detach(), *torch.autograd.grad(value.sum(), leaf)))
    torch.testing.assert_close(*results)


@pytest.mark.parametrize("name", PARTS)
def test_moved_adds_to_the_score(name):
    """log p of a moved law is that of the law plus <z, by>, up to the normaliser."""
    law = LAWS[name]
    z = law.structures
    d = law.make(*law.parameters(0))
    by = normal(*z.shape[1:], seed=3)
    states = z.unsqueeze(1).expand(len(z), 3, *z.shape[1:])
    score = d.log_prob(states) + (z * by).flatten(1).sum(-1, keepdim=True)
    torch.testing.assert_close(d.moved(by).log_prob(states), score.log_softmax(0), rtol=1e-8, atol=1e-8)
    assert d.moved(by.expand(2, 1, *by.shape)).batch_shape == (2, 3)


@pytest.mark.parametrize("name", CHOICES)
@pytest.mark.parametrize("estimator", SERVING)
def test_padding_adds_nothing(name, estimator):
    """A row without a structure has the cost of what stands for it: zeros, or -1 for an index."""
    law, est = LAWS[name], sd.estimators.get(estimator)
    if name not in PARTS and estimator in ("marginal", "imle"):
        with pytest.raises(UnsuitableError, match="OrderedSubset"):
            est.expectation(lambda z: z.double().flatten(2).sum(-1), law.padded(torch.float64), key=sd.Key(0))
        return
    if name not in PARTS and estimator in ("relaxed", "st-relaxed"):
        f = cost_of(law.padded(torch.float64).relax(key=sd.Key(0)).shape[1:])
        value = est.expectation(f, law.padded(torch.float64), key=sd.Key(0))
        torch.testing.assert_close(value[1], torch.zeros((), dtype=torch.float64))
        return
    f = cost_of(law.structures.shape[1:])
    d = law.padded(torch.float64)
    value = est.expectation(f, d, key=sd.Key(0))
    assert not bool((d.mode[1] > 0).any())
    torch.testing.assert_close(value[1], f(d.mode[1]))
    assert bool(value.isfinite().all())


def test_imle_of_a_subset_is_the_difference_itself():
    logits, key, f = normal(5), sd.Key(1), cost_of((5,))
    leaf = logits.clone().requires_grad_()
    d = sd.structured.Subset(leaf, 2)
    value = sd.estimators.get("imle", step=3.0).expectation(f, d, key=key)
    (gradient,) = torch.autograd.grad(value, leaf)
    noisy = logits + sd.random.gumbel((5,), key=key, dtype=torch.float64)
    z = torch.zeros(5, dtype=torch.float64).scatter(-1, noisy.topk(2).indices, 1.0).requires_grad_()
    (slope,) = torch.autograd.grad(f(z), z)
    moved = torch.zeros(5, dtype=torch.float64).scatter(-1, (noisy - 3.0 * slope).topk(2).indices, 1.0)
    torch.testing.assert_close(gradient, (z.detach() - moved) / 3.0)
    assert bool(gradient.any())


def test_simple_toy_has_the_published_bias_and_variance():
    """SIMPLE's experiment at its ten seeds (``benchmarks/simple_toy.py``), all 252 structures of each."""
    path = Path(__file__).parents[2] / "benchmarks" / "simple_toy.py"
    spec = importlib.util.spec_from_file_location("simple_toy", path)
    simple_toy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(simple_toy)
    found = []
    for seed in simple_toy.SEEDS:
        f, logits = simple_toy.problem(seed)
        truth = sd.diagnostics.exact_gradient(f, logits, distribution=lambda x: sd.structured.Subset(x, 5))
        leaf = logits.clone().requires_grad_()
        d = sd.structured.Subset(leaf, 5)
        z = d.enumerate_support()
        weights = d.log_prob(z).exp().detach()
        y = sd.straight_through(z, d.marginals.expand(z.shape))
        each = torch.stack([torch.autograd.grad(c, leaf, retain_graph=True)[0] for c in f(y)])
        mean = weights @ each
        variance = weights @ (each - mean).square().sum(-1)
        found.append(((mean - truth).norm() / truth.norm(), variance / truth.square().sum()))
    bias, variance = torch.tensor(found).quantile(0.5, dim=0)
    assert bias == pytest.approx(0.2943, abs=1e-4)
    assert variance == pytest.approx(0.5504, abs=1e-4)
