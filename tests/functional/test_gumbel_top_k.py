"""Ordered draws without replacement: their law, and that they are gumbel_max's own noise."""

import itertools

import pytest
import torch

import softdraw as sd

from ..statistics import assert_frequencies

KEY = sd.Key(77)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("masked", [False, True])
def test_the_first_is_gumbel_max_bit_for_bit(dtype, masked):
    logits = (3 * torch.randn(300, 40, generator=torch.Generator().manual_seed(0))).to(dtype)
    mask = torch.rand(300, 40, generator=torch.Generator().manual_seed(1)) > 0.9 if masked else None
    best = sd.gumbel_max(logits, sample_shape=(7,), mask=mask, key=KEY)
    for k in (1, 2, 40):
        assert torch.equal(sd.gumbel_top_k(logits, k, sample_shape=(7,), mask=mask, key=KEY)[..., 0], best)


@pytest.mark.parametrize("n", [5, 2000])
def test_smaller_k_is_a_prefix(n):
    logits = torch.randn(64, n, generator=torch.Generator().manual_seed(0))
    whole = sd.gumbel_top_k(logits, 5, key=KEY)
    for k in range(5):
        assert torch.equal(sd.gumbel_top_k(logits, k, key=KEY), whole[:, :k])
    noisy = (logits + sd.random.gumbel(logits.shape, key=KEY)).gather(-1, whole)
    assert bool((noisy.diff(dim=-1) <= 0).all())


@pytest.mark.parametrize("k", [2, 3, 4])
def test_law(k):
    draws = 200_000
    logits = torch.tensor([1.0, 0.0, -1.0, 0.5])
    weight = logits.double().exp().tolist()
    orders = list(itertools.permutations(range(4), k))
    probs = []
    for order in orders:
        rest, p = sum(weight), 1.0
        for item in order:
            p, rest = p * weight[item] / rest, rest - weight[item]
        probs.append(p)
    drawn = sd.gumbel_top_k(logits, k, sample_shape=(draws,), key=KEY)
    base = 4 ** torch.arange(k)
    counts = (drawn * base).sum(-1).bincount(minlength=4**k)
    assert_frequencies(counts[(torch.tensor(orders) * base).sum(-1)], probs)
    assert bool((drawn.sort(-1).values.diff(dim=-1) > 0).all())


def test_a_batch_in_chunks_draws_what_the_whole_does():
    logits = torch.randn(3, 8, 6, generator=torch.Generator().manual_seed(0))
    whole = sd.gumbel_top_k(logits, 3, sample_shape=(2,), key=KEY)
    for i in range(3):
        part = sd.gumbel_top_k(logits[i], 3, sample_shape=(2,), key=KEY.rows(8 * i))
        assert torch.equal(part, whole[:, i])


@pytest.mark.parametrize("k", [1, 3])
def test_classes_in_another_dim(k):
    logits = torch.randn(4, 5, 6, generator=torch.Generator().manual_seed(0))
    moved = sd.gumbel_top_k(logits.movedim(-1, 0), k, 0, sample_shape=(2,), key=KEY)
    assert moved.shape == (2, 4, 5, k)
    assert torch.equal(moved, sd.gumbel_top_k(logits, k, sample_shape=(2,), key=KEY))
    noise = sd.random.gumbel(logits.shape, key=KEY)
    assert torch.equal(
        sd.gumbel_top_k(logits.movedim(-1, 0), k, 0, noise=noise.movedim(-1, 0)),
        sd.gumbel_top_k(logits, k, noise=noise),
    )


def test_missing_and_broken_rows():
    mask = torch.tensor([True, False, False, True])
    drawn = sd.gumbel_top_k(torch.zeros(50, 4), 3, mask=mask, key=KEY)
    assert torch.equal(drawn[:, :2].sort(-1).values, torch.tensor([0, 3]).expand(50, 2))
    assert bool((drawn[:, 2] == -1).all())
    assert sd.gumbel_top_k(torch.zeros(4), 2, mask=torch.zeros(4, dtype=torch.bool)).tolist() == [-1, -1]
    for bad in (torch.nan, torch.inf):
        assert sd.gumbel_top_k(torch.tensor([0.0, bad, 1.0]), 2).tolist() == [-1, -1]
    # what is allowed is drawn, however unlikely; -inf is not
    logits = torch.tensor([0.0, -3.4e38, -torch.inf, 3.4e38])
    assert sd.gumbel_top_k(logits, 4, key=KEY).tolist() == [3, 0, 1, -1]


@pytest.mark.parametrize(
    "values", [[0.0] * 6, [1.0, 2.0, 1.0, 2.0, 1.0, 1.0], [3.0, 1.0, 1.0, 1.0, 2.0, 1.0]]
)
@pytest.mark.parametrize("k", range(7))
def test_of_equals_the_lower_index_is_first(values, k):
    expected = sorted(range(6), key=lambda i: -values[i])[:k]
    logits = torch.tensor(values)
    assert sd.gumbel_top_k(logits, k, noise=torch.zeros(6)).tolist() == expected
    rows = torch.vmap(lambda row: sd.gumbel_top_k(row, k, noise=torch.zeros(6)))(logits.expand(2, 6))
    assert rows.tolist() == [expected] * 2


def test_errors_name_k():
    for k in (-1, 5):
        with pytest.raises(ValueError, match=f"k: got {k}, expected an int from 0 to 4"):
            sd.gumbel_top_k(torch.zeros(4), k)
    with pytest.raises(TypeError, match=r"k: got 1\.0, expected an int from 0 to 4"):
        sd.gumbel_top_k(torch.zeros(4), 1.0)
