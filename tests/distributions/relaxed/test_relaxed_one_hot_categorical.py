"""The Concrete distribution: its law, and a density that is right at every temperature, dtype and size."""

import math

import numpy as np
import pytest
import torch

import softdraw as sd
from softdraw import distributions as D
from softdraw.distributions.relaxed.log_space_sample import LogSpaceSample

from ...statistics import assert_frequencies, assert_mean, assert_same_law

PAIR = (D.RelaxedOneHotCategorical, D.ExpRelaxedCategorical)


def reference(logits, noise, tau, exp_space):
    """The density by the paper's formula, in extended precision, at the point that the noise makes."""
    a, g = np.asarray(logits, np.longdouble), np.asarray(noise, np.longdouble)
    n = a.shape[-1]
    x = (a + g) / np.longdouble(tau)
    log_y = x - x.max(-1, keepdims=True)
    log_y = log_y - np.log(np.exp(log_y).sum(-1, keepdims=True))
    t = a - np.longdouble(tau) * log_y
    top = t.max(-1, keepdims=True)
    total = (np.log(np.exp(t - top).sum(-1, keepdims=True)) + top)[..., 0]
    density = math.lgamma(n) + (n - 1) * np.log(np.longdouble(tau)) + t.sum(-1) - n * total
    return density if exp_space else density - log_y.sum(-1)


