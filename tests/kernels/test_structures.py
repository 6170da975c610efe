"""The fused recursions over structures against enumeration of all structures, on each instruction set."""

import importlib
import itertools
import math

import pytest
import torch

from softdraw.kernels.structures import matching_operations, tree_formulas

from .backends import INSTRUCTIONS, instructions

SCALES = (1.0, 10.0, 80.0, 1000.0)
WIDE = torch.float64


@pytest.fixture(params=INSTRUCTIONS)
def loops(request):
    with instructions(request.param):
        yield importlib.import_module("softdraw.kernels.cpu.structures")


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=WIDE)


def arborescences(n):
    """Indicators ``[count, n, n]`` of all arborescences rooted at 0."""
    found = []
    for parents in itertools.product(range(n), repeat=n - 1):
        seen = {0}
        for _ in range(n):
            seen |= {v for v in range(1, n) if parents[v - 1] in seen and parents[v - 1] != v}
        if len(seen) == n:
            edges = torch.zeros(n, n, dtype=WIDE)
            edges[list(parents), list(range(1, n))] = 1
            found.append(edges)
    return torch.stack(found)


def subsets(n, k):
    """Indicators ``[count, n]`` of all k-subsets."""
    chosen = itertools.combinations(range(n), k)
    return torch.tensor([[float(i in one) for i in range(n)] for one in chosen], dtype=WIDE)


def law(indicators, logits):
    """Log partition, marginals and probabilities of structures with the scores ``indicators . logits``."""
    scores = torch.where(indicators.bool(), logits.unsqueeze(1), 0.0).flatten(2).sum(-1)
    p = scores.softmax(-1)
    return scores.logsumexp(-1), torch.tensordot(p, indicators, 1), p


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("forbidden", [0.0, 0.4])
def test_trees(loops, scale, forbidden):
    trees = arborescences(5)
    assert len(trees) == 125  # Cayley
    logits = normal(64, 5, 5) * scale
    logits[torch.rand(logits.shape, generator=torch.Generator().manual_seed(1)) < forbidden] = -math.inf
    value, marginals = loops.trees(logits)
    expected, means, _ = law(trees, logits)
    some = expected > -math.inf
    assert some.any()
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(marginals[some], means[some], rtol=0, atol=1e-10)
    assert not marginals[~some].any()


def test_trees_of_one_vertex_and_of_many(loops):
    value, marginals = loops.trees(normal(3, 1, 1))
    assert value.tolist() == [0.0] * 3
    assert not marginals.any()
    # All weights 1: n^(n-2) trees for each root, every edge alike.
    value, marginals = loops.trees(torch.zeros(2, 40, 40, dtype=WIDE))
    torch.testing.assert_close(value, torch.full((2,), 38 * math.log(40), dtype=WIDE))
    torch.testing.assert_close(marginals.sum(1)[:, 1:], torch.ones(2, 39, dtype=WIDE))


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("forbidden", [0.0, 0.4])
@pytest.mark.parametrize("n", [1, 2, 5, 13])
def test_draws_and_tangents_of_trees_are_the_formulas(loops, n, forbidden, scale):
    logits = normal(30, n, n) * scale
    logits[torch.rand(logits.shape, generator=torch.Generator().manual_seed(1)) < forbidden] = -math.inf
    if n > 1:
        logits[3, 0, 1] = math.nan
    uniform = torch.rand(5, 30, n, n, generator=torch.Generator().manual_seed(2), dtype=WIDE)
    noise = -(-uniform.log()).log()
    assert torch.equal(loops.tree_draws(logits, noise).long(), tree_formulas.draws(logits, noise))
    assert torch.equal(loops.tree_draws(logits, None).long(), tree_formulas.draws(logits, None))
    direction = normal(30, n, n, seed=3)
    expected = tree_formulas.sums(logits, direction)[2]
    curved = loops.tree_curvature(logits, direction)
    torch.testing.assert_close(curved, expected, rtol=0, atol=1e-12, equal_nan=True)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(("n", "k"), [(1, 0), (1, 1), (6, 3), (9, 2), (8, 7), (8, 8), (8, 0)])
def test_subsets(loops, n, k, scale):
    sets = torch.tensor(
        [[float(i in s) for i in range(n)] for s in itertools.combinations(range(n), k)], dtype=WIDE
    )
    logits, direction = normal(30, n) * scale, normal(30, n, seed=1)
    value, marginals, slope = loops.subsets(logits, k, direction)
    expected, means, p = law(sets, logits)
    covariance = torch.einsum("bs,si,sj->bij", p, sets, sets) - means.unsqueeze(-1) * means.unsqueeze(-2)
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(marginals, means, rtol=0, atol=1e-12)
    torch.testing.assert_close(slope, (covariance @ direction.unsqueeze(-1)).squeeze(-1), rtol=0, atol=1e-12)


