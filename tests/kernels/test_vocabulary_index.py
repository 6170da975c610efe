"""Draws of an index from a vocabulary by tiles: each backend against the whole logits, both ways."""

import pytest
import torch

import softdraw as sd
from softdraw.kernels import reference
from softdraw.kernels.formulas import scores
from softdraw.kernels.vocabulary import index, index_formulas

from .backends import INSTRUCTIONS, instructions

KEY = (0x123456789ABCDEF, 2**40 + 3)
#: rows, width, classes, classes of a tile
SHAPES = [(1, 3, 1, 4), (5, 7, 3, 4), (6, 4, 33, 8), (3, 8, 2500, 1024), (2, 5, 4100, 2052), (700, 2, 37, 12)]
DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]


def problem(rows, width, classes, dtype=torch.float32, masked=True):
    generator = torch.Generator().manual_seed(rows * classes)

    def normal(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)

    wide = torch.float64 if dtype == torch.float64 else torch.float32
    tau = torch.rand(rows, generator=generator, dtype=torch.float64).to(wide) + 0.5
    mask = torch.rand(rows, classes, generator=generator) < 0.7 if masked else None
    return normal(rows, width), normal(classes, width), normal(classes), mask, tau


def logits_of(hidden, weight, bias, tau):
    wide = tau.dtype
    return (hidden.to(wide) @ weight.to(wide).mT + (0 if bias is None else bias.to(wide))) / tau.unsqueeze(-1)


def assert_same_winners(found, logits, mask, samples):
    """The winners of the whole logits, but where the two best scores are within rounding of the products."""
    rows, classes = logits.shape
    noise = reference.noise("gumbel", samples, rows, classes, *KEY, logits.dtype, logits.device)
    drawn = scores(logits, mask, noise)
    expected = drawn.winner()
    assert torch.equal(found < 0, expected < 0)
    z, known = drawn.ranked(), expected >= 0
    best = z.gather(-1, expected.clamp(min=0).unsqueeze(-1)).squeeze(-1)[known]
    picked = z.gather(-1, found.clamp(min=0).unsqueeze(-1)).squeeze(-1)[known]
    assert bool((picked >= best - 64 * torch.finfo(logits.dtype).eps * logits.abs().max().clamp(min=1)).all())
    assert float((found != expected).double().mean()) <= 0.01


