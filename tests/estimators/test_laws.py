"""Estimators over distributions: those of torch, of this library, and of a user's own."""

import math

import pytest
import torch

import softdraw as sd
from softdraw.estimators import UnsuitableError

from ..statistics import assert_mean

#: what serves distributions
SERVING = [name for name in sd.estimators.names() if sd.estimators.get(name).law_needs]
LOGITS = torch.tensor([[0.3, -0.8, 1.1, 0.0], [1.0, 1.0, -2.0, 0.2]], dtype=torch.float64)


class Coins:
    """A user's own law of independent bits: every method that an estimator asks for, and no base class."""

    def __init__(self, logits):
        self.logits = logits
        self.batch_shape, self.event_shape = logits.shape[:-1], logits.shape[-1:]

    @property
    def marginals(self):
        return self.logits.sigmoid()

    def sample(self, sample_shape=(), *, key):
        noise = sd.random.gumbel(self.logits.shape, sample_shape=sample_shape, key=key, dtype=torch.float64)
        return (torch.exp(-torch.exp(-noise)) < self.logits.detach().sigmoid()).double()

    def log_prob(self, value):
        return -torch.nn.functional.softplus(torch.where(value > 0, -self.logits, self.logits)).sum(-1)

    def relax(self, tau, *, hard=False, sample_shape=(), key=None):
        noise = sd.random.gumbel(self.logits.shape, sample_shape=sample_shape, key=key, dtype=torch.float64)
        u = torch.exp(-torch.exp(-noise))
        soft = ((self.logits + (u / (1 - u)).log()) / tau).sigmoid()
        return sd.straight_through((soft > 0.5).double(), soft) if hard else soft

    def moved(self, by):
        return Coins(self.logits + by)

    def enumerate_support(self):
        n = self.logits.shape[-1]
        bits = torch.cartesian_prod(*[torch.arange(2.0, dtype=torch.float64)] * n)
        return bits.reshape(-1, *(1,) * (self.logits.dim() - 1), n).expand(-1, *self.logits.shape)


def one_hot(logits):
    return sd.distributions.OneHotCategorical(logits=logits)


WEIGHT = torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64)


def linear(z):
    return z @ WEIGHT


def cost(z):
    return (z @ WEIGHT - 0.4).pow(3) + z[..., 0]


def gradient_of(name, f, make, logits, key=None, **options):
    leaf = logits.clone().requires_grad_()
    value = sd.estimators.get(name, **options).expectation(f, make(leaf), key=key)
    return value.detach(), torch.autograd.grad(value.sum(), leaf)[0]


def many(name, f, make, count=12_000, **options):
    return gradient_of(name, f, make, LOGITS.expand(count, *LOGITS.shape), sd.Key(5), **options)


@pytest.mark.parametrize("make", [one_hot, Coins])
def test_enumeration_is_the_sum_over_the_support(make):
    leaf = LOGITS.clone().requires_grad_()
    law = make(leaf)
    states = law.enumerate_support()
    by_hand = (law.log_prob(states).exp() * cost(states)).sum(0)
    (gradient,) = torch.autograd.grad(by_hand.sum(), leaf)
    value, found = gradient_of("enumeration", cost, make, LOGITS, chunk=3)
    torch.testing.assert_close(value, by_hand.detach())
    torch.testing.assert_close(found, gradient)


@pytest.mark.parametrize("make", [one_hot, Coins])
@pytest.mark.parametrize(("name", "options"), [("rloo", {}), ("reinforce", {"baseline": "none"})])
def test_unbiased_for_any_law(make, name, options):
    value, gradient = gradient_of("enumeration", cost, make, LOGITS)
    values, gradients = many(name, cost, make, **options)
    assert_mean(values, value)
    assert_mean(gradients, gradient, precise=0.35)


@pytest.mark.parametrize("make", [one_hot, Coins, lambda x: torch.distributions.Bernoulli(logits=x)])
def test_marginal_is_exact_for_linear_costs(make):
    """Whatever was drawn."""
    law = make(LOGITS)
    f = linear if len(law.event_shape) else lambda z: z * WEIGHT
    _, exact = gradient_of("enumeration", f, make, LOGITS)
    _, found = gradient_of("marginal", f, make, LOGITS, sd.Key(0))
    torch.testing.assert_close(found, exact)


