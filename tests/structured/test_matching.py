"""Matchings at extremes, with padding, and the limit of their law."""

import math

import pytest
import torch
from torch.distributions import kl_divergence

import softdraw as sd

from ..statistics import assert_frequencies
from .tree_laws import WIDE, matchings, normal, products

Matching = sd.structured.Matching


@pytest.mark.parametrize("scale", [1.0, 80.0, 1000.0])
@pytest.mark.parametrize(("n", "m"), [(4, 4), (2, 5), (5, 3)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(WIDE, 1e-10), (torch.float32, 1e-4)])
def test_values_are_right_at_every_scale(scale, n, m, dtype, tolerance):
    scores = (normal(20, n, m) * scale).to(dtype)
    every = matchings(n, m)
    exact = products(every, scores.to(WIDE))
    d = Matching(scores)
    means = torch.tensordot(exact.softmax(0).T, every, 1)
    torch.testing.assert_close(d.log_partition.to(WIDE), exact.logsumexp(0), rtol=1e-6, atol=tolerance)
    torch.testing.assert_close(d.marginals.to(WIDE), means, rtol=0, atol=tolerance)
    torch.testing.assert_close(products(d.mode.to(WIDE), scores.to(WIDE)).diagonal(), exact.max(0).values)


def test_the_largest_law():
    # a permanent of ones counts the permutations
    d = Matching(torch.zeros(8, 8))
    torch.testing.assert_close(d.log_partition, torch.tensor(math.lgamma(9.0)))
    torch.testing.assert_close(d.marginals, torch.full((8, 8), 1 / 8))
    torch.testing.assert_close(Matching(torch.zeros(3, 20)).log_partition.exp(), torch.tensor(20.0 * 19 * 18))
    drawn = d.sample((100,), key=sd.Key(0))
    assert bool((drawn.sum(-1) == 1).all() and (drawn.sum(-2) == 1).all())


def test_beyond_the_largest_law_there_are_a_mode_and_a_relaxation():
    scores = normal(2, 9, 12)
    d = Matching(scores)
    for ask in (
        lambda: d.log_partition,
        lambda: d.marginals,
        d.entropy,
        d.sample,
        lambda: d.log_prob(d.mode),
    ):
        with pytest.raises(ValueError, match="scores: got 9 x 12, expected at most 8 rows or columns"):
            ask()
    assert bool((d.mode.sum(-1) == 1).all())
    assert d.relax(0.5, key=sd.Key(0)).shape == (2, 9, 12)


def test_padding_changes_nothing():
    scores = torch.full((1, 5, 6), 3.0, dtype=WIDE)
    scores[:, :3, :4] = normal(1, 3, 4)
    mask = (torch.arange(5) < 3).unsqueeze(-1) & (torch.arange(6) < 4)
    padded, alone = Matching(scores, mask=mask), Matching(scores[:, :3, :4])
    torch.testing.assert_close(padded.log_partition, alone.log_partition)
    torch.testing.assert_close(padded.entropy(), alone.entropy())
    torch.testing.assert_close(padded.marginals[:, :3, :4], alone.marginals)
    assert torch.equal(padded.mode[:, :3, :4], alone.mode)
    every = padded.enumerate_support()
    probs = padded.log_prob(every).exp()[:, 0]
    torch.testing.assert_close(probs.sum(), torch.ones((), dtype=WIDE))
    assert int((probs > 0).sum()) == 4 * 3 * 2
    drawn = padded.sample((20_000,), key=sd.Key(0))
    same = (drawn.flatten(2) == every[probs > 0].flatten(2).transpose(0, 1)).all(-1)
    assert_frequencies(same.sum(0), probs[probs > 0])
    assert kl_divergence(padded, padded).abs() < 1e-9


def test_fewer_columns_than_rows_under_a_mask():
    # of three rows that want the one column left, any may have it
    mask = torch.tensor([[True, False, False]] * 3)
    d = Matching(torch.tensor([[1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [3.0, 0.0, 0.0]]), mask=mask)
    torch.testing.assert_close(d.marginals[:, 0], torch.tensor([1.0, 2.0, 3.0]).softmax(0))
    drawn = d.sample((5000,), key=sd.Key(0))
    assert_frequencies(drawn[..., 0].sum(0), d.marginals[:, 0])


def test_what_cannot_be_matched_is_padding():
    # two rows, and one column for both
    mask = torch.tensor([[[True, False], [True, False]], [[True, True], [True, True]]])
    mask = torch.cat((mask, torch.tensor([[[False, True], [False, True]]])))
    scores = normal(3, 3, 3).requires_grad_()
    blocked = torch.zeros(3, 3, 3, dtype=torch.bool)
    blocked[:, :2, :2] = mask
    blocked[0, 2, 1:] = True
    blocked[0, :2, 1:] = False
    d = Matching(scores, mask=blocked)  # in the first, rows 0 and 1 have column 0 alone
    assert d.log_partition[0] == -math.inf
    assert bool(d.log_partition[1:].isfinite().all())
    for value in (d.marginals, d.mode, d.sample(key=sd.Key(0))):
        assert not value[0].any()
        assert value[1].sum() == 2
    none = torch.zeros(3, 3, 3, dtype=WIDE)
    assert d.log_prob(none).tolist() == [0, -math.inf, -math.inf]
    (slope,) = torch.autograd.grad(d.entropy().sum() + d.marginals.square().sum(), scores)
    assert bool(slope.isfinite().all())


def test_masked_pairs_have_no_probability():
    scores, every = normal(1, 3, 3), matchings(3, 3)
    mask = ~torch.eye(3, dtype=torch.bool)
    d, free = Matching(scores, mask=mask), Matching(scores)
    probs = d.log_prob(every.unsqueeze(1)).exp()[:, 0]
    assert int((probs > 0).sum()) == 2  # derangements of three
    assert kl_divergence(free, d) == math.inf
    assert kl_divergence(d, free).isfinite()


def test_second_derivatives():
    scores = normal(2, 3, 4).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x: Matching(x, validate_args=False).log_partition, (scores,))
    (slope,) = torch.autograd.grad(Matching(scores).log_partition.sum(), scores)
    torch.testing.assert_close(slope, Matching(scores).marginals)


def test_relaxations_are_of_sinkhorn():
    scores = normal(2, 3, 5)
    d = Matching(scores)
    noise = sd.random.gumbel((2, 15), key=sd.Key(0), dtype=WIDE).reshape(2, 3, 5)
    ours = d.relax(0.3, key=sd.Key(0), tolerance=1e-6)
    assert torch.equal(ours, sd.gumbel_sinkhorn(scores, 0.3, tolerance=1e-6, noise=noise))
    torch.testing.assert_close(ours.sum(-1), torch.ones(2, 3, dtype=WIDE), rtol=0, atol=1e-6)
    with pytest.warns(RuntimeWarning, match="1 iterations"):
        d.relax(0.1, key=sd.Key(0), tolerance=1e-9, max_iterations=1)


def test_errors():
    with pytest.raises(ValueError, match=r"scores: got .* expected shape \[\*batch, n, m\]"):
        Matching(torch.zeros(3))
    with pytest.raises(ValueError, match="scores: got values such as"):
        Matching(torch.full((2, 2), math.inf))
    with pytest.raises(ValueError, match="value: got 1 of 1 that are no matchings"):
        Matching(torch.zeros(2, 2)).log_prob(torch.ones(2, 2))