@pytest.fixture(params=["reference", *INSTRUCTIONS])
def module(request, monkeypatch):
    """Each way to work on a tile, in the place of the one for this machine."""
    if request.param == "reference":
        monkeypatch.setattr(index, "_module", lambda hidden: index_formulas)
        yield index_formulas
    else:
        with instructions(request.param) as native:
            monkeypatch.setattr(index, "_module", lambda hidden: native.vocabulary)
            yield native.vocabulary


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("masked", [False, True])
def test_winners_log_probabilities_and_entropies(module, shape, dtype, masked):
    rows, width, classes, columns = shape
    hidden, weight, bias, mask, tau = problem(rows, width, classes, dtype, masked)
    drawn = index.forward(hidden, weight, bias, mask, tau, KEY, 3, True, columns)
    logits = logits_of(hidden, weight, bias, tau)
    assert_same_winners(drawn.index, logits, mask, 3)
    allowed = torch.ones(rows, classes, dtype=torch.bool) if mask is None else mask
    law = logits.double().masked_fill(~allowed, -torch.inf).log_softmax(-1)
    some = allowed.any(-1)
    tolerance = 1e-10 if dtype == torch.float64 else 2e-5
    log_prob = (drawn.chosen - drawn.top - drawn.log_total)[:, some]
    expected = law[some].expand(3, -1, -1).gather(-1, drawn.index[:, some].unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(log_prob.double(), expected, rtol=tolerance, atol=tolerance)
    entropy = -(law.exp() * law.masked_fill(~allowed, 0.0)).sum(-1)[some]
    got = (drawn.log_total - drawn.mean)[some].double()
    torch.testing.assert_close(got, entropy, rtol=tolerance, atol=tolerance)
    plain = index.forward(hidden, weight, bias, mask, tau, KEY, 3, False, columns)
    assert torch.equal(plain.index, drawn.index)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_are_those_of_the_whole_logits(module, shape, dtype):
    rows, width, classes, columns = shape
    hidden, weight, bias, mask, tau = problem(rows, width, classes, dtype)
    drawn = index.forward(hidden, weight, bias, mask, tau, KEY, 3, True, columns)
    wide = tau.dtype
    picked, spread = torch.randn(3, rows, dtype=wide), torch.randn(rows, dtype=wide)
    got = index.backward(hidden, weight, bias, mask, tau, drawn, picked, spread, (True,) * 4, columns)
    learned = [one.double().requires_grad_() for one in (hidden, weight, bias, tau)]
    logits = logits_of(*learned[:3], learned[3])
    some = mask.any(-1)
    law = logits.masked_fill(~mask, -1e30)[some].log_softmax(-1)
    log_prob = law.expand(3, -1, -1).gather(-1, drawn.index[:, some].unsqueeze(-1)).squeeze(-1)
    entropy = -(law.exp() * law.masked_fill(~mask[some], 0.0)).sum(-1)
    loss = (log_prob * picked[:, some]).sum() + (entropy * spread[some]).sum()
    expected = torch.autograd.grad(loss, learned)
    tolerance = {torch.float64: 1e-10, torch.float32: 1e-4}.get(dtype, 2e-2)
    for one, exact, given in zip(got, expected, (hidden, weight, bias, tau), strict=True):
        assert one.dtype == given.dtype
        size = float(exact.abs().max())
        torch.testing.assert_close(one.double(), exact, rtol=tolerance, atol=tolerance * max(size, 1.0))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tiles_and_threads_change_no_winner(module, dtype):
    hidden, weight, bias, mask, tau = problem(70, 6, 3001, dtype)
    threads = torch.get_num_threads()
    found = []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            for columns in (4, 100, 1024, 2048, None):
                if columns == 4 and count > 1:
                    continue
                drawn = index.forward(hidden, weight, bias, mask, tau, KEY, 2, False, columns)
                found.append(drawn.index)
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(one, found[0]) for one in found)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("start", [1, 2, 3, 5])
def test_a_tile_may_begin_within_a_block_of_the_counter(module, dtype, start):
    hidden, weight, bias, _, tau = problem(5, 3, 400, dtype)
    whole = index.forward(hidden, weight, bias, None, tau, KEY, 2, True, 400)
    parts = index.forward(hidden, weight, bias, None, tau, KEY, 2, True, start)
    assert torch.equal(parts.index, whole.index)
    torch.testing.assert_close(parts.log_total - parts.mean, whole.log_total - whole.mean)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ties_go_to_the_lower_class_and_large_logits_keep_the_noise(module, dtype):
    # logits near 2^20, where float32 has steps of 1/8, and alike in all classes
    hidden, weight = torch.full((40, 1), 2.0**10, dtype=dtype), torch.full((300, 1), 2.0**10, dtype=dtype)
    tau = torch.ones(40, dtype=dtype)
    drawn = index.forward(hidden, weight, None, None, tau, KEY, 5, True, 32)
    expected = sd.gumbel_max(hidden @ weight.mT, sample_shape=(5,), key=sd.Key(*KEY))
    assert torch.equal(drawn.index, expected)
    torch.testing.assert_close(drawn.log_total, torch.full((40,), 300.0, dtype=dtype).log())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_bad_rows_forbidden_classes_and_empty_rows(module, dtype, value):
    hidden, weight, bias, mask, tau = problem(6, 4, 50, dtype)
    mask[:] = True
    hidden[1, 0] = torch.nan
    bias[30] = value
    mask[4, 30] = mask[5] = False
    drawn = index.forward(hidden, weight, bias, mask, tau, KEY, 2, True, 8)
    logits = logits_of(hidden, weight, bias, tau)
    assert torch.equal(drawn.index, sd.gumbel_max(logits, mask=mask, sample_shape=(2,), key=sd.Key(*KEY)))
    bad = (drawn.index < 0).all(0)
    good = torch.tensor([value == -torch.inf, False, value == -torch.inf, value == -torch.inf, True, False])
    assert torch.equal(~bad, good)
    grads = index.backward(
        hidden,
        weight,
        bias,
        mask,
        tau,
        drawn,
        torch.ones_like(drawn.chosen),
        torch.ones_like(drawn.top),
        (True,) * 4,
        8,
    )
    assert bool((grads.tau[bad] == 0).all())
    assert bool((grads.hidden[bad] == 0).all())
    assert bool(torch.isfinite(grads.hidden).all())


def test_differences_that_overflow(module):
    weight = torch.tensor([[-3e38], [3e38], [-3e38], [1.0], [0.0]])
    tau = torch.ones(2)
    drawn = index.forward(torch.ones(2, 1), weight, None, None, tau, KEY, 3, True, 1)
    assert bool((drawn.index == 1).all())
    assert bool((drawn.log_total == 0).all())
    assert bool((drawn.mean == 0).all())
    grads = index.backward(
        torch.ones(2, 1), weight, None, None, tau, drawn, torch.ones(3, 2), torch.ones(2), (True,) * 4, 1
    )
    assert all(one is None or bool((one == 0).all()) for one in grads)


def test_the_reference_and_the_loops_keep_the_same_numbers(module):
    hidden, weight, bias, mask, tau = problem(9, 5, 777)
    drawn = index.forward(hidden, weight, bias, mask, tau, KEY, 4, True, 128)
    whole = (logits_of(hidden, weight, bias, tau)).masked_fill(~mask, -torch.inf)
    torch.testing.assert_close(drawn.top, whole.amax(-1))
    torch.testing.assert_close(
        drawn.chosen, whole.expand(4, -1, -1).gather(-1, drawn.index.unsqueeze(-1)).squeeze(-1)
    )
    noise = reference.noise("gumbel", 4, 9, 777, *KEY, torch.float32, torch.device("cpu"))
    best = (whole - drawn.top.unsqueeze(-1) + noise).amax(-1)
    torch.testing.assert_close(drawn.best, best)
