"""KL divergences: closed forms against sums, quadrature and draws; estimates with an honest error."""

import math

import pytest
import torch
from torch.distributions import kl_divergence

import softdraw as sd
from softdraw import distributions as D

from ..statistics import assert_estimate

LEFT = torch.tensor([[0.5, -1.0, 2.0, 0.0], [1.0, 1.0, -3.0, 0.2]], dtype=torch.float64)
RIGHT = torch.tensor([[0.0, 0.0, 0.0, 0.0], [2.0, -1.0, 0.3, 0.2]], dtype=torch.float64)


def test_categorical_is_torchs():
    expected = kl_divergence(
        torch.distributions.Categorical(logits=LEFT), torch.distributions.Categorical(logits=RIGHT)
    )
    torch.testing.assert_close(
        kl_divergence(D.Categorical(logits=LEFT), D.Categorical(logits=RIGHT)), expected
    )
    one_hot = kl_divergence(D.OneHotCategorical(logits=LEFT), D.OneHotCategorical(logits=RIGHT))
    torch.testing.assert_close(one_hot, expected)
    relaxed = D.RelaxedOneHotCategorical(0.5, logits=LEFT)
    torch.testing.assert_close(
        kl_divergence(relaxed.categorical, D.OneHotCategorical(logits=RIGHT)), expected
    )


def test_categorical_with_masks():
    left = LEFT.clone().requires_grad_()
    mask = torch.tensor([[True, True, False, True], [False] * 4])
    p = D.Categorical(logits=left, mask=mask)
    divergence = kl_divergence(p, D.Categorical(logits=RIGHT))
    inner = D.Categorical(logits=LEFT[0, mask[0]])
    log_q = D.Categorical(logits=RIGHT[0]).logits[mask[0]]
    by_hand = (inner.probs * (inner.logits - log_q)).sum()
    torch.testing.assert_close(divergence.detach(), torch.stack([by_hand, torch.tensor(0.0).double()]))
    (grad,) = torch.autograd.grad(divergence.sum(), left)
    assert grad.isfinite().all()
    assert (grad[~mask] == 0).all()
    assert kl_divergence(D.Categorical(logits=RIGHT), p).tolist() == [math.inf, math.inf]
    assert kl_divergence(p, p).tolist() == [0.0, 0.0]


def test_relaxed_distributions_say_what_to_use():
    p, q = D.RelaxedOneHotCategorical(0.1, logits=LEFT), D.RelaxedOneHotCategorical(1.0, logits=LEFT)
    with pytest.raises(
        NotImplementedError, match=r"no closed form: estimate it with softdraw\.distributions\.kl_est"
    ):
        kl_divergence(p, q)


A = torch.tensor([-2.0, 0.0, 0.5, 3.0, 0.0, -30.0, 20.0], dtype=torch.float64)
B = torch.tensor([1.0, 0.0, 0.5001, -1.0, 1e-9, 30.0, 19.0], dtype=torch.float64)


@pytest.mark.parametrize("tau", [0.3, 2 / 3, 2.0])
def test_hard_concrete_against_quadrature(tau):
    p, q = D.HardConcrete(tau, logits=A[:5]), D.HardConcrete(tau, logits=B[:5])
    x = torch.linspace(1e-10, 1 - 1e-10, 400_001, dtype=torch.float64)[:, None].expand(-1, 5)
    inner = torch.trapezoid(p.log_prob(x).exp() * (p.log_prob(x) - q.log_prob(x)), x, dim=0)
    atoms = torch.zeros(5, dtype=torch.float64)
    for end in (0.0, 1.0):
        z = torch.full((5,), end, dtype=torch.float64)
        atoms = atoms + p.log_prob(z).exp() * (p.log_prob(z) - q.log_prob(z))
    torch.testing.assert_close(kl_divergence(p, q), inner + atoms, rtol=1e-6, atol=1e-7)


def test_hard_concrete_at_extremes():
    a, b = A.clone().requires_grad_(), B.clone().requires_grad_()
    value = kl_divergence(D.HardConcrete(0.5, logits=a), D.HardConcrete(0.5, logits=b))
    assert value.isfinite().all()
    assert (value >= -1e-15).all()
    assert value[1] == 0
    assert value[4].item() == pytest.approx(0, abs=1e-16)
    for grad in torch.autograd.grad(value.sum(), (a, b)):
        assert grad.isfinite().all()
    inputs = (A[:4].clone().requires_grad_(), B[:4].clone().requires_grad_())
    closed = lambda a, b: kl_divergence(D.HardConcrete(0.5, logits=a), D.HardConcrete(0.5, logits=b))  # noqa: E731
    assert torch.autograd.gradcheck(closed, inputs)


def test_hard_concrete_is_smooth_where_the_series_takes_over():
    d = torch.logspace(-4, 0, 200, dtype=torch.float64)
    value = kl_divergence(D.HardConcrete(0.5, logits=0 * d), D.HardConcrete(0.5, logits=d))
    ratio = value / d.square()
    assert ((ratio[1:] - ratio[:-1]).abs() < 2e-2 * ratio[1:]).all()