def test_marginal_is_the_draw_in_value_and_the_jacobian_of_the_marginals_in_gradient():
    leaf = LOGITS.clone().requires_grad_()
    z = Coins(leaf).sample((1,), key=sd.Key(3)).requires_grad_()
    (slope,) = torch.autograd.grad(cost(z).sum(), z)
    (expected,) = torch.autograd.grad(Coins(leaf).marginals, leaf, slope[0])
    value, found = gradient_of("marginal", cost, Coins, LOGITS, sd.Key(3))
    torch.testing.assert_close(value, cost(z)[0].detach())
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(("name", "hard"), [("relaxed", False), ("st-relaxed", True)])
def test_relaxed_is_autograd_at_the_same_noise(name, hard):
    leaf = LOGITS.clone().requires_grad_()
    y = Coins(leaf).relax(0.7, hard=hard, sample_shape=(3,), key=sd.Key(3))
    expected = cost(y).mean(0)
    value, found = gradient_of(name, cost, Coins, LOGITS, sd.Key(3), tau=0.7, samples=3)
    torch.testing.assert_close(value, expected.detach())
    torch.testing.assert_close(found, torch.autograd.grad(expected.sum(), leaf)[0])
    # a temperature for one call
    est = sd.estimators.get(name, samples=3)
    torch.testing.assert_close(est.expectation(cost, Coins(LOGITS), tau=0.7, key=sd.Key(3)), value)


@pytest.mark.parametrize("symmetric", [False, True])
def test_imle_is_the_difference_of_two_modes(symmetric):
    """On a law whose modes are signs, by hand."""
    step, key = 0.6, sd.Key(2)
    z = Coins(LOGITS).relax(1.0, hard=True, key=key).requires_grad_()
    (slope,) = torch.autograd.grad(cost(z).sum(), z)
    down = Coins(LOGITS - step * slope).relax(1.0, hard=True, key=key)
    up = Coins(LOGITS + step * slope).relax(1.0, hard=True, key=key) if symmetric else z.detach()
    value, found = gradient_of("imle", cost, Coins, LOGITS, key, step=step, symmetric=symmetric)
    torch.testing.assert_close(value, cost(z).detach())
    torch.testing.assert_close(found, (up - down) / (2 * step if symmetric else step))
    assert bool(found.any())


@pytest.mark.parametrize("name", ["marginal", "relaxed", "st-relaxed", "rloo", "reinforce"])
def test_a_one_hot_law_is_what_its_logits_are(name):
    """One variable: the same noise, value and gradient as with logits ``[*batch, 1, C]``."""
    value, found = gradient_of(name, cost, one_hot, LOGITS, sd.Key(4), samples=3)
    leaf = LOGITS.unsqueeze(-2).clone().requires_grad_()
    expected = sd.estimators.get(name, samples=3).expectation(
        lambda z: cost(z[..., 0, :]), leaf, key=sd.Key(4)
    )
    torch.testing.assert_close(value, expected.detach())
    torch.testing.assert_close(found, torch.autograd.grad(expected.sum(), leaf)[0].squeeze(-2))


@pytest.mark.parametrize("name", ["marginal", "relaxed", "st-relaxed"])
def test_for_logits_it_is_another_by_name(name):
    est = sd.estimators.get(name, samples=2)
    options = {"tau": 1.0} if est.as_logits != "marginal" else {}
    other = sd.estimators.get(est.as_logits, samples=2, **options)
    results = []
    for which in (est, other):
        leaf = LOGITS.unsqueeze(-2).clone().requires_grad_()
        value = which.expectation(lambda z: cost(z[..., 0, :]), leaf, key=sd.Key(1))
        results.append((value.detach(), *torch.autograd.grad(value.sum(), leaf)))
    torch.testing.assert_close(*results)