@pytest.mark.parametrize("cls", PAIR)
@pytest.mark.parametrize("tau", [0.01, 0.05, 0.1, 0.5, 1.0, 10.0, 1e3, 1e10])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_density_of_own_samples_is_the_float64_density_of_the_noise(cls, tau, dtype):
    for classes, draws in ((2, 300), (20, 300), (1000, 10)):
        generator = torch.Generator().manual_seed(classes)
        logits = (3 * torch.randn(classes, generator=generator)).to(dtype)
        d = cls(tau, logits=logits, validate_args=True)
        compute = torch.float64 if dtype == torch.float64 else torch.float32
        noise = sd.random.gumbel((classes,), sample_shape=(draws,), key=sd.Key(11), dtype=compute)
        expected = reference(logits.double(), noise.double(), tau, cls is D.ExpRelaxedCategorical)
        actual = d.log_prob(d.rsample((draws,), key=sd.Key(11)))
        np.testing.assert_allclose(actual.double().numpy(), expected.astype(float), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("cls", PAIR)
@pytest.mark.parametrize("tau", [0.01, 1.0, 1e10])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_density_over_100_000_classes(cls, tau, dtype):
    logits = torch.randn(100_000, generator=torch.Generator().manual_seed(1)).to(dtype)
    d = cls(tau, logits=logits, validate_args=True)
    noise = sd.random.gumbel((100_000,), sample_shape=(2,), key=sd.Key(3))
    expected = reference(logits.double(), noise.double(), tau, cls is D.ExpRelaxedCategorical)
    actual = d.log_prob(d.rsample((2,), key=sd.Key(3)))
    np.testing.assert_allclose(actual.double().numpy(), expected.astype(float), rtol=1e-6)


@pytest.mark.parametrize("tau", [0.3, 1.0, 4.0])
def test_density_of_plain_values_is_that_of_torch(tau):
    logits = torch.randn(3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    other = torch.distributions.RelaxedOneHotCategorical(
        torch.tensor(tau, dtype=torch.float64), logits=logits
    )
    value = torch.softmax(
        torch.randn(40, 3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1)), -1
    )
    ours = D.RelaxedOneHotCategorical(tau, logits=logits)
    torch.testing.assert_close(ours.log_prob(value), other.log_prob(value), rtol=1e-10, atol=1e-10)
    twin = D.ExpRelaxedCategorical(tau, logits=logits)
    torch.testing.assert_close(twin.log_prob(value.log()), other.base_dist.log_prob(value.log()))


@pytest.mark.parametrize("tau", [0.7, 1.0, 2.0])
def test_density_integrates_to_one_on_the_2_simplex_and_the_3_simplex(tau):
    logits = torch.tensor([0.3, -0.5, 0.1], dtype=torch.float64)
    nodes, weights = np.polynomial.legendre.leggauss(160)
    # u = s³ (10 - 15 s + 6 s²) flattens the integrable singularities at both ends.
    s, w = torch.tensor((nodes + 1) / 2), torch.tensor(weights / 2)
    u, du = s**3 * (10 - 15 * s + 6 * s * s), 30 * s**2 * (1 - s) ** 2 * w
    two = D.RelaxedOneHotCategorical(tau, logits=logits[:2])
    line = torch.stack([u, 1 - u], -1)
    assert (two.log_prob(line).exp() * du).sum().item() == pytest.approx(1, abs=1e-3)
    # The triangle as a collapsed square: y = (a, (1 - a) b, (1 - a)(1 - b)) with Jacobian 1 - a.
    a, b = u[:, None], u[None, :]
    y = torch.stack([a.expand(160, 160), (1 - a) * b, (1 - a) * (1 - b)], -1)
    area = du[:, None] * du[None, :] * (1 - a)
    three = D.RelaxedOneHotCategorical(tau, logits=logits)
    assert (three.log_prob(y).exp() * area).sum().item() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("tau", [0.1, 1.0, 10.0])
def test_argmax_is_categorical(tau):
    probs = torch.tensor([0.5, 0.05, 0.3, 0.15])
    for cls in (D.RelaxedOneHotCategorical, D.RelaxedOneHotCategoricalStraightThrough):
        y = cls(tau, probs=probs).sample((100_000,), key=sd.Key(17))
        assert_frequencies(y.argmax(-1).bincount(minlength=4), probs)


def test_at_a_huge_temperature_samples_are_uniform():
    y = D.RelaxedOneHotCategorical(1e10, probs=torch.tensor([0.5, 0.2, 0.3])).sample((100,), key=sd.Key(0))
    torch.testing.assert_close(y, torch.full((100, 3), 1 / 3))


def test_samples_are_those_of_the_function_at_the_same_key():
    logits = torch.randn(4, 6, generator=torch.Generator().manual_seed(2))
    key = sd.Key(21)
    soft = D.RelaxedOneHotCategorical(0.5, logits=logits).rsample(key=key)
    torch.testing.assert_close(torch.Tensor(soft), sd.gumbel_softmax(logits, 0.5, key=key))
    hard = D.RelaxedOneHotCategoricalStraightThrough(0.5, logits=logits).rsample(key=key)
    assert torch.equal(hard, sd.gumbel_softmax(logits, 0.5, hard=True, key=key))
    index = D.Categorical(logits=logits).sample(key=key)
    assert torch.equal(index, sd.gumbel_max(logits, key=key))
    assert torch.equal(index, hard.argmax(-1))
    twin = D.ExpRelaxedCategorical(0.5, logits=logits).rsample(key=key)
    torch.testing.assert_close(twin.exp(), torch.Tensor(soft))


def test_torch_fails_where_this_does_not():
    logits = torch.zeros(20)
    tau = torch.tensor(0.05)
    other = torch.distributions.RelaxedOneHotCategorical(tau, logits=logits, validate_args=False)
    assert not other.log_prob(other.rsample((200,))).isfinite().all()
    d = D.RelaxedOneHotCategorical(tau, logits=logits)
    assert d.log_prob(d.rsample((200,), key=sd.Key(0))).isfinite().all()


@pytest.mark.parametrize("cls", PAIR)
@pytest.mark.parametrize("by", ["mask", "-inf"])
def test_masked_classes_leave_the_density_of_the_smaller_simplex(cls, by):
    logits = torch.randn(
        5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(3)
    ).requires_grad_()
    mask = torch.tensor([True, False, True, True, False, True])
    given = {"logits": logits, "mask": mask}
    if by == "-inf":
        given = {"logits": logits.masked_fill(~mask, -math.inf)}
    d, small = cls(0.4, **given), cls(0.4, logits=logits[:, mask])
    value = d.rsample((9,), key=sd.Key(5))
    weight = 0.0 if cls is D.RelaxedOneHotCategorical else -math.inf
    assert (value[..., ~mask] == weight).all()
    log_prob = d.log_prob(value)
    torch.testing.assert_close(log_prob, small.log_prob(value[..., mask]))
    (grad,) = torch.autograd.grad(log_prob.sum() + value[..., mask].square().sum(), logits)
    assert grad.isfinite().all()
    assert (grad[:, ~mask] == 0).all()


def test_probability_zero_is_a_mask():
    probs = torch.tensor([0.5, 0.0, 0.5], requires_grad=True)
    d = D.RelaxedOneHotCategorical(0.5, probs=probs)
    value = d.rsample((50,), key=sd.Key(1))
    assert (value[:, 1] == 0).all()
    (grad,) = torch.autograd.grad(d.log_prob(value).sum(), probs)
    assert grad.isfinite().all()
    assert grad[1] == 0


@pytest.mark.parametrize("cls", [*PAIR, D.RelaxedOneHotCategoricalStraightThrough])
def test_rows_without_a_class(cls):
    logits = torch.zeros(3, 4, requires_grad=True)
    mask = torch.tensor([[True] * 4, [False] * 4, [False, False, True, False]])
    d = cls(0.3, logits=logits, mask=mask)
    value = d.rsample((5,), key=sd.Key(2))
    nothing = -math.inf if cls is D.ExpRelaxedCategorical else 0.0
    assert (value[:, 1] == nothing).all()
    log_prob = d.log_prob(value)
    assert (log_prob[:, 1] == 0).all()
    assert (log_prob[:, 2] == 0).all()
    finite = value.masked_fill(~mask, 0.0)
    (grad,) = torch.autograd.grad(log_prob.sum() + finite.square().sum(), logits)
    assert grad.isfinite().all()
    assert (grad[1:] == 0).all()


def test_weight_on_a_masked_class():
    mask = torch.tensor([True, True, False])
    value = torch.tensor([0.2, 0.3, 0.5])
    d = D.RelaxedOneHotCategorical(0.5, logits=torch.zeros(3), mask=mask)
    with pytest.raises(ValueError, match="value: got weight on a masked class"):
        d.log_prob(value)
    free = D.RelaxedOneHotCategorical(0.5, logits=torch.zeros(3), mask=mask, validate_args=False)
    assert free.log_prob(value) == -math.inf


@pytest.mark.parametrize(
    ("tau", "value"),
    [
        (0.3, [0.0, 0.4, 0.6]),
        (0.5, [0.0, 0.4, 0.6]),
        (0.7, [0.0, 0.4, 0.6]),
        (1.9, [0.0, 0.0, 1.0]),
        (2.0, [0.0, 0.0, 1.0]),
        (2.1, [0.0, 0.0, 1.0]),
    ],
)
def test_on_the_boundary_the_density_is_its_limit(tau, value):
    logits = torch.tensor([0.5, -0.2, 0.1], dtype=torch.float64)
    value = torch.tensor(value, dtype=torch.float64)
    d = D.RelaxedOneHotCategorical(tau, logits=logits, validate_args=False)
    limit = d.log_prob(value)
    near = [d.log_prob((value + e) / (1 + 3 * e)).item() for e in (1e-9, 1e-12)]
    zeros = int((value == 0).sum())
    power = zeros - (3 - zeros) * tau
    if power == 0:
        # Here the rate at which the other entries leave 0 does not matter.
        assert limit.item() == pytest.approx(near[1], abs=1e-5)
    else:
        assert limit.item() == math.copysign(math.inf, power)
        assert (near[1] - near[0]) * power > 0
    with pytest.raises(ValueError, match="value: got 1 of 1 rows on the boundary of the simplex"):
        D.RelaxedOneHotCategorical(tau, logits=logits).log_prob(value)


def test_values_off_the_simplex_are_refused():
    d = D.RelaxedOneHotCategorical(0.5, logits=torch.zeros(3))
    for value in ([0.5, 0.5, 0.5], [1.2, -0.1, -0.1], [math.nan, 0.5, 0.5]):
        with pytest.raises(ValueError, match="support"):
            d.log_prob(torch.tensor(value))
    with pytest.raises(ValueError, match="right-most"):
        d.log_prob(torch.tensor([0.5, 0.5]))


def test_logits_far_from_zero_change_nothing():
    logits = torch.tensor([1e6, 1e6 + 1, 1e6 - 2])
    near = D.RelaxedOneHotCategorical(0.5, logits=logits - 1e6)
    far = D.RelaxedOneHotCategorical(0.5, logits=logits)
    value = near.sample((20,), key=sd.Key(0))
    torch.testing.assert_close(far.sample((20,), key=sd.Key(0)), value)
    torch.testing.assert_close(far.log_prob(value), near.log_prob(value))


def test_gradcheck_of_log_prob_in_value_and_parameters():
    generator = torch.Generator().manual_seed(0)
    for tau in (0.25, 3.0):
        logits = torch.randn(2, 3, dtype=torch.float64, generator=generator).requires_grad_()
        temperature = torch.tensor([tau], dtype=torch.float64, requires_grad=True)
        # Away from the corners, where the slope is so steep that a finite difference misses it.
        value = torch.softmax(
            torch.randn(2, 3, dtype=torch.float64, generator=generator), -1
        ).requires_grad_()

        def log_prob(value, temperature, logits):
            return D.RelaxedOneHotCategorical(temperature, logits=logits, validate_args=False).log_prob(value)

        assert torch.autograd.gradcheck(log_prob, (value, temperature, logits))


@pytest.mark.parametrize("tau", [0.2, 0.5, 1.0])
def test_straight_through_has_the_entropy_gradient_of_the_relaxed(tau):
    gradients = []
    for cls in (D.RelaxedOneHotCategorical, D.RelaxedOneHotCategoricalStraightThrough):
        probs = torch.tensor([0.1, 0.2, 0.3, 0.4], requires_grad=True)
        d = cls(tau, probs=probs)
        (grad,) = torch.autograd.grad(d.log_prob(d.rsample((200_000,), key=sd.Key(3))).mean(), probs)
        gradients.append(grad)
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-5)


