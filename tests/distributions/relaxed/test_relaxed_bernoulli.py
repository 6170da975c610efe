"""The binary Concrete distribution and its logit: law, density, limits."""

import math

import numpy as np
import pytest
import torch

import softdraw as sd
from softdraw import distributions as D

from ...statistics import assert_mean, assert_same_law, assert_share

CLASSES = (D.RelaxedBernoulli, D.RelaxedBernoulliStraightThrough, D.LogitRelaxedBernoulli)


def reference(logits, noise, tau, logit_space):
    a, g = np.asarray(logits, np.longdouble), np.asarray(noise, np.longdouble)
    tau = np.longdouble(tau)
    x = (a + g) / tau
    softplus = lambda v: np.logaddexp(np.longdouble(0), v)  # noqa: E731
    density = np.log(tau) + (a - tau * x) - 2 * softplus(a - tau * x)
    return density if logit_space else density + softplus(x) + softplus(-x)


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("tau", [0.01, 0.05, 0.5, 1.0, 10.0, 1e10])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_density_of_own_samples_is_the_float64_density_of_the_noise(cls, tau, dtype):
    logits = (4 * torch.randn(500, generator=torch.Generator().manual_seed(0))).to(dtype)
    d = cls(tau, logits=logits, validate_args=True)
    compute = torch.float64 if dtype == torch.float64 else torch.float32
    noise = sd.random.logistic((500,), key=sd.Key(3), dtype=compute)
    expected = reference(logits.double(), noise.double(), tau, cls is D.LogitRelaxedBernoulli)
    value = d.rsample(key=sd.Key(3))
    assert value.isfinite().all()
    np.testing.assert_allclose(
        d.log_prob(value).double().numpy(), expected.astype(float), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("tau", [0.3, 1.0, 4.0])
def test_density_of_plain_values_is_that_of_torch(tau):
    logits = torch.randn(3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    value = torch.rand(40, 3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    other = torch.distributions.RelaxedBernoulli(torch.tensor(tau, dtype=torch.float64), logits=logits)
    torch.testing.assert_close(D.RelaxedBernoulli(tau, logits=logits).log_prob(value), other.log_prob(value))
    point = torch.logit(value)
    twin = D.LogitRelaxedBernoulli(tau, logits=logits)
    torch.testing.assert_close(twin.log_prob(point), other.base_dist.log_prob(point))


@pytest.mark.parametrize("tau", [0.1, 1.0, 10.0])
def test_rounded_samples_are_bernoulli(tau):
    probs = torch.tensor([0.2, 0.5, 0.95])
    for cls, edge in (
        (D.RelaxedBernoulli, 0.5),
        (D.RelaxedBernoulliStraightThrough, 0.5),
        (D.LogitRelaxedBernoulli, 0.0),
    ):
        on = (cls(tau, probs=probs).sample((50_000,), key=sd.Key(5)) > edge).sum(0)
        for count, p in zip(on, probs, strict=True):
            assert_share(count, 50_000, p, comparisons=3)


def test_at_a_huge_temperature_samples_are_one_half():
    y = D.RelaxedBernoulli(1e10, probs=torch.tensor([0.1, 0.9])).sample((50,), key=sd.Key(0))
    torch.testing.assert_close(y, torch.full((50, 2), 0.5))


def test_samples_are_those_of_the_function_at_the_same_key():
    logits = torch.randn(4, 6, generator=torch.Generator().manual_seed(2))
    soft = D.RelaxedBernoulli(0.5, logits=logits).rsample(key=sd.Key(4))
    torch.testing.assert_close(torch.Tensor(soft), sd.gumbel_sigmoid(logits, 0.5, key=sd.Key(4)))
    hard = D.RelaxedBernoulliStraightThrough(0.5, logits=logits).rsample(key=sd.Key(4))
    assert torch.equal(hard, sd.gumbel_sigmoid(logits, 0.5, hard=True, key=sd.Key(4)))


def test_moments_and_entropy_of_the_logit():
    d = D.LogitRelaxedBernoulli(torch.tensor([0.5, 2.0]), logits=torch.tensor([1.0, -3.0]))
    draws = d.sample((200_000,), key=sd.Key(1))
    assert_mean(draws, d.mean.double())
    assert_mean((draws - d.mean).square(), d.variance.double())
    assert_mean(-d.log_prob(draws), d.entropy().double())
    assert torch.equal(d.mode, d.mean)
    torch.testing.assert_close(d.stddev, d.variance.sqrt())
    assert (d.log_prob(d.mode) > d.log_prob(d.mode + 0.1)).all()


@pytest.mark.parametrize("name", ["mean", "variance", "mode", "entropy"])
def test_what_has_no_closed_form_says_so(name):
    d = D.RelaxedBernoulli(0.5, logits=torch.zeros(3))
    with pytest.raises(NotImplementedError, match=f"RelaxedBernoulli has no closed form for its {name}: "):
        getattr(d, name)()
    torch.testing.assert_close(d.probs, torch.full((3,), 0.5))


@pytest.mark.parametrize("tau", [0.4, 1.0, 1.7])
@pytest.mark.parametrize("end", [0.0, 1.0])
def test_on_the_boundary_the_density_is_its_limit(tau, end):
    logits = torch.tensor(0.7, dtype=torch.float64)
    value = torch.tensor(end, dtype=torch.float64)
    limit = D.RelaxedBernoulli(tau, logits=logits, validate_args=False).log_prob(value)
    near = D.RelaxedBernoulli(tau, logits=logits).log_prob((value - 0.5) * (1 - 1e-12) + 0.5)
    if tau == 1.0:
        assert limit.item() == pytest.approx(near.item(), abs=1e-9)
    else:
        assert limit.item() == (math.inf if tau < 1.0 else -math.inf)
    with pytest.raises(ValueError, match="value: got 1 of 1 entries that are 0 or 1"):
        D.RelaxedBernoulli(tau, logits=logits).log_prob(value)
    with pytest.raises(ValueError, match="support"):
        D.RelaxedBernoulli(tau, logits=logits).log_prob(value * 3 - 1)


@pytest.mark.parametrize("cls", [*CLASSES, D.HardConcrete])
def test_certain_elements(cls):
    logits = torch.tensor([math.inf, -math.inf, 0.0, 1.0], requires_grad=True)
    mask = torch.tensor([True, True, False, True])
    d = cls(0.5, logits=logits, mask=mask)
    value = d.rsample((6,), key=sd.Key(0))
    low, high = (-math.inf, math.inf) if cls is D.LogitRelaxedBernoulli else (0.0, 1.0)
    assert (value[:, 0] == high).all()
    assert (value[:, 1:3] == low).all()
    log_prob = d.log_prob(value)
    assert (log_prob[:, :3] == 0).all()
    (grad,) = torch.autograd.grad(log_prob.sum() + value[:, 3].square().sum(), logits)
    assert grad.isfinite().all()
    assert (grad[:3] == 0).all()
    assert grad[3] != 0
    plain = torch.Tensor(value[0].detach()).clone()
    plain[0] = low
    free = cls(0.5, logits=logits, mask=mask, validate_args=False)
    assert free.log_prob(plain)[0] == -math.inf


def test_probabilities_zero_and_one_are_certain():
    probs = torch.tensor([0.0, 1.0, 0.3], requires_grad=True)
    d = D.RelaxedBernoulli(0.5, probs=probs)
    value = d.rsample((4,), key=sd.Key(0))
    assert (value[:, :2] == torch.tensor([0.0, 1.0])).all()
    (grad,) = torch.autograd.grad(d.log_prob(value).sum(), probs)
    assert grad.isfinite().all()


@pytest.mark.parametrize("cls", CLASSES)
def test_numbers_and_one_temperature_an_element(cls):
    d = cls(0.5, probs=0.3)
    assert d.batch_shape == ()
    assert d.log_prob(d.sample((3,), key=sd.Key(0))).shape == (3,)
    tau = torch.tensor([[0.1, 1.0], [2.0, 0.5]])
    wide = cls(tau, logits=torch.zeros(2, 2))
    value = wide.sample((5,), key=sd.Key(1))
    for i in range(2):
        for j in range(2):
            one = cls(float(tau[i, j]), logits=torch.zeros(()))
            torch.testing.assert_close(wide.log_prob(value)[:, i, j], one.log_prob(value[:, i, j]))


class TestConditional:
    logits = torch.tensor([0.5, -1.5], dtype=torch.float64)

    @pytest.mark.parametrize("cls", [D.RelaxedBernoulli, D.LogitRelaxedBernoulli])
    def test_side_then_conditional_has_the_law_of_the_sample(self, cls):
        d = cls(0.6, logits=self.logits)
        side = torch.bernoulli(d.probs.expand(40_000, 2), generator=torch.Generator().manual_seed(0))
        through = d.conditional_rsample(side, key=sd.Key(1))
        edge = 0.0 if cls is D.LogitRelaxedBernoulli else 0.5
        assert torch.equal(through > edge, side.bool())
        direct = d.sample((40_000,), key=sd.Key(2))
        for column in range(2):
            assert_same_law(through[:, column], direct[:, column], comparisons=2)

    def test_log_p_of_z_is_log_p_of_b_plus_log_p_of_z_given_b(self):
        d = D.RelaxedBernoulli(0.3, logits=self.logits)
        side = torch.tensor([[1, 0], [0, 1], [1, 1]])
        z = d.conditional_rsample(side, key=sd.Key(4))
        total = torch.distributions.Bernoulli(logits=self.logits).log_prob(side.double())
        torch.testing.assert_close(
            total + d.conditional_log_prob(z, side), d.log_prob(z), rtol=1e-12, atol=1e-12
        )
        assert (d.conditional_log_prob(z, 1 - side) == -math.inf).all()

    def test_conditional_density_integrates_to_one(self):
        d = D.LogitRelaxedBernoulli(0.5, logits=self.logits)
        x = torch.linspace(0, 80, 400_001, dtype=torch.float64)[:, None].expand(-1, 2)
        density = d.conditional_log_prob(x.clamp_min(1e-12), torch.ones(400_001, 2)).exp()
        torch.testing.assert_close(torch.trapezoid(density, x, dim=0), torch.ones(2, dtype=torch.float64))

    def test_gradient_is_pathwise(self):
        side = torch.tensor([[1, 0], [0, 0]])

        def soft(logits):
            y = D.RelaxedBernoulli(0.5, logits=logits).conditional_rsample(side, key=sd.Key(8))
            return y.as_subclass(torch.Tensor)

        assert torch.autograd.gradcheck(soft, (self.logits.clone().requires_grad_(),))
        with pytest.raises(ValueError, match=r"index: got .*expected shape"):
            D.RelaxedBernoulli(0.5, logits=self.logits).conditional_rsample(torch.tensor([1, 0, 1]))


def test_compile_and_vmap():
    logits = torch.randn(4, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()

    def draw(logits):
        return D.RelaxedBernoulli(0.4, logits=logits).rsample_and_log_prob((3,), key=sd.Key(3))

    eager = draw(logits)
    for one, two in zip(eager, torch.compile(draw, fullgraph=True, backend="aot_eager")(logits), strict=True):
        torch.testing.assert_close(one, two)
    rows = torch.func.vmap(draw)(logits)
    torch.testing.assert_close(rows[1][1], draw(logits[1])[1])