@pytest.mark.parametrize("name", SERVING)
def test_shapes_keys_parameters_and_no_gradients(name):
    parameter = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    est = sd.estimators.get(name).eval()
    leaf = LOGITS.clone().requires_grad_()
    values = [
        est.expectation(lambda z: parameter * cost(z), Coins(leaf), key=sd.Key(seed)) for seed in (1, 1, 2)
    ]
    assert values[0].shape == (2,)
    assert torch.equal(values[0], values[1])
    if name != "enumeration":
        assert not torch.equal(values[0], values[2])
    to_parameter, to_logits = torch.autograd.grad(values[0].sum(), [parameter, leaf])
    torch.testing.assert_close(to_parameter, values[0].sum().detach() / 1.5)
    assert bool(to_logits.isfinite().all())
    with torch.no_grad():
        assert not est.expectation(cost, Coins(leaf), key=sd.Key(1)).requires_grad


@pytest.mark.parametrize("name", SERVING)
def test_a_batch_cut_in_two_is_the_whole_batch(name):
    options = {} if name == "enumeration" else {"samples": 3}
    logits = torch.cat([LOGITS, LOGITS + 0.5])
    value, gradient = gradient_of(name, cost, one_hot, logits, sd.Key(1), **options)
    part, own = gradient_of(name, cost, one_hot, logits[2:], sd.Key(1).rows(2), **options)
    if name != "reinforce":  # whose average is that of the batch
        torch.testing.assert_close(part, value[2:])
        torch.testing.assert_close(own, gradient[2:])


def test_what_is_drawn_without_a_key_follows_the_key():
    """torch's own draw from the default generator, which is seeded for the draw and put back."""
    logits = torch.zeros(50)
    law = torch.distributions.Bernoulli(logits=logits)
    est = sd.estimators.get("rloo")

    def f(z):
        return z

    torch.manual_seed(0)
    before = torch.get_rng_state()
    first, again, other = (est.expectation(f, law, key=sd.Key(seed)) for seed in (1, 1, 2))
    rows = est.expectation(f, law, key=sd.Key(1).rows(3))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first, rows)
    by_generator = [est.expectation(f, law, generator=torch.Generator().manual_seed(5)) for _ in range(2)]
    assert torch.equal(*by_generator)
    values = []
    for _ in range(2):
        torch.manual_seed(3)
        values.append(est.expectation(f, law))
    assert torch.equal(*values)
    assert not torch.equal(values[0], est.expectation(f, law))


def test_torch_distributions_by_score():
    """Indices of classes, counts: what has a log probability."""
    leaf = LOGITS.clone().requires_grad_()
    table = torch.tensor([0.0, 1.0, 4.0, 2.0], dtype=torch.float64)
    value, exact = gradient_of(
        "enumeration", lambda i: table[i], lambda x: torch.distributions.Categorical(logits=x), LOGITS
    )
    torch.testing.assert_close(value, (leaf.softmax(-1) @ table).detach())
    values, gradients = many(
        "rloo", lambda i: table[i], lambda x: torch.distributions.Categorical(logits=x), count=4000
    )
    assert_mean(values, value)
    assert_mean(gradients, exact, precise=0.35)
    rates = torch.full((20_000,), 2.0, dtype=torch.float64, requires_grad=True)
    value = sd.estimators.get("rloo").expectation(
        lambda n: n, torch.distributions.Poisson(rates), key=sd.Key(0)
    )
    assert_mean(value, 2.0)
    assert_mean(torch.autograd.grad(value.sum(), rates)[0], 1.0)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # torch's own
def test_second_derivatives_are_refused_and_forward_mode_works():
    leaf = LOGITS.clone().requires_grad_()
    value = sd.estimators.get("rloo").expectation(cost, Coins(leaf), key=sd.Key(0))
    (gradient,) = torch.autograd.grad(value.sum(), leaf, create_graph=True)
    with pytest.raises(RuntimeError, match="second derivative"):
        torch.autograd.grad(gradient.sum(), leaf)

    def run(x):
        return sd.estimators.get("rloo").expectation(cost, Coins(x), key=sd.Key(0)).sum()

    torch.testing.assert_close(torch.func.grad(run)(LOGITS), gradient.detach())
    _, along = torch.func.jvp(run, (LOGITS,), (torch.ones_like(LOGITS),))
    torch.testing.assert_close(along, gradient.sum().detach())


