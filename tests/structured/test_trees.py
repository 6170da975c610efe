"""Spanning trees and arborescences at extremes, with padding, and beside determinants."""

import math

import pytest
import torch
from torch.distributions import kl_divergence

import softdraw as sd
from softdraw.kernels.structures import tree_formulas, trees

from ..statistics import assert_frequencies, assert_share
from .tree_laws import WIDE, arborescences, normal, products, spanning_trees, symmetric

Arborescence, SpanningTree = sd.structured.Arborescence, sd.structured.SpanningTree
SCALES = [1.0, 10.0, 80.0, 200.0]


def law_of(structures, scores):
    """Log partition and marginals by enumeration."""
    return scores.logsumexp(0), torch.tensordot(scores.softmax(0).T, structures, 1)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(WIDE, 1e-10), (torch.float32, 2e-5)])
def test_marginals_are_right_at_every_scale(scale, dtype, tolerance):
    logits = (symmetric(40, 5, 5) * scale).to(dtype)
    every = spanning_trees(5)
    total, means = law_of(every, products(every, logits.to(WIDE)) / 2)
    d = SpanningTree(logits)
    torch.testing.assert_close(d.log_partition.to(WIDE), total, rtol=1e-6, atol=tolerance)
    torch.testing.assert_close(d.marginals.to(WIDE), means, rtol=0, atol=tolerance)
    every = arborescences(5)
    logits = (normal(40, 5, 5) * scale).to(dtype)
    total, means = law_of(every, products(every, logits.to(WIDE)))
    d = Arborescence(logits)
    torch.testing.assert_close(d.log_partition.to(WIDE), total, rtol=1e-6, atol=tolerance)
    torch.testing.assert_close(d.marginals.to(WIDE), means, rtol=0, atol=tolerance)


@pytest.mark.parametrize("scale", SCALES)
def test_modes_and_entropies_at_every_scale(scale):
    logits = normal(40, 4, 4) * scale
    every = arborescences(4)
    scores = products(every, logits)
    d = Arborescence(logits)
    torch.testing.assert_close(products(d.mode, logits).diagonal(), scores.max(0).values)
    log_p = scores.log_softmax(0)
    torch.testing.assert_close(d.entropy(), -(log_p.exp() * log_p).sum(0), rtol=1e-9, atol=1e-9)


def test_of_equally_good_trees_the_mode_is_one():
    logits = torch.randint(0, 3, (200, 4, 4), generator=torch.Generator().manual_seed(0)).to(WIDE)
    for d, every in ((Arborescence(logits), arborescences(4)), (SpanningTree(logits + logits.mT), None)):
        every = spanning_trees(4) if every is None else every
        best = products(every, d.edge_logits).max(0).values
        assert torch.equal(products(d.mode, d.edge_logits).diagonal(), best)
        assert bool((d.log_prob(d.mode) > -math.inf).all())


@pytest.mark.parametrize("scale", [3.0, 80.0])
def test_draws_follow_the_law_where_a_random_walk_would_not_end(scale):
    logits = torch.full((1, 5, 5), -scale, dtype=WIDE) + normal(1, 5, 5)
    for i, j in ((0, 1), (2, 3)):  # two pairs that a walk would not leave for exp(80) steps
        logits[0, i, j] = logits[0, j, i] = scale
    logits = (logits + logits.mT) / 2
    every = spanning_trees(5)
    probs = (products(every, logits)[:, 0] / 2).softmax(0)
    drawn = SpanningTree(logits).sample((40_000,), key=sd.Key(0))
    same = (drawn.flatten(2) == every.flatten(1)).all(-1)
    assert bool((same.sum(-1) == 1).all())
    # one of 125 trees rarer than this in 40,000 draws would be a chance of less than 1e-6
    seen = probs > 1e-13
    assert int(seen.sum()) > 2
    assert int(same[:, ~seen].sum()) == 0
    assert_frequencies(same[:, seen].sum(0), probs[seen], comparisons=2)