def test_subsets_of_many_items_and_with_few_allowed(loops):
    value, marginals, _ = loops.subsets(torch.zeros(1, 5000, dtype=WIDE), 70)
    expected = math.lgamma(5001) - math.lgamma(71) - math.lgamma(4931)
    torch.testing.assert_close(value, torch.tensor([expected], dtype=WIDE), rtol=1e-11, atol=0)
    torch.testing.assert_close(marginals, torch.full((1, 5000), 70 / 5000, dtype=WIDE))
    logits = torch.tensor(
        [[0.0, -math.inf, 1.0], [0.0, -math.inf, -math.inf], [0.0, math.nan, 1.0]], dtype=WIDE
    )
    value, marginals, _ = loops.subsets(logits, 2)
    assert value[:2].tolist() == [1.0, -math.inf]
    assert value[2].isnan()
    assert marginals[:2].tolist() == [[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]


def test_subset_draws_follow_the_law(loops):
    """Chi-square of 40,000 draws over the 56 subsets; false alarm 1e-6."""
    from scipy.stats import chi2

    n, k, draws = 8, 3, 40_000
    logits = normal(1, n)
    uniforms = torch.rand(draws, 1, n, generator=torch.Generator().manual_seed(2), dtype=WIDE)
    drawn = loops.subset_draws(logits, k, uniforms)
    sets = torch.tensor(
        [[float(i in s) for i in range(n)] for s in itertools.combinations(range(n), k)], dtype=WIDE
    )
    counts = (drawn.squeeze(1).unsqueeze(1) == sets).all(-1).double().sum(0)
    assert counts.sum() == draws
    expected = law(sets, logits)[2][0] * draws
    assert ((counts - expected).square() / expected).sum() < chi2.isf(1e-6, len(sets) - 1)


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e6])
@pytest.mark.parametrize("tau", [0.0, 1e-8, 0.01, 0.3, 1.0, 30.0, math.inf])
@pytest.mark.parametrize("k", [0, 1, 5, 29, 30])
def test_entropic_sums_to_k(loops, scale, tau, k):
    x = normal(40, 30) * scale
    y = loops.entropic(x, k, torch.full((40,), tau, dtype=WIDE))
    assert ((y >= 0) & (y <= 1)).all()
    torch.testing.assert_close(y.sum(-1), torch.full((40,), float(k), dtype=WIDE), rtol=0, atol=1e-9)
    if tau <= 1e-8:
        torch.testing.assert_close(
            y, torch.zeros_like(y).scatter(-1, x.topk(k).indices, 1.0), rtol=0, atol=1e-5
        )
    if tau == math.inf:
        torch.testing.assert_close(y, torch.full_like(y, k / 30))


def test_entropic_backward(loops):
    tau = torch.tensor([0.1, 0.5, 1.0, 3.0], dtype=WIDE)
    x, grad = normal(4, 7), normal(4, 7, seed=1)
    x[1, 2] = -math.inf
    out = loops.entropic_backward(grad, loops.entropic(x, 3, tau), tau)
    for i in range(7):
        step = torch.zeros_like(x)
        step[:, i] = 1e-6
        change = loops.entropic(x + step, 3, tau) - loops.entropic(x - step, 3, tau)
        torch.testing.assert_close(out[:, i], (change * grad).sum(-1) / 2e-6, rtol=0, atol=1e-7)


@pytest.mark.parametrize("tau", [1.0, 0.1, 0.02])
@pytest.mark.parametrize("n", [1, 3, 9, 40])
def test_sinkhorn_is_the_iteration_in_log_space(loops, n, tau):
    x = normal(10, n, n) / tau
    expected = x
    for _ in range(25):
        expected = expected - expected.logsumexp(-1, keepdim=True)
        expected = expected - expected.logsumexp(-2, keepdim=True)
    y, u, v, error, steps = loops.sinkhorn(x, torch.ones(10, n, dtype=WIDE), 25, -1.0)
    torch.testing.assert_close(y, expected.exp(), rtol=0, atol=1e-12)
    torch.testing.assert_close((x + u.unsqueeze(-1) + v.unsqueeze(-2)).exp(), y, rtol=0, atol=1e-11)
    torch.testing.assert_close(error, (y.sum(-1) - 1).abs().amax(-1), rtol=0, atol=1e-12)
    assert (steps == 25).all()