def test_entropy_of_the_twin_is_the_mean_of_minus_log_prob():
    logits = torch.tensor([[0.0, 1.0, 3.0], [0.0, 0.0, -math.inf], [2.0, -math.inf, -math.inf]])
    d = D.ExpRelaxedCategorical(torch.tensor([0.2, 1.0, 5.0]), logits=logits)
    assert_mean(-d.log_prob(d.sample((100_000,), key=sd.Key(6))), d.entropy().double())
    assert d.entropy()[2] == 0


def test_mode_of_the_twin_is_a_maximum():
    d = D.ExpRelaxedCategorical(0.3, logits=torch.tensor([0.2, 1.0, -2.0], dtype=torch.float64))
    best = d.log_prob(d.mode)
    assert d.mode.exp().sum().item() == pytest.approx(1)
    nudges = 0.1 * torch.randn(500, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert (d.log_prob((d.mode + nudges).log_softmax(-1)) < best).all()


@pytest.mark.parametrize("name", ["mean", "variance", "mode", "entropy"])
def test_what_has_no_closed_form_says_so(name):
    d = D.RelaxedOneHotCategorical(0.5, logits=torch.zeros(3))
    with pytest.raises(
        NotImplementedError, match=f"RelaxedOneHotCategorical has no closed form for its {name}: "
    ):
        getattr(d, name)()
    torch.testing.assert_close(d.probs, torch.full((3,), 1 / 3))
    torch.testing.assert_close(d.logits, torch.full((3,), -math.log(3)))


class TestConditional:
    logits = torch.tensor([[0.5, -1.0, 2.0], [0.0, 0.3, -math.inf]], dtype=torch.float64)

    @pytest.mark.parametrize("tau", [0.1, 1.0])
    def test_index_then_conditional_has_the_law_of_the_sample(self, tau):
        d = D.RelaxedOneHotCategorical(tau, logits=self.logits)
        index = d.categorical.sample((40_000,), key=sd.Key(0)).argmax(-1)
        through = d.conditional_rsample(index, key=sd.Key(1))
        direct = d.sample((40_000,), key=sd.Key(2))
        assert torch.equal(through.argmax(-1), index)
        for row in range(2):
            for column in range(2):
                assert_same_law(through[:, row, column], direct[:, row, column], comparisons=4)
        assert_same_law(d.log_prob(through)[:, 0], d.log_prob(direct)[:, 0])

    def test_log_p_of_z_is_log_p_of_b_plus_log_p_of_z_given_b(self):
        d = D.RelaxedOneHotCategorical(0.3, logits=self.logits)
        index = torch.tensor([[2, 1], [0, 0]])
        z = d.conditional_rsample(index, key=sd.Key(4))
        total = D.Categorical(logits=self.logits).log_prob(index) + d.conditional_log_prob(z, index)
        torch.testing.assert_close(total, d.log_prob(z), rtol=1e-12, atol=1e-12)
        assert (d.conditional_log_prob(z, 1 - index.clamp_max(1)) == -math.inf).all()

    def test_conditional_density_against_the_truncated_gumbels_it_is_drawn_from(self):
        # In the space of perturbed logits x, drawn top first: Gumbel(log Z) at x_i, truncated Gumbels below
        # it.
        a = self.logits[0]
        i, x = 0, torch.tensor([1.7, 0.4, 1.1], dtype=torch.float64)
        gumbel = lambda v, loc: -(v - loc) - torch.exp(-(v - loc))  # noqa: E731
        others = [j for j in range(3) if j != i]
        drawn = gumbel(x[i], a.logsumexp(0))
        drawn = drawn + sum(gumbel(x[j], a[j]) + torch.exp(-(x[i] - a[j])) for j in others)
        joint = gumbel(x, a).sum() - a.log_softmax(0)[i]
        torch.testing.assert_close(drawn, joint, rtol=1e-13, atol=1e-13)

    def test_gradient_is_pathwise_and_straight_through_keeps_the_density(self):
        logits = self.logits[0].clone().requires_grad_()
        index = torch.tensor([0, 1, 2, 2])

        def soft(logits):
            return (
                D.RelaxedOneHotCategorical(0.5, logits=logits)
                .conditional_rsample(index, key=sd.Key(8))
                .as_subclass(torch.Tensor)
            )

        assert torch.autograd.gradcheck(soft, (logits,))
        d = D.RelaxedOneHotCategoricalStraightThrough(0.5, logits=logits)
        hard = d.conditional_rsample(index, key=sd.Key(8))
        assert torch.equal(hard, torch.nn.functional.one_hot(index, 3).double())
        relaxed = D.RelaxedOneHotCategorical(0.5, logits=logits)
        torch.testing.assert_close(
            d.log_prob(hard), relaxed.log_prob(relaxed.conditional_rsample(index, key=sd.Key(8)))
        )

    def test_errors_and_padding(self):
        d = D.RelaxedOneHotCategorical(0.5, logits=torch.full((2, 3), -math.inf))
        z = d.conditional_rsample(torch.tensor([-1, -1]), key=sd.Key(0))
        assert (z == 0).all()
        with pytest.raises(ValueError, match=r"index: got .*expected shape \[\*sample_shape, \*\[2\]\]"):
            d.conditional_rsample(torch.tensor([0, 0, 0]))
        with pytest.raises(TypeError, match=r"index: got .*expected a tensor of integers"):
            d.conditional_rsample(torch.tensor([0.0, 0.0]))


def test_compile_and_vmap():
    logits = torch.randn(4, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()
    key = sd.Key(12)

    def draw(logits, tau):
        return D.RelaxedOneHotCategorical(tau, logits=logits).rsample_and_log_prob((3,), key=key)

    tau = torch.tensor(0.4)
    eager = draw(logits, tau)
    compiled = torch.compile(draw, fullgraph=True, backend="aot_eager")(logits, tau)
    for one, two in zip(eager, compiled, strict=True):
        torch.testing.assert_close(one, two)
    assert not isinstance(compiled[0], LogSpaceSample)
    rows = torch.func.vmap(lambda row: draw(row, tau))(logits)
    assert rows[0].shape == (4, 3, 5)
    assert rows[1].shape == (4, 3)
    assert rows[1].isfinite().all()
    one = draw(logits[2], tau)
    torch.testing.assert_close(rows[1][2], one[1])


def test_torch_users_can_build_on_it():
    d = D.RelaxedOneHotCategorical(0.5, logits=torch.zeros(4, 3))
    whole = torch.distributions.Independent(d, 1)
    value = whole.rsample()
    assert whole.log_prob(value).shape == ()
    transform = torch.distributions.biject_to(d.support)
    assert transform(torch.zeros(4, 2)).shape == (4, 3)
    assert torch.distributions.transform_to(d.support)(torch.zeros(4, 3)).sum().item() == pytest.approx(4)