def test_single_edges_are_as_frequent_as_their_marginals_in_large_graphs():
    logits = normal(1, 30, 30) * 3
    drawn = Arborescence(logits).sample((4000,), key=sd.Key(1))
    means = Arborescence(logits).marginals
    counts = drawn.sum(0).flatten().tolist()
    edges = [(count, p) for count, p in zip(counts, means.flatten().tolist(), strict=True) if p > 0]
    assert len(edges) == 29 * 29
    assert sum(counts) == 29 * 4000
    for count, p in edges:
        assert_share(int(count), 4000, min(p, 1.0), comparisons=len(edges))
    assert bool((drawn.sum(-2)[..., 1:] == 1).all())
    assert bool((Arborescence(logits).log_prob(drawn) > -math.inf).all())


@pytest.mark.parametrize("n", [2, 7, 40])
def test_sums_are_determinants_where_those_are_right(n):
    logits = symmetric(4, n, n).requires_grad_()
    weights = logits.exp() * (1 - torch.eye(n, dtype=WIDE))
    laplacian = torch.diag_embed(weights.sum(-1)) - weights
    total = torch.linalg.slogdet(laplacian[:, 1:, 1:])[1]
    d = SpanningTree(logits)
    torch.testing.assert_close(d.log_partition, total)
    slope = torch.autograd.grad(total.sum(), logits)[0]
    torch.testing.assert_close(d.marginals, slope + slope.mT)
    # a fixed root in a symmetric graph has each tree once
    torch.testing.assert_close(Arborescence(logits, n - 1).log_partition, total)


@pytest.mark.parametrize("kind", [Arborescence, SpanningTree])
def test_padding_changes_nothing(kind):
    small, n = symmetric(1, 4, 4), 7
    logits = torch.full((1, n, n), 5.0, dtype=WIDE)
    logits[:, :4, :4] = small
    there = torch.arange(n) < 4
    padded, alone = kind(logits, mask=there & there.unsqueeze(-1)), kind(small)
    for ask in (
        lambda d: d.marginals,
        lambda d: d.mode,
        lambda d: d.sample((50,), key=sd.Key(0)),
        lambda d: d.relax(0.7, sample_shape=(3,), key=sd.Key(0)),
        lambda d: d.relax(0.7, hard=True, sample_shape=(3,), key=sd.Key(0)),
    ):
        torch.testing.assert_close(ask(padded)[..., :4, :4], ask(alone))
        assert not ask(padded)[..., 4:, :].any()
        assert not ask(padded)[..., 4:].any()
    torch.testing.assert_close(padded.log_partition, alone.log_partition)
    torch.testing.assert_close(padded.entropy(), alone.entropy())
    drawn = padded.sample((5,), key=sd.Key(0))
    torch.testing.assert_close(padded.log_prob(drawn), alone.log_prob(drawn[..., :4, :4]))
    assert len(padded.enumerate_support()) == 16
    assert kl_divergence(padded, padded).abs() < 1e-9
    assert kl_divergence(padded, kind(logits)) == math.inf


def test_padding_may_come_first():
    small = symmetric(1, 3, 3)
    logits = torch.zeros(1, 5, 5, dtype=WIDE)
    logits[:, 2:, 2:] = small
    there = torch.arange(5) >= 2
    padded, alone = SpanningTree(logits, mask=there & there.unsqueeze(-1)), SpanningTree(small)
    torch.testing.assert_close(padded.log_partition, alone.log_partition)
    torch.testing.assert_close(padded.marginals[..., 2:, 2:], alone.marginals)
    drawn = padded.sample((500,), key=sd.Key(0))
    assert not drawn[..., :2, :].any()
    assert bool((padded.log_prob(drawn) > -math.inf).all())