@pytest.mark.parametrize("name", [n for n in sd.estimators.names() if n not in SERVING])
def test_the_others_say_that_they_serve_logits(name):
    with pytest.raises(UnsuitableError, match=rf"{name} serves one-hot logits .*OneHotCategorical.*rloo"):
        sd.estimators.get(name).expectation(cost, one_hot(LOGITS))


@pytest.mark.parametrize(
    ("name", "lacking"),
    [("relaxed", "relax"), ("st-relaxed", "relax"), ("imle", "relax and moved"), ("marginal", "marginals")],
)
def test_what_is_lacking_is_named_with_who_would_do(name, lacking):
    law = torch.distributions.Categorical(logits=LOGITS)
    with pytest.raises(
        UnsuitableError, match=f"{name} needs {lacking} of a distribution.*: enumeration, reinforce, rloo$"
    ):
        sd.estimators.get(name).expectation(lambda i: i.double(), law)


def test_more_errors_name_what_came():
    rloo = sd.estimators.get("rloo")
    with pytest.raises(ValueError, match=r"mask: got a tensor .* beside a distribution"):
        rloo.expectation(cost, Coins(LOGITS), mask=torch.ones(2, 4, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"f: got costs of shape \(4, 2, 4\).*expected shape \(4, 2\)"):
        rloo.expectation(lambda z: z, Coins(LOGITS), key=sd.Key(0))
    with pytest.raises(TypeError, match="logits: got 'many'"):
        rloo.expectation(cost, "many")
    with pytest.raises(ValueError, match="tau: got 0"):
        sd.estimators.get("marginal").expectation(cost, Coins(LOGITS), tau=0.5)
    adaptive = sd.estimators.get("relaxed", tau=sd.schedules.Adaptive())
    with pytest.raises(ValueError, match="tau: got Adaptive"):
        adaptive.expectation(cost, Coins(LOGITS), key=sd.Key(0))
    with pytest.raises(UnsuitableError, match="baseline: got 'learned'"):
        sd.estimators.get("reinforce", baseline="learned").expectation(cost, Coins(LOGITS))
    with pytest.raises(UnsuitableError, match="adaptive"):
        sd.estimators.get("imle", adaptive=True).expectation(cost, Coins(LOGITS), key=sd.Key(0))
    with pytest.raises(UnsuitableError, match="not depend on them through autograd"):
        sd.estimators.get("marginal").expectation(
            lambda z: cost(z.detach()), Coins(LOGITS.clone().requires_grad_()), key=sd.Key(0)
        )
    bits = torch.distributions.Independent(torch.distributions.Bernoulli(logits=LOGITS), 1)
    with pytest.raises(UnsuitableError, match=r"enumeration needs enumerate_support .*Independent has not"):
        sd.estimators.get("enumeration").expectation(cost, bits)
    with pytest.raises(sd.estimators.TooManyStatesError, match="16 states, more than max_states=15"):
        sd.estimators.get("enumeration", max_states=15).expectation(cost, Coins(LOGITS))


def test_states_that_cannot_occur_may_cost_anything():
    logits = torch.tensor([0.0, 1.0, -math.inf])
    value, gradient = gradient_of("enumeration", lambda z: z[..., 0] - z[..., 2].log(), one_hot, logits)
    assert value == math.inf  # the third is 0 in those that can: a cost of the caller
    value, gradient = gradient_of(
        "enumeration", lambda z: torch.where(z[..., 2] > 0, math.inf, z[..., 0]), one_hot, logits
    )
    torch.testing.assert_close(value, logits[:2].softmax(0)[0])
    assert bool(gradient.isfinite().all())


@pytest.mark.parametrize("name", SERVING)
def test_padding_of_a_one_hot_law(name):
    mask = torch.tensor([[True] * 4, [False] * 4])
    law = sd.distributions.OneHotCategorical(logits=LOGITS, mask=mask)
    value = sd.estimators.get(name).expectation(cost, law, key=sd.Key(0))
    torch.testing.assert_close(value[1], cost(torch.zeros(4, dtype=torch.float64)))
    assert bool(value.isfinite().all())