@pytest.mark.parametrize("scale", [1.0, 100.0, 1e3, 1e5])
def test_sinkhorn_of_far_scores_is_the_iteration_in_log_space(loops, scale):
    """Factors leave the range in which what was rounded to 0 is nothing, sooner or later."""
    for n, m in ((2, 2), (3, 5), (12, 12)):
        x, masses = normal(10, n, m) * scale, torch.full((10, n), m / n, dtype=WIDE)
        for most in (5, 100):
            y, _, _, error, _ = loops.sinkhorn(x, masses, most, -1.0)
            expected, left, _ = matching_operations._iterated(x, masses, most, -1.0)
            torch.testing.assert_close(y, expected, rtol=0, atol=1e-14 * max(scale, 100.0))
            torch.testing.assert_close(error, left, rtol=0, atol=1e-13 * max(scale, 100.0))


def test_sinkhorn_takes_up_what_was_rounded_to_zero(loops):
    """All rows but one share a column, and the last has all others: factors grow by n in each step, until
    what exp has made 0 counts.
    """
    n, gap = 600, 760.0
    x = normal(1, n, n) * 0.1
    x[:, :-1, 1:] -= gap
    x[:, -1, 0] -= gap
    masses = torch.ones(1, n, dtype=WIDE)
    y, _, _, error, _ = loops.sinkhorn(x, masses, 63, -1.0)
    expected, left, _ = matching_operations._iterated(x, masses, 63, -1.0)
    torch.testing.assert_close(y, expected, rtol=0, atol=1e-9)
    torch.testing.assert_close(error, left, rtol=1e-6, atol=1e-9)


def test_sinkhorn_stops_at_its_tolerance_with_padding_and_a_row_for_many(loops):
    x = normal(5, 4, 6)
    x[:, 3] = 0.0  # stands for three rows
    masses = torch.tensor([1.0, 1.0, 1.0, 3.0], dtype=WIDE).repeat(5, 1)
    y, _, _, error, steps = loops.sinkhorn(x, masses, 1000, 1e-9)
    torch.testing.assert_close(y.sum(-1), masses)
    torch.testing.assert_close(y.sum(-2), torch.ones(5, 6, dtype=WIDE))
    assert (error <= 1e-9).all()
    assert (steps < 1000).all()
    x = normal(5, 4, 4)
    x[:, :, 3] = -math.inf
    masses[:, 3] = 0.0
    y, *_ = loops.sinkhorn(x, masses, 1000, 1e-9)
    inner, *_ = loops.sinkhorn(x[:, :3, :3].contiguous(), masses[:, :3].contiguous(), 1000, 1e-9)
    torch.testing.assert_close(y[:, :3, :3], inner)
    assert not y[:, 3].any()
    assert not y[:, :, 3].any()


def test_threads_share_the_rows(loops):
    before = torch.get_num_threads()
    logits = normal(300, 12, 12)
    one = loops.trees(logits)
    try:
        torch.set_num_threads(2)
        two = loops.trees(logits)
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("tau", [1e-3, 0.05, 1.0, 40.0])
@pytest.mark.parametrize("scale", [0.0, 1.0, 30.0, 1e6])
def test_entropic_of_float32_is_that_of_float64(loops, scale, tau):
    for n, k in ((2, 1), (7, 6), (30, 3), (65, 32), (1000, 10), (5000, 4000)):
        x = (normal(6, n) * scale + scale).float()
        taus = torch.full((6,), tau, dtype=WIDE)
        y, exact = loops.entropic(x, k, taus), loops.entropic(x.double(), k, taus)
        torch.testing.assert_close(y.double(), exact, rtol=0, atol=1e-6)
        torch.testing.assert_close(
            y.double().sum(-1), torch.full((6,), float(k), dtype=WIDE), rtol=1e-6, atol=0
        )
        assert y.max() <= 1
        grad = normal(6, n, seed=1).float()
        found = loops.entropic_backward(grad, y, taus)
        torch.testing.assert_close(
            found.double() * tau,
            loops.entropic_backward(grad.double(), y.double(), taus) * tau,
            rtol=1e-5,
            atol=1e-6,
        )


def test_entropic_of_float32_beyond_what_float32_holds(loops):
    x = torch.tensor(
        [[3e38, -3e38, 0.0, 1.0], [torch.nan, 1, 2, 3], [torch.inf, 1, 2, 3], [-torch.inf, 1, 2, 3]]
    )
    for tau in (1e-30, 1e-3, 1.0, 1e30, math.inf):
        taus = torch.full((4,), tau, dtype=WIDE)
        y, exact = loops.entropic(x, 2, taus), loops.entropic(x.double(), 2, taus)
        torch.testing.assert_close(y.double(), exact, rtol=0, atol=1e-6, equal_nan=True)
        found = loops.entropic_backward(torch.ones_like(x), y, taus)
        expected = loops.entropic_backward(torch.ones_like(exact), y.double(), taus)
        torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-6)