def test_sizes_mix_in_a_batch():
    logits, sizes = symmetric(4, 5, 5), torch.tensor([5, 3, 2, 1])
    there = torch.arange(5) < sizes.unsqueeze(-1)
    d = SpanningTree(logits, mask=there.unsqueeze(-1) & there.unsqueeze(-2))
    assert d.sample(key=sd.Key(0)).sum((-2, -1)).tolist() == [8, 4, 2, 0]
    assert d.marginals.sum((-2, -1)).round(decimals=6).tolist() == [8, 4, 2, 0]
    assert d.log_partition[3] == 0
    assert d.entropy()[2:].tolist() == [0, 0]
    # trees of three sizes, and the empty one of a graph of one vertex
    every = d.enumerate_support()
    assert len(every) == 125 + 3 + 1 + 1
    torch.testing.assert_close(d.log_prob(every).exp().sum(0), torch.ones(4, dtype=WIDE))


@pytest.mark.parametrize("kind", [Arborescence, SpanningTree])
def test_a_graph_that_falls_apart_has_no_tree(kind):
    apart = torch.tensor([0, 0, 1, 1])
    logits = symmetric(2, 4, 4).requires_grad_()
    mask = torch.stack((apart == apart.unsqueeze(-1), torch.ones(4, 4, dtype=torch.bool)))
    d = kind(logits, mask=mask)
    assert d.log_partition[0] == -math.inf
    assert d.log_partition[1].isfinite()
    for value in (d.marginals, d.mode, d.sample(key=sd.Key(0)), d.relax(0.5, key=sd.Key(0))):
        assert not value[0].any()
        assert value[1].any()
    assert d.entropy()[0] == 0
    none = torch.zeros(4, 4, dtype=WIDE)
    assert d.log_prob(none).tolist()[0] == 0
    assert d.log_prob(kind(logits).sample(key=sd.Key(0)))[0] == -math.inf
    loss = d.entropy().sum() + d.marginals.square().sum() + d.relax(0.5, key=sd.Key(0)).square().sum()
    (slope,) = torch.autograd.grad(loss, logits)
    assert bool(slope.isfinite().all())
    assert not slope[0].any()


def test_what_no_edge_leads_to_is_not_reached():
    logits = torch.zeros(3, 3)
    logits[:, 2] = -math.inf
    assert Arborescence(logits).log_partition == -math.inf
    assert Arborescence(logits, root=2).log_partition.exp().round() == 3


def test_masked_edges_have_no_probability():
    logits, every = symmetric(1, 4, 4), spanning_trees(4)
    mask = torch.ones(4, 4, dtype=torch.bool)
    mask[0, 1] = mask[1, 0] = False
    d = SpanningTree(logits, mask=mask)
    assert d.marginals[0, 0, 1] == 0
    log_prob = d.log_prob(every.unsqueeze(1))[:, 0]
    with_edge = every[:, 0, 1] == 1
    assert bool((log_prob[with_edge] == -math.inf).all())
    torch.testing.assert_close(log_prob.exp().sum(), torch.ones((), dtype=WIDE))
    assert not d.sample((300,), key=sd.Key(0))[..., 0, 1].any()
    full = SpanningTree(logits)
    assert kl_divergence(full, d) == math.inf
    assert kl_divergence(d, full).isfinite()