def test_hard_concrete_with_certain_gates():
    inf = math.inf
    p = D.HardConcrete(0.5, logits=torch.tensor([-inf, inf, -inf, inf, 0.0]))
    q = D.HardConcrete(0.5, logits=torch.tensor([0.0, 0.0, -inf, -inf, inf]))
    zero, one = D.HardConcrete(0.5, logits=0.0).log_prob(torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(kl_divergence(p, q), torch.tensor([-zero, -one, 0.0, inf, inf]))


def test_hard_concrete_of_other_shape_says_what_to_use():
    p = D.HardConcrete(0.5, logits=A)
    for q in (D.HardConcrete(0.6, logits=A), D.HardConcrete(0.5, logits=A, gamma=-0.2)):
        with pytest.raises(NotImplementedError, match="only for one temperature, gamma and zeta"):
            kl_divergence(p, q)
    open_gates = kl_divergence(p.gate, D.HardConcrete(0.6, logits=B).gate)
    assert (open_gates >= 0).all()


class TestEstimate:
    @pytest.mark.parametrize("tau", [0.01, 0.5, 1e6])
    def test_zero_for_equals_and_exact_error(self, tau):
        p = D.RelaxedOneHotCategorical(tau, logits=LEFT)
        value, error = D.kl_estimate(p, p, 50, key=sd.Key(0))
        assert torch.equal(value, torch.zeros(2, dtype=torch.float64))
        assert torch.equal(error, torch.zeros(2, dtype=torch.float64))

    def test_against_a_closed_form(self):
        p, q = D.HardConcrete(0.5, logits=A[:4]), D.HardConcrete(0.5, logits=B[:4])
        value, error = D.kl_estimate(p, q, 100_000, key=sd.Key(1))
        assert_estimate(value, error, kl_divergence(p, q))
        assert (error < 0.02).all()

    def test_against_the_logistic_closed_form(self):
        # KL of Logistic(a, 1) to Logistic(b, 1) is d coth(d / 2) - 2 with d = b - a; invariant to any
        # monotone map.
        d = torch.tensor([0.5, 2.0, -3.0], dtype=torch.float64)
        expected = d / torch.tanh(d / 2) - 2
        for cls in (D.LogitRelaxedBernoulli, D.RelaxedBernoulli, D.RelaxedBernoulliStraightThrough):
            p, q = cls(0.1, logits=0 * d), cls(0.1, logits=d)
            value, error = D.kl_estimate(p, q, 50_000, key=sd.Key(2))
            assert_estimate(value, error, expected)

    def test_two_classes_are_the_binary_case(self):
        d = torch.tensor(1.5, dtype=torch.float64)
        zero = torch.zeros(2, dtype=torch.float64)
        p = D.RelaxedOneHotCategorical(0.05, logits=zero)
        q = D.RelaxedOneHotCategorical(0.05, logits=torch.stack([d, 0 * d]))
        value, error = D.kl_estimate(p, q, 50_000, key=sd.Key(3))
        assert_estimate(value, error, d / torch.tanh(d / 2) - 2)

    def test_the_error_is_honest(self):
        # The spread of 200 estimates against the error that each states: chi with 199 degrees, within 30 %.
        p, q = D.RelaxedOneHotCategorical(0.3, logits=LEFT), D.RelaxedOneHotCategorical(0.7, logits=RIGHT)
        pairs = [D.kl_estimate(p, q, 100, key=sd.Key(4).fold_in(i)) for i in range(200)]
        spread = torch.stack([v for v, _ in pairs]).std(0)
        stated = torch.stack([e for _, e in pairs]).square().mean(0).sqrt()
        assert ((spread / stated - 1).abs() < 0.3).all()

    def test_gradient_reaches_both(self):
        left, right = LEFT.clone().requires_grad_(), RIGHT.clone().requires_grad_()
        p, q = D.RelaxedOneHotCategorical(0.3, logits=left), D.RelaxedOneHotCategorical(0.7, logits=right)
        value, error = D.kl_estimate(p, q, 100, key=sd.Key(5))
        for grad in torch.autograd.grad(value.sum(), (left, right)):
            assert grad.isfinite().all()
            assert (grad != 0).any()
        assert not error.requires_grad

    def test_a_forbidden_class_costs_infinity(self):
        p = D.RelaxedOneHotCategorical(0.5, logits=torch.zeros(3))
        q = D.RelaxedOneHotCategorical(0.5, logits=torch.tensor([0.0, 0.0, -math.inf]))
        value, error = D.kl_estimate(p, q, 10, key=sd.Key(0))
        assert value == error == math.inf
        back, _ = D.kl_estimate(q, p, 10, key=sd.Key(0))
        assert back == math.inf or back.isfinite()

    def test_other_distributions(self):
        normal = torch.distributions.Normal(torch.zeros(2), torch.ones(2))
        value, error = D.kl_estimate(normal, torch.distributions.Normal(torch.ones(2), torch.ones(2)), 10_000)
        assert_estimate(value, error, 0.5)
        with pytest.raises(ValueError, match="key: got one with p of type Normal, expected None"):
            D.kl_estimate(normal, normal, 10, key=sd.Key(0))

    @pytest.mark.parametrize("draws", [0, 1, -5])
    def test_too_few_draws(self, draws):
        p = D.RelaxedBernoulli(0.5, logits=0.0)
        with pytest.raises(ValueError, match=f"draws: got {draws}, expected an int >= 2"):
            D.kl_estimate(p, p, draws)
        with pytest.raises(TypeError, match=r"draws: got 2.0, expected an int"):
            D.kl_estimate(p, p, 2.0)
