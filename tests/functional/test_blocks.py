"""``sizes=``: blocks of unequal sizes against a loop over the blocks with the same noise."""

import copy
import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import softdraw as sd

from ..statistics import assert_frequencies

KEY = sd.Key(11)
SIZES = [3, 5, 1, 20, 2]
TOTAL = sum(SIZES)
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def normal(*shape, dtype=torch.float64, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def noise_of(batch, sizes, key, dtype=torch.float32):
    """The noise of all blocks, as a row: classes are counted within a block, rows over batch and blocks."""
    drawn = sd.random.gumbel((*batch, len(sizes), max(sizes)), key=key, dtype=dtype)
    return torch.cat([drawn[..., b, :size] for b, size in enumerate(sizes)], -1)


def by_loop(logits, sizes, tau=1.0, mask=None, key=KEY, hard=False):
    """What users write: split, draw, cat."""
    wide = torch.float64 if logits.dtype == torch.float64 else torch.float32
    noise = noise_of(logits.shape[:-1], sizes, key, wide).split(sizes, -1)
    masks = [None] * len(sizes) if mask is None else mask.expand(logits.shape).split(sizes, -1)
    taus = tau.unbind(-1) if isinstance(tau, torch.Tensor) and tau.dim() else [tau] * len(sizes)
    rows = zip(logits.split(sizes, -1), taus, masks, noise, strict=True)
    return torch.cat([sd.gumbel_softmax(x, t, hard, mask=m, noise=n) for x, t, m, n in rows], -1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("tau", [1.0, 0.3, 0.0, math.inf, "blocks"])
def test_it_is_a_loop_over_the_blocks(dtype, hard, masked, tau):
    logits = normal(4, 3, TOTAL, dtype=dtype).requires_grad_()
    weight = normal(4, 3, TOTAL, dtype=dtype, seed=1)
    mask = normal(3, TOTAL, seed=2) > -0.5 if masked else None
    if tau == "blocks":
        tau = torch.tensor([0.3, 1.0, 0.7, 2.0, 0.5])
    y = sd.gumbel_softmax(logits, tau, hard, mask=mask, key=KEY, sizes=SIZES)
    expected = by_loop(logits, SIZES, tau, mask, hard=hard)
    torch.testing.assert_close(y, expected)
    (got,), (want,) = (torch.autograd.grad(one, logits, weight) for one in (y, expected))
    # of a half type the fused gradient reads the rounded sample
    slack = 4 * torch.finfo(dtype).eps if dtype in DTYPES[:2] else {torch.float32: 1e-5}.get(dtype, 1e-12)
    torch.testing.assert_close(got, want, rtol=slack, atol=slack)
    assert y.is_contiguous()
    index = sd.gumbel_max(logits, mask=mask, key=KEY, sizes=SIZES)
    hot = torch.cat(
        [(i.unsqueeze(-1) == torch.arange(n)) for i, n in zip(index.unbind(-1), SIZES, strict=True)], -1
    )
    assert torch.equal(hot.to(dtype), sd.gumbel_softmax(logits, hard=True, mask=mask, key=KEY, sizes=SIZES))


@pytest.mark.parametrize("size", [4, 40])
def test_blocks_of_one_size_are_a_reshape_to_the_bit(size):
    logits, mask = normal(6, 3 * size, dtype=torch.float32).requires_grad_(), normal(3 * size, seed=1) > -1
    noise = normal(6, 3 * size, dtype=torch.float32, seed=2)
    tau, sizes = torch.tensor([0.5, 1.0, 2.0]), [size] * 3
    split = logits.reshape(6, 3, size)
    for hard in (False, True):
        for source, other in (({"key": KEY},) * 2, ({"noise": noise}, {"noise": noise.view(6, 3, size)})):
            y = sd.gumbel_softmax(logits, tau, hard, mask=mask, sizes=sizes, **source)
            z = sd.gumbel_softmax(split, tau, hard, mask=mask.view(3, size), **other).flatten(-2)
            assert torch.equal(y, z)
            grads = [torch.autograd.grad(one[:, ::2].sum(), logits, retain_graph=True)[0] for one in (y, z)]
            assert torch.equal(*grads)
    index = sd.gumbel_max(logits, sample_shape=(7,), key=KEY, sizes=sizes)
    assert torch.equal(index, sd.gumbel_max(split, sample_shape=(7,), key=KEY))


@pytest.mark.parametrize("hard", [False, True])
def test_all_ways_of_computing_agree(hard):
    """The loops, the padded copy in graphs and under transforms, and the caller's noise."""
    logits, weight = normal(5, TOTAL).requires_grad_(), normal(5, TOTAL, seed=1)
    mask = normal(5, TOTAL, seed=2) > -0.5

    def draw(x, key=KEY):
        return sd.gumbel_softmax(x, 0.6, hard, mask=mask, key=key, sizes=SIZES)

    y = draw(logits)
    (grad,) = torch.autograd.grad(y, logits, weight)
    torch.testing.assert_close(
        sd.gumbel_softmax(
            logits, 0.6, hard, mask=mask, noise=noise_of((5,), SIZES, KEY, torch.float64), sizes=SIZES
        ),
        y,
    )
    torch._dynamo.reset()
    compiled = torch.compile(draw, fullgraph=True, backend="aot_eager")
    z = compiled(logits)
    torch.testing.assert_close(z, y)
    torch.testing.assert_close(torch.autograd.grad(z, logits, weight)[0], grad)
    torch.testing.assert_close(compiled(logits, sd.Key(2**63 + 5)), draw(logits, sd.Key(2**63 + 5)))
    x = logits.detach()
    torch.testing.assert_close(torch.func.grad(lambda x: (draw(x) * weight).sum())(x), grad)
    rows = torch.vmap(lambda row, m: sd.gumbel_softmax(row, 0.6, hard, mask=m, key=KEY, sizes=SIZES))(x, mask)
    each = [
        sd.gumbel_softmax(row, 0.6, hard, mask=m, key=KEY, sizes=SIZES)
        for row, m in zip(x, mask, strict=True)
    ]
    torch.testing.assert_close(rows, torch.stack(each))
    batched = torch.autograd.grad(draw(logits), logits, weight[None].expand(3, -1, -1), is_grads_batched=True)
    torch.testing.assert_close(batched[0], grad.expand(3, -1, -1))


# torch itself scripts its decompositions when forward mode is first used
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_gradcheck_and_gradgradcheck():
    sizes = [2, 1, 3]
    logits, noise = normal(2, 6).requires_grad_(), normal(2, 6, seed=1).requires_grad_()
    tau = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64, requires_grad=True)
    for call, inputs in (
        (lambda x: sd.gumbel_softmax(x, 0.7, key=KEY, sizes=sizes), (logits,)),
        (lambda x, t: sd.gumbel_softmax(x, t, key=KEY, sizes=sizes), (logits, tau)),
        (lambda x, t, n: sd.gumbel_softmax(x, t, noise=n, sizes=sizes), (logits, tau, noise)),
    ):
        assert torch.autograd.gradcheck(call, inputs, check_forward_ad=True)
        assert torch.autograd.gradgradcheck(call, inputs)


def test_the_second_derivative_of_a_hard_draw_is_that_of_the_soft_one():
    logits, weight = normal(3, TOTAL).requires_grad_(), normal(3, TOTAL, seed=1)
    found = []
    for hard in (False, True):
        y = sd.gumbel_softmax(logits, 0.7, hard, key=KEY, sizes=SIZES)
        (first,) = torch.autograd.grad(y, logits, weight, create_graph=True)
        found.append(torch.autograd.grad(first[..., ::2].sum(), logits)[0])
    assert found[0].abs().max() > 1e-3
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("dtype", DTYPES)
def test_hard_has_the_gradient_of_soft_to_the_bit(dtype):
    logits, weight = normal(40, TOTAL, dtype=dtype).requires_grad_(), normal(40, TOTAL, dtype=dtype, seed=1)
    grads = [
        torch.autograd.grad(sd.gumbel_softmax(logits, 0.4, hard, key=KEY, sizes=SIZES), logits, weight)[0]
        for hard in (False, True)
    ]
    assert torch.equal(*grads)


def test_draws_follow_the_law_of_each_block():
    logits = torch.linspace(-1, 2, 9)
    sizes, draws = [2, 4, 3], 100_000
    index = sd.gumbel_max(logits, sample_shape=(draws,), key=KEY, sizes=sizes)
    hot = sd.gumbel_softmax(logits.expand(draws, 9), hard=True, key=KEY.fold_in(1), sizes=sizes)
    for b, (part, found) in enumerate(zip(logits.split(sizes), hot.split(sizes, -1), strict=True)):
        assert_frequencies(index[:, b].bincount(minlength=sizes[b]), part.double().softmax(0))
        assert_frequencies(found.sum(0), part.double().softmax(0))
    # blocks are independent: of the 24 joint outcomes each has the product of the probabilities
    joint = (index * torch.tensor([12, 3, 1])).sum(-1).bincount(minlength=24)
    first, second, third = (part.double().softmax(0) for part in logits.split(sizes))
    assert_frequencies(joint, torch.einsum("i,j,k->ijk", first, second, third).flatten())


def test_a_batch_in_chunks_draws_what_the_whole_batch_does():
    logits = normal(10, TOTAL)
    whole = sd.gumbel_softmax(logits, key=KEY, sizes=SIZES)
    later = sd.gumbel_softmax(logits[4:], key=KEY.rows(4 * len(SIZES)), sizes=SIZES)
    torch.testing.assert_close(later, whole[4:])


def test_extremes_stay_in_their_block():
    logits = normal(6, TOTAL, dtype=torch.float32)
    logits[0, 1], logits[1, 4], logits[2, 3:8] = math.nan, math.inf, -math.inf
    logits[3] *= 1e30
    mask = torch.ones(6, TOTAL, dtype=torch.bool)
    mask[4, 9:29] = False
    logits = logits.requires_grad_()
    y = sd.gumbel_softmax(logits, 0.5, mask=mask, key=KEY, sizes=SIZES)
    index = sd.gumbel_max(logits, mask=mask, key=KEY, sizes=SIZES)
    assert bool(y[0, :3].isnan().all())
    assert bool(y[1, 3:8].isnan().all())
    assert bool((y[2, 3:8] == 0).all())
    assert bool((y[4, 9:29] == 0).all())
    assert int(y.isnan().sum()) == 8
    assert [(int(r), int(b)) for r, b in (index == -1).nonzero()] == [(0, 0), (1, 1), (2, 1), (4, 3)]
    y.nansum().backward()
    assert bool(logits.grad.isfinite().all())


def test_sources_of_noise():
    logits = normal(4, TOTAL)
    for draw in (sd.gumbel_softmax, sd.gumbel_max):
        one, two = (draw(logits, sizes=SIZES, generator=torch.Generator().manual_seed(3)) for _ in range(2))
        assert torch.equal(one, two)
        torch.manual_seed(3)
        one, other = draw(logits, sizes=SIZES), draw(logits, sizes=SIZES)
        torch.manual_seed(3)
        assert torch.equal(one, draw(logits, sizes=SIZES))
        assert not torch.equal(one, other)
        different = torch.vmap(lambda x, d=draw: d(x, sizes=SIZES), randomness="different")(
            torch.zeros(30, TOTAL)
        )
        assert not torch.equal(different, different[:1].expand_as(different))
    # the caller's noise of several samples
    noise = normal(7, 4, TOTAL, seed=5)
    index = sd.gumbel_max(logits, sample_shape=(7,), noise=noise, sizes=SIZES)
    parts = (logits + noise).split(SIZES, -1)
    assert torch.equal(index, torch.stack([part.argmax(-1) for part in parts], -1))


def test_a_schedule_that_steps_between_the_passes_changes_no_gradient():
    logits = normal(3, TOTAL).requires_grad_()
    for tau in (torch.tensor(0.5), torch.full((len(SIZES),), 0.5)):
        for hard in (False, True):
            y = sd.gumbel_softmax(logits, tau, hard, key=KEY, sizes=SIZES)
            (expected,) = torch.autograd.grad(y[:, ::2].sum(), logits, retain_graph=True)
            tau.mul_(0.1)
            assert torch.equal(torch.autograd.grad(y[:, ::2].sum(), logits)[0], expected)
            tau.mul_(10)


def test_logits_changed_in_place_after_a_hard_draw_are_refused_by_name():
    x = normal(3, TOTAL).requires_grad_()
    logits = x * 1.0
    y = sd.gumbel_softmax(logits, hard=True, sizes=SIZES)
    logits.add_(1.0)
    with pytest.raises(RuntimeError, match=r"logits: .*changed in place"):
        y.sum().backward()


@pytest.mark.parametrize("draw", [sd.gumbel_softmax, sd.gumbel_max])
def test_errors(draw):
    logits = torch.zeros(2, 10)
    with pytest.raises(ValueError, match=r"sizes: got \(3, 5\), expected sizes that sum to 10, the last dim"):
        draw(logits, sizes=[3, 5])
    with pytest.raises(ValueError, match="sizes: got 0, expected an int >= 1"):
        draw(logits, sizes=[10, 0])
    with pytest.raises(ValueError, match=r"sizes: got \(\), expected one block or more"):
        draw(logits, sizes=[])
    with pytest.raises(TypeError, match="sizes: got 10, expected a sequence of ints"):
        draw(logits, sizes=10)
    with pytest.raises(TypeError, match=r"sizes: got 5\.0, expected an int"):
        draw(logits, sizes=[5.0, 5])
    with pytest.raises(ValueError, match="dim: got 0, expected -1 beside sizes"):
        draw(logits, dim=0, sizes=[3, 7])
    with pytest.raises(TypeError, match="logits: got "):
        draw([0.0] * 10, sizes=[3, 7])
    with pytest.raises(ValueError, match="logits: got "):
        draw(torch.zeros(()), sizes=[3, 7])
    with pytest.raises(ValueError, match=r"mask: got .* broadcasts to \(2, 10\)"):
        draw(logits, mask=torch.ones(3, dtype=torch.bool), sizes=[3, 7])
    with pytest.raises(ValueError, match=r"noise: got .* broadcasts to \(2, 10\)"):
        draw(logits, noise=torch.ones(3), sizes=[3, 7])
    with pytest.raises(ValueError, match="key and noise: got both"):
        draw(logits, noise=torch.ones(10), key=KEY, sizes=[3, 7])


def test_temperatures_are_those_of_blocks():
    logits = torch.zeros(4, 10)
    for shape in ((), (2,), (4, 1), (4, 2), (4, 2, 1), (1, 2, 1)):
        assert sd.gumbel_softmax(logits, torch.ones(shape), sizes=[3, 7]).shape == (4, 10)
    for shape in ((10,), (4, 10), (4,), (3,)):
        with pytest.raises(ValueError, match=r"tau: got .* broadcasts to the batch shape \(4, 2\)"):
            sd.gumbel_softmax(logits, torch.ones(shape), sizes=[3, 7])
    with pytest.raises(ValueError, match="tau: got -1"):
        sd.gumbel_softmax(logits, -1.0, sizes=[3, 7])


def test_every_kind_of_sequence_and_no_rows():
    logits = torch.zeros(0, 10, requires_grad=True)
    for sizes in ([3, 7], (3, 7), torch.Size([3, 7]), [np.int64(3), 7]):
        y = sd.gumbel_softmax(logits, sizes=sizes)
        y.sum().backward()
        assert y.shape == logits.grad.shape == (0, 10)
        assert sd.gumbel_max(logits, sizes=sizes).shape == (0, 2)


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(4, TOTAL)

    def forward(self, x):
        logits = self.linear(x)
        return sd.gumbel_softmax(logits, 0.5, key=KEY, sizes=SIZES), sd.gumbel_max(
            logits, key=KEY, sizes=SIZES
        )


# torch says of torch.jit itself that it is deprecated
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.parametrize("kind", ["fx", "jit", "export"])
def test_traced_models(kind):
    torch.manual_seed(0)
    model, x = Model(), torch.randn(6, 4)
    if kind == "fx":
        traced = copy.deepcopy(torch.fx.symbolic_trace(model))
    elif kind == "jit":
        traced = torch.jit.trace(model, (torch.randn(3, 4),), check_trace=False)
    else:
        traced = torch.export.export(model, (x,)).module()
    for found, expected in zip(traced(x), model(x), strict=True):
        torch.testing.assert_close(found, expected)


def test_meta_fake_and_autocast():
    for logits in (torch.zeros(3, TOTAL, device="meta"), normal(3, TOTAL, dtype=torch.bfloat16)):
        assert sd.gumbel_softmax(logits, key=KEY, sizes=SIZES).shape == (3, TOTAL)
        assert sd.gumbel_max(logits, key=KEY, sizes=SIZES).shape == (3, len(SIZES))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under = sd.gumbel_softmax(logits, key=KEY, sizes=SIZES)
    assert torch.equal(under, sd.gumbel_softmax(logits, key=KEY, sizes=SIZES))
    with torch._subclasses.FakeTensorMode():
        assert sd.gumbel_softmax(torch.zeros(3, TOTAL), key=KEY, sizes=SIZES).shape == (3, TOTAL)
    # nothing fake or of inference mode is kept for later
    with torch.inference_mode():
        sd.gumbel_softmax(torch.zeros(3, 11), noise=torch.zeros(11), sizes=[4, 7])
    x = torch.zeros(3, 11, requires_grad=True)
    sd.gumbel_softmax(x, noise=torch.zeros(11), sizes=[4, 7]).sum().backward()


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=8),
    rows=st.integers(0, 40),
    dtype=st.sampled_from(DTYPES),
    tau=st.sampled_from([1.0, 0.5, 0.0]),
    hard=st.booleans(),
    seed=st.integers(0, 2**64 - 1),
)
def test_any_sizes(sizes, rows, dtype, tau, hard, seed):
    key = sd.Key(seed, seed // 3)
    logits = normal(rows, sum(sizes), dtype=dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = sd.gumbel_softmax(logits, tau, hard, key=key, sizes=sizes)
    expected = by_loop(logits, sizes, tau, key=key, hard=hard)
    if hard or tau == 0.0:
        # of two scores within rounding either may win
        assert int((y != expected).sum()) <= 2
        assert all(bool((part.sum(-1) == 1).all()) for part in y.split(sizes, -1))
    else:
        torch.testing.assert_close(y, expected)