def test_the_fused_loop_is_the_formula():
    logits = normal(20, 6, 6) * 4
    logits[torch.rand(20, 6, 6, generator=torch.Generator().manual_seed(0)) < 0.2] = -math.inf
    value, marginals = trees.sums(logits)
    total, means, _ = tree_formulas.sums(logits)
    torch.testing.assert_close(value, total)
    torch.testing.assert_close(marginals, means, rtol=0, atol=1e-12)
    logits[3, 1, 2] = math.nan
    assert bool(tree_formulas.sums(logits)[0].isnan().nonzero().tolist() == [[3]])
    assert bool(trees.sums(logits)[0].isnan().nonzero().tolist() == [[3]])
    assert bool((trees.draws(logits, None)[0, 3] == -1).all())


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # torch's own
@pytest.mark.parametrize("kind", [Arborescence, SpanningTree])
def test_derivatives_of_every_order(kind):
    logits, v, u = (symmetric(2, 4, 4, seed=seed) for seed in range(3))
    logits.requires_grad_()

    def total(x):
        return kind(x, validate_args=False).log_partition.sum()

    assert torch.autograd.gradcheck(lambda x: kind(x, validate_args=False).marginals, (logits,))
    (slope,) = torch.autograd.grad(total(logits), logits, create_graph=True)
    torch.testing.assert_close(slope * (2 if kind is SpanningTree else 1), kind(logits).marginals)
    (second,) = torch.autograd.grad((slope * v).sum(), logits, create_graph=True)
    (third,) = torch.autograd.grad((second * u).sum(), logits)
    hessian = torch.func.hessian(total)(logits.detach())
    torch.testing.assert_close(second.detach(), torch.einsum("abcdef,def->abc", hessian, v))

    def curved(x):
        return torch.func.jvp(torch.func.grad(total), (x,), (v,))[1]

    torch.testing.assert_close(third, torch.func.jvp(curved, (logits.detach(),), (u,))[1])


def test_relaxations_from_cold_to_hot():
    d = SpanningTree(symmetric(3, 5, 5), validate_args=False)
    hard = d.relax(hard=True, sample_shape=(4,), key=sd.Key(0))
    assert torch.equal(d.relax(0.0, sample_shape=(4,), key=sd.Key(0)), hard)
    taus = torch.tensor([0.0, 1.0, math.inf])
    mixed = d.relax(taus, sample_shape=(4,), key=sd.Key(0))
    assert torch.equal(mixed[:, 0], hard[:, 0])
    torch.testing.assert_close(mixed[:, 2], torch.full((4, 5, 5), 0.4).to(WIDE) * (1 - torch.eye(5)))
    tau = torch.tensor(0.5, dtype=WIDE, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: d.relax(t, key=sd.Key(0)), (tau,))
    # one number of noise an edge
    assert torch.equal(mixed, mixed.mT)


def test_errors():
    logits = torch.zeros(3, 3)
    with pytest.raises(ValueError, match=r"edge_logits: got .* expected shape \[\*batch, n, n\]"):
        SpanningTree(torch.zeros(3, 4))
    with pytest.raises(TypeError, match="edge_logits: got"):
        Arborescence(torch.zeros(3, 3, dtype=torch.int64))
    with pytest.raises(ValueError, match="edge_logits: got entries that differ by 1, expected a symmetric"):
        SpanningTree(torch.triu(torch.ones(3, 3)))
    with pytest.raises(ValueError, match="allowed one way alone"):
        SpanningTree(logits, mask=torch.triu(torch.ones(3, 3)) > 0)
    with pytest.raises(ValueError, match=r"edge_logits: got values such as \[nan\]"):
        Arborescence(logits.index_put((torch.tensor(1), torch.tensor(2)), torch.tensor(math.nan)))
    with pytest.raises(ValueError, match="root: got 3, expected an int from 0 to 2"):
        Arborescence(logits, root=3)
    with pytest.raises(ValueError, match="root: got 0 and 1"):
        kl_divergence(Arborescence(logits), Arborescence(logits, 1))
    with pytest.raises(ValueError, match="value: got 1 of 1 that are no spanning trees"):
        SpanningTree(logits).log_prob(torch.ones(3, 3))
    with pytest.raises(ValueError, match="enumerate_support: got 4782969 arborescences"):
        Arborescence(torch.zeros(9, 9)).enumerate_support()
    # the diagonal may hold anything
    assert Arborescence(logits + torch.diag(torch.full((3,), math.nan))).log_partition.isfinite()
