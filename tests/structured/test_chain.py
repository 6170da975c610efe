"""Chains at extremes, of several lengths, and beside the plain recursion."""

import math

import pytest
import torch
from torch.distributions import kl_divergence

import softdraw as sd

from ..statistics import assert_frequencies
from .tree_laws import WIDE, chain_scores, normal, paths

Chain = sd.structured.Chain


@pytest.mark.parametrize("scale", [1.0, 80.0, 1000.0])
@pytest.mark.parametrize(("dtype", "tolerance"), [(WIDE, 1e-10), (torch.float32, 1e-4)])
def test_values_are_right_at_every_scale(scale, dtype, tolerance):
    unary, pairwise = normal(20, 4, 3) * scale, normal(20, 3, 3, 3, seed=1) * scale
    unary, pairwise = unary.to(dtype), pairwise.to(dtype)
    every = paths(4, 3)
    scores = chain_scores(every, unary.to(WIDE), pairwise.to(WIDE))
    log_p = scores.log_softmax(0)
    d = Chain(unary, pairwise)
    means = torch.tensordot(log_p.exp().T, every, 1)
    torch.testing.assert_close(d.log_partition.to(WIDE), scores.logsumexp(0), rtol=1e-6, atol=tolerance)
    torch.testing.assert_close(d.marginals.to(WIDE), means, rtol=0, atol=tolerance)
    pairs = torch.einsum("sti,stj,sb->btij", every[:, :-1], every[:, 1:], log_p.exp())
    torch.testing.assert_close(d.pairwise_marginals.to(WIDE), pairs, rtol=0, atol=tolerance)
    torch.testing.assert_close(
        chain_scores(d.mode.to(WIDE), unary.to(WIDE), pairwise.to(WIDE)).diagonal(), scores.max(0).values
    )
    torch.testing.assert_close(
        d.entropy().to(WIDE),
        -(log_p.exp() * log_p).sum(0),
        rtol=tolerance,
        atol=1e-4 if dtype != WIDE else 1e-8,
    )


def test_lengths_are_padding():
    unary, pairwise = normal(4, 6, 3), normal(4, 5, 3, 3, seed=1)
    d = Chain(unary, pairwise, torch.tensor([6, 3, 1, 0]))
    for row, length in enumerate((6, 3, 1)):
        alone = Chain(unary[row, :length], pairwise[row, : length - 1])
        torch.testing.assert_close(d.log_partition[row], alone.log_partition)
        torch.testing.assert_close(d.entropy()[row], alone.entropy())
        for ask in (
            lambda d: d.marginals,
            lambda d: d.mode,
            lambda d: d.pairwise_marginals.sum(-1),
            lambda d, row=row: d.sample(key=sd.Key(0).rows(0 if d.batch_shape else row)),
            lambda d, row=row: d.relax(0.5, key=sd.Key(0).rows(0 if d.batch_shape else row)),
            lambda d, row=row: d.relax(0.5, hard=True, key=sd.Key(0).rows(0 if d.batch_shape else row)),
        ):
            whole, part = ask(d)[row], ask(alone)
            torch.testing.assert_close(whole[: len(part)], part)
            assert not whole[len(part) :].any()
    assert d.log_partition[3] == 0
    assert d.entropy()[3] == 0
    assert not d.sample(key=sd.Key(0))[3].any()
    every = d.enumerate_support()
    assert len(every) == 3**6 + 3**3 + 3 + 1
    # a path of another length is none of this row
    d._validate_args = False
    torch.testing.assert_close(d.log_prob(every).exp().sum(0), torch.ones(4, dtype=WIDE))


def test_a_chain_of_one_step_is_a_one_hot_categorical():
    logits = normal(3, 5)
    d, other = (
        Chain(logits.unsqueeze(-2), torch.zeros(5, 5)),
        sd.distributions.OneHotCategorical(logits=logits),
    )
    drawn = d.sample((50,), key=sd.Key(0)).squeeze(-2)
    assert torch.equal(drawn, other.sample((50,), key=sd.Key(0)))
    torch.testing.assert_close(d.marginals.squeeze(-2), other.probs)
    torch.testing.assert_close(d.entropy(), other.entropy())


