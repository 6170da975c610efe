"""Hard Concrete gates: atoms, density between them, closed-form probability of being open."""

import math

import pytest
import torch

import softdraw as sd
from softdraw import distributions as D

from ..statistics import assert_frequencies

LOGITS = torch.tensor([-3.0, -0.5, 0.0, 1.0, 4.0], dtype=torch.float64)


@pytest.mark.parametrize("tau", [0.1, 2 / 3, 3.0])
@pytest.mark.parametrize("stretch", [(-0.1, 1.1), (-0.4, 1.9)])
def test_atoms_have_their_closed_form_probability(tau, stretch):
    d = D.HardConcrete(tau, logits=LOGITS, gamma=stretch[0], zeta=stretch[1])
    z = d.sample((100_000,), key=sd.Key(0))
    zero, one = d.log_prob(torch.zeros(5).double()).exp(), d.log_prob(torch.ones(5).double()).exp()
    torch.testing.assert_close(d.l0_probability, 1 - zero)
    torch.testing.assert_close(d.gate.probs, d.l0_probability)
    for i in range(5):
        counts = torch.stack(
            [(z[:, i] == 0).sum(), (z[:, i] == 1).sum(), ((z[:, i] > 0) & (z[:, i] < 1)).sum()]
        )
        assert_frequencies(counts, torch.stack([zero[i], one[i], 1 - zero[i] - one[i]]), comparisons=5)


def test_the_closed_form_is_that_of_the_paper():
    # Equation 12: sigmoid(log α - β log(-γ / ζ)), with the paper's β = 2/3, γ = -0.1, ζ = 1.1.
    d = D.HardConcrete(2 / 3, logits=torch.tensor([0.3]))
    assert d.l0_probability.item() == pytest.approx(1 / (1 + math.exp(-(0.3 - 2 / 3 * math.log(0.1 / 1.1)))))


@pytest.mark.parametrize("tau", [0.3, 2 / 3, 2.0])
def test_atoms_and_density_sum_to_one(tau):
    d = D.HardConcrete(tau, logits=LOGITS)
    x = torch.linspace(1e-9, 1 - 1e-9, 200_001, dtype=torch.float64)[:, None].expand(-1, 5)
    inner = torch.trapezoid(d.log_prob(x).exp(), x, dim=0)
    zero, one = d.log_prob(torch.zeros(5).double()).exp(), d.log_prob(torch.ones(5).double()).exp()
    torch.testing.assert_close(inner + zero + one, torch.ones(5).double(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_density_of_own_samples_is_the_float64_density_of_the_noise(dtype):
    for tau in (0.01, 2 / 3, 1e10):
        logits = (2 * torch.randn(400, generator=torch.Generator().manual_seed(1))).to(dtype)
        d = D.HardConcrete(tau, logits=logits)
        noise = sd.random.logistic((400,), key=sd.Key(2)).double()
        x = (logits.double() + noise) / tau
        low, high = math.log(0.1 / 1.1), math.log(1.1 / 0.1)
        s = torch.sigmoid(x)
        t = logits.double() - tau * x
        logsig = torch.nn.functional.logsigmoid
        inner = math.log(tau) + logsig(t) + logsig(-t) - s.log() - (1 - s).log() - math.log(1.2)
        a = logits.double()
        expected = torch.where(
            x <= low, logsig(tau * low - a), torch.where(x >= high, logsig(a - tau * high), inner)
        )
        actual = d.log_prob(d.rsample(key=sd.Key(2)))
        torch.testing.assert_close(actual, expected.float(), rtol=1e-5, atol=1e-5)


def test_plain_values_are_taken_as_they_are():
    d = D.HardConcrete(2 / 3, logits=LOGITS)
    z = d.sample((500,), key=sd.Key(4))
    torch.testing.assert_close(d.log_prob(torch.Tensor(z * 1.0)), d.log_prob(z), rtol=1e-9, atol=1e-9)


def test_median():
    d = D.HardConcrete(2 / 3, logits=LOGITS)
    z = d.sample((100_001,), key=sd.Key(5))
    below, above = (z < d.median).double().mean(0), (z <= d.median).double().mean(0)
    # Standard error 0.0016: six of them.
    assert (below < 0.51).all()
    assert (above > 0.49).all()
    assert torch.equal(d.median[[0, 4]], torch.tensor([0.0, 1.0], dtype=torch.float64))


def test_gradient_of_the_gate_and_of_its_probability():
    logits = LOGITS.clone().requires_grad_()
    d = D.HardConcrete(2 / 3, logits=logits)
    z = d.rsample((1000,), key=sd.Key(6))
    (grad,) = torch.autograd.grad(z.mean(0).sum(), logits, retain_graph=True)
    assert (grad > 0).all()
    inside = (z > 0) & (z < 1)
    (some,) = torch.autograd.grad(z[~inside].sum(), logits)
    assert (some == 0).all()
    assert torch.autograd.gradcheck(lambda a: D.HardConcrete(0.5, logits=a).l0_probability, (logits,))


@pytest.mark.parametrize("stretch", [(0.0, 1.1), (-0.1, 1.0), (-math.inf, 1.1), (0.1, 1.2)])
def test_stretch_is_checked(stretch):
    with pytest.raises(ValueError, match=r"(gamma|zeta): got .*expected a finite number"):
        D.HardConcrete(0.5, logits=torch.zeros(2), gamma=stretch[0], zeta=stretch[1])


@pytest.mark.parametrize("name", ["mean", "variance", "mode", "entropy"])
def test_what_has_no_closed_form_says_so(name):
    with pytest.raises(NotImplementedError, match=f"HardConcrete has no closed form for its {name}: "):
        getattr(D.HardConcrete(0.5, logits=torch.zeros(2)), name)()


def test_expand_keeps_the_stretch():
    d = D.HardConcrete(0.5, logits=torch.zeros(2), gamma=-0.5, zeta=2.0).expand((3, 2))
    assert (d.gamma, d.zeta) == (-0.5, 2.0)
    assert d.log_prob(d.sample(key=sd.Key(0))).shape == (3, 2)
