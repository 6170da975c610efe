"""The discrete distributions: torch's answers where torch has them, and right ones where it has not."""

import math

import pytest
import torch

import softdraw as sd
from softdraw import distributions as D

from ..statistics import assert_frequencies

LOGITS = torch.tensor([[0.5, -1.0, 2.0, 0.0], [1.0, 1.0, -3.0, 0.2]])
MASK = torch.tensor([[True, True, False, True], [False] * 4])


def test_torch_agrees_on_plain_logits():
    for ours, theirs in (
        (D.Categorical(logits=LOGITS), torch.distributions.Categorical(logits=LOGITS)),
        (D.OneHotCategorical(logits=LOGITS), torch.distributions.OneHotCategorical(logits=LOGITS)),
        (D.Categorical(LOGITS.exp()), torch.distributions.Categorical(LOGITS.exp())),
    ):
        torch.testing.assert_close(ours.probs, theirs.probs)
        torch.testing.assert_close(ours.logits, theirs.logits)
        torch.testing.assert_close(ours.entropy(), theirs.entropy())
        assert torch.equal(ours.mode, theirs.mode)
        assert torch.equal(ours.enumerate_support(), theirs.enumerate_support())
        assert torch.equal(ours.enumerate_support(expand=False), theirs.enumerate_support(expand=False))
        support = ours.enumerate_support()
        torch.testing.assert_close(ours.log_prob(support), theirs.log_prob(support))
        torch.testing.assert_close(ours.log_prob(support).exp().sum(0), torch.ones(2))
        assert isinstance(ours, type(theirs))
        assert repr(ours.support) == repr(theirs.support)
    one_hot = D.OneHotCategorical(logits=LOGITS)
    torch.testing.assert_close(one_hot.mean, one_hot.probs)
    torch.testing.assert_close(one_hot.variance, one_hot.probs * (1 - one_hot.probs))


def test_frequencies():
    counts = D.Categorical(logits=LOGITS[0]).sample((100_000,), key=sd.Key(0)).bincount(minlength=4)
    assert_frequencies(counts, LOGITS[0].softmax(-1))
    d = D.OneHotCategorical(logits=LOGITS, mask=MASK)
    z = d.sample((100_000,), key=sd.Key(1))
    assert_frequencies(z[:, 0].sum(0), d.probs[0])
    assert (z[:, 1] == 0).all()


def test_masked_classes_and_empty_rows():
    d = D.Categorical(logits=LOGITS, mask=MASK)
    small = torch.distributions.Categorical(logits=LOGITS[0, MASK[0]])
    torch.testing.assert_close(d.entropy(), torch.stack([small.entropy(), torch.tensor(0.0)]))
    assert (d.probs[~MASK] == 0).all()
    assert (d.logits[~MASK] == -math.inf).all()
    assert d.mode.tolist() == [0, -1]
    assert d.log_prob(torch.tensor([2, -1])).tolist() == [-math.inf, 0.0]
    assert (d.sample((9,), key=sd.Key(0))[:, 1] == -1).all()
    h = D.OneHotCategorical(logits=LOGITS, mask=MASK)
    torch.testing.assert_close(h.entropy(), d.entropy())
    assert h.mode.tolist() == [[1, 0, 0, 0], [0, 0, 0, 0]]
    assert h.log_prob(h.sample((9,), key=sd.Key(0)))[:, 1].tolist() == [0.0] * 9
    assert (h.mean[1] == 0).all()


def test_gradients_are_finite_at_masked_classes():
    logits = LOGITS.clone().requires_grad_()
    d = D.Categorical(logits=logits, mask=MASK)
    (grad,) = torch.autograd.grad(d.entropy().sum() + d.log_prob(torch.tensor([3, -1])).sum(), logits)
    assert grad.isfinite().all()
    assert (grad[~MASK] == 0).all()
    probs = torch.tensor([0.25, 0.0, 0.75], requires_grad=True)
    (grad,) = torch.autograd.grad(D.Categorical(probs).entropy(), probs)
    assert grad.isfinite().all()


def test_half_precision_counts_in_float32():
    logits = LOGITS.half()
    d = D.Categorical(logits=logits)
    exact = torch.distributions.Categorical(logits=logits.double())
    torch.testing.assert_close(d.entropy().double(), exact.entropy(), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(
        d.log_prob(torch.tensor([1, 2])).double(), exact.log_prob(torch.tensor([1, 2]))
    )
    assert d.probs.dtype == d.logits.dtype == torch.float16


def test_wrong_values_are_refused():
    d = D.Categorical(logits=LOGITS, mask=MASK)
    for value in ([4, -1], [-1, -1], [0, 0], [0.5, -1.0]):
        with pytest.raises(ValueError, match=r"value: got indices such as .*expected classes from 0 to 3"):
            d.log_prob(torch.tensor(value))
    h = D.OneHotCategorical(logits=LOGITS)
    for value in (
        [[1.0, 1, 0, 0], [0, 0, 0, 1]],
        [[0.5, 0.5, 0, 0], [0, 0, 0, 1]],
        [[0.0] * 4, [0, 0, 0, 1]],
    ):
        with pytest.raises(ValueError, match="value: got 1 of 2 rows that are not one-hot"):
            h.log_prob(torch.tensor(value))
    with pytest.raises(ValueError, match=r"value: got .*expected the event shape \(4,\)"):
        h.log_prob(torch.ones(3))
    for cls in (D.Categorical, D.OneHotCategorical):
        with pytest.raises(ValueError, match=r"logits: got .* with 1 class or more"):
            cls(logits=torch.zeros(3, 0))
        with pytest.raises(ValueError, match=r"logits: got .* with 1 class or more"):
            cls(logits=torch.tensor(0.0))


def test_mixtures_of_torch_take_it():
    mixture = torch.distributions.MixtureSameFamily(
        D.Categorical(logits=torch.zeros(2)),
        torch.distributions.Normal(torch.tensor([-1.0, 1.0]), torch.ones(2)),
    )
    assert mixture.log_prob(torch.tensor(0.0)).isfinite()