def test_forbidden_steps_are_never_taken():
    unary = normal(1, 5, 3).requires_grad_()
    forward = torch.tensor([[0.0, 0.0, -math.inf], [-math.inf, 0.0, 0.0], [-math.inf, -math.inf, 0.0]])
    forward.requires_grad_()
    d = Chain(unary, forward)
    drawn = d.sample((2000,), key=sd.Key(0))
    path = drawn.argmax(-1)[:, 0]
    assert bool(((path[:, 1:] - path[:, :-1] >= 0) & (path[:, 1:] - path[:, :-1] <= 1)).all())
    every = paths(5, 3)
    log_prob = d.log_prob(every.unsqueeze(1))[:, 0]
    torch.testing.assert_close(log_prob.exp().sum(), torch.ones((), dtype=WIDE))
    assert bool((log_prob == -math.inf).any())
    same = (drawn[:, 0].flatten(1).unsqueeze(1) == every.flatten(1)).all(-1)
    assert_frequencies(same.sum(0), log_prob.exp())
    loss = d.entropy().sum() + d.marginals.square().sum() + d.relax(0.5, key=sd.Key(0)).square().sum()
    for slope in torch.autograd.grad(loss, (unary, forward)):
        assert bool(slope.isfinite().all())
    free = Chain(unary, torch.zeros(3, 3))
    assert kl_divergence(free, d) == math.inf
    assert kl_divergence(d, free).isfinite()


def test_what_has_no_path_is_padding():
    mask = torch.ones(2, 3, 2, dtype=torch.bool)
    mask[0, 1] = False
    unary = normal(2, 3, 2).requires_grad_()
    d = Chain(unary, torch.zeros(2, 2), mask=mask)
    assert d.log_partition[0] == -math.inf
    for value in (d.marginals, d.mode, d.sample(key=sd.Key(0)), d.relax(0.5, key=sd.Key(0))):
        assert not value[0].any()
        assert value[1].any()
    assert d.log_prob(torch.zeros(2, 3, 2)).tolist() == [0, -math.inf]
    (slope,) = torch.autograd.grad(d.marginals.square().sum() + d.entropy().sum(), unary)
    assert bool(slope.isfinite().all())


def test_second_derivatives():
    unary, pairwise = normal(2, 3, 2).requires_grad_(), normal(2, 2, 2, 2, seed=1).requires_grad_()
    assert torch.autograd.gradgradcheck(
        lambda *x: Chain(*x, validate_args=False).log_partition, (unary, pairwise)
    )
    assert torch.autograd.gradcheck(lambda *x: Chain(*x, validate_args=False).marginals, (unary, pairwise))
    slopes = torch.autograd.grad(Chain(unary, pairwise).log_partition.sum(), (unary, pairwise))
    torch.testing.assert_close(slopes[0], Chain(unary, pairwise).marginals)
    torch.testing.assert_close(slopes[1], Chain(unary, pairwise).pairwise_marginals)


def test_relaxations_from_cold_to_hot():
    d = Chain(normal(3, 4, 3), normal(3, 3, 3, 3))
    hard = d.relax(hard=True, key=sd.Key(0))
    assert torch.equal(d.relax(0.0, key=sd.Key(0)), hard)
    mixed = d.relax(torch.tensor([0.0, 1.0, math.inf]), key=sd.Key(0))
    assert torch.equal(mixed[0], hard[0])
    torch.testing.assert_close(mixed[2], torch.full((4, 3), 1 / 3).to(WIDE))
    tau = torch.tensor(0.5, dtype=WIDE, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: d.relax(t, key=sd.Key(0)), (tau,))


def test_errors():
    unary, pairwise = torch.zeros(2, 4, 3), torch.zeros(2, 3, 3, 3)
    with pytest.raises(ValueError, match=r"unary: got .* expected shape \[\*batch, T, K\]"):
        Chain(torch.zeros(3), pairwise)
    with pytest.raises(ValueError, match=r"pairwise: got .* broadcasts to \(2, 3, 3, 3\)"):
        Chain(unary, torch.zeros(2, 4, 3, 3))
    with pytest.raises(TypeError, match=r"lengths: got .* expected a tensor of ints"):
        Chain(unary, pairwise, torch.tensor([1.0, 2.0]))
    with pytest.raises(ValueError, match=r"lengths: got .* expected ints from 0 to 4"):
        Chain(unary, pairwise, torch.tensor([5, 2]))
    with pytest.raises(ValueError, match="pairwise: got values such as"):
        Chain(unary, torch.full((3, 3), math.nan))
    with pytest.raises(ValueError, match="value: got 2 of 2 that are no paths"):
        Chain(unary, pairwise).log_prob(torch.ones(2, 4, 3))
