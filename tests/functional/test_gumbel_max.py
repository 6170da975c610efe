"""Index draws against softmax, to the far tail."""

import pytest
import torch

import softdraw as sd

from ..statistics import assert_frequencies, assert_rare, assert_share

KEY = sd.Key(31)


@pytest.mark.parametrize("classes", [2, 3, 10, 100, 10_000, 100_000])
@pytest.mark.parametrize("kind", ["uniform", "peaked", "masked"])
def test_chi_square(classes, kind):
    draws = 100_000 if classes <= 100 else 2000
    position = torch.arange(classes, dtype=torch.float64) / classes
    logits = torch.zeros(classes) if kind == "uniform" else (3 * position).float()
    mask = torch.arange(classes) % 2 == 0 if kind == "masked" else None
    probs = logits.double().exp()
    if mask is not None:
        probs = torch.where(mask, probs, 0.0)
    probs /= probs.sum()
    index = sd.gumbel_max(logits, sample_shape=(draws,), mask=mask, key=KEY)
    # at most 100 bins of consecutive classes, so that each expects enough draws
    if mask is not None:
        assert bool(mask[index].all())
    bins = torch.arange(classes) * min(classes, 100) // classes
    expected = torch.zeros(min(classes, 100), dtype=torch.float64).index_add_(0, bins, probs) * draws
    counts = bins[index].bincount(minlength=expected.numel())
    if int((expected > 0).sum()) > 1:
        assert_frequencies(counts, expected)


def test_two_equal_classes_at_a_million():
    # At 1e6 float32 has steps of 1/16: unshifted, the noise would be rounded to them and tie.
    for dtype in (torch.float32, torch.float64):
        logits = torch.full((2,), 1e6, dtype=dtype)
        ones = int(sd.gumbel_max(logits, sample_shape=(100_000,), key=KEY).sum())
        assert_share(ones, 100_000, 0.5)


def test_far_tail():
    # 262,144 classes, each at log-probability -20.5 below one head class, 50,000 draws: 16.4 hits expected,
    # where samplers with 24-bit uniforms have none (which would be rarer than 1e-7).
    tail, draws, piece = 262_144, 50_000, 500
    logits = torch.full((tail + 1,), -20.5)
    logits[0] = 0.0
    hits = sum(
        int((sd.gumbel_max(logits, sample_shape=(piece,), key=KEY.fold_in(chunk)) > 0).sum())
        for chunk in range(draws // piece)
    )
    mean = draws * tail * 2.718281828459045**-20.5
    assert abs(mean - 16.4) < 0.1
    assert_rare(hits, mean)


def test_index_is_the_argmax_of_the_soft_and_the_hard_draw():
    for dtype in (torch.float32, torch.float64):
        logits = torch.randn(200, 50, dtype=dtype)
        index = sd.gumbel_max(logits, key=KEY)
        assert torch.equal(index, sd.gumbel_softmax(logits, 0.9, key=KEY).argmax(-1))
        assert torch.equal(index, sd.gumbel_softmax(logits, hard=True, key=KEY).argmax(-1))


def test_shapes_and_sample_shapes():
    logits = torch.randn(2, 3, 4)
    for dim, batch in ((-1, (2, 3)), (0, (3, 4)), (1, (2, 4))):
        for sample_shape in ((), (5,), (2, 2), (0,)):
            index = sd.gumbel_max(logits, dim, sample_shape=sample_shape)
            assert index.shape == (*sample_shape, *batch)
            assert index.dtype == torch.int64
    assert sd.gumbel_max(torch.zeros(0, 3)).shape == (0,)


def test_noise_with_sample_dims():
    logits = torch.randn(4, 5, 3)
    noise = sd.random.gumbel((4, 3, 5), sample_shape=(6,), key=KEY).movedim(-1, -2)
    expected = sd.gumbel_max(logits, 1, sample_shape=(6,), key=KEY)
    assert torch.equal(sd.gumbel_max(logits, 1, sample_shape=(6,), noise=noise), expected)


def test_errors():
    with pytest.raises(ValueError, match=r"sample_shape: got \(-1,\), expected sizes of 0 or more"):
        sd.gumbel_max(torch.zeros(3), sample_shape=(-1,))
    with pytest.raises(ValueError, match="expected from 1 to 2\\^33 classes in dim"):
        sd.gumbel_max(torch.zeros(3, 0))


def test_no_gradient():
    logits = torch.randn(3, 4, requires_grad=True)
    assert not sd.gumbel_max(logits).requires_grad
