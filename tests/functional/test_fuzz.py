"""Any logits that are legal: no NaN, rows that sum to 1, and the invariances of the law."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import softdraw as sd

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
SHAPES = st.lists(st.integers(0, 4), min_size=1, max_size=3)


@st.composite
def problems(draw):
    """Logits of any shape, dtype, layout and finite or -inf values, with dim, mask and temperature."""
    shape = draw(SHAPES)
    dim = draw(st.integers(-len(shape), len(shape) - 1))
    shape[dim] = draw(st.sampled_from([1, 2, 3, 5, 16, 17, 40]))
    dtype = draw(st.sampled_from(DTYPES))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    big = torch.finfo(dtype).max
    pool = torch.tensor(
        [0.0, 1.0, -1.0, 30.0, -1e4, 1e4, -math.inf, big, -big, torch.finfo(dtype).tiny], dtype=dtype
    )
    layout = draw(st.sampled_from(["plain", "strided", "transposed", "expanded"]))
    if layout == "expanded":
        logits = pool[torch.randint(len(pool), (shape[-1],), generator=generator)].expand(shape)
    elif layout == "strided":
        logits = pool[torch.randint(len(pool), (*shape, 2), generator=generator)][..., 1]
    elif layout == "transposed":
        logits = pool[torch.randint(len(pool), shape[::-1], generator=generator)].permute(
            *range(len(shape))[::-1]
        )
    else:
        logits = pool[torch.randint(len(pool), shape, generator=generator)]
    mask = None
    if draw(st.booleans()):
        sizes = [size if draw(st.booleans()) else 1 for size in shape][draw(st.integers(0, len(shape))) :]
        mask = torch.rand(sizes, generator=generator) < 0.6
    tau = draw(st.sampled_from([0.0, 1e-40, 1e-8, 0.1, 1.0, 50.0, 1e30, math.inf, "0-dim", "rows", "column"]))
    if isinstance(tau, str):
        rows = list(shape)
        rows[dim] = 1
        tau = torch.rand(rows, generator=generator) + 0.05
        tau = tau.squeeze(dim) if tau.dim() and draw(st.booleans()) else tau
        if len(shape) == 1:
            tau = tau.reshape(())
    return logits, dim, mask, tau


@settings(max_examples=300, deadline=None)
@given(problems(), st.integers(0, 2**64), st.booleans())
def test_outputs_and_gradients(problem, seed, hard):
    logits, dim, mask, tau = problem
    x = logits.detach().requires_grad_()
    y = sd.gumbel_softmax(x, tau, hard, dim=dim, mask=mask, key=sd.Key(seed))
    assert y.shape == logits.shape
    assert y.dtype == logits.dtype
    allowed = logits != -math.inf
    if mask is not None:
        allowed = allowed & mask
    assert bool(torch.isfinite(y).all())
    assert bool((y >= 0).all())
    assert not bool(y[~allowed].any())
    some = allowed.any(dim)
    eps = torch.finfo(logits.dtype).eps
    assert bool(((y.double().sum(dim)[some] - 1).abs() <= logits.shape[dim] * eps).all())
    assert not bool(y.sum(dim)[~some].any())
    (grad,) = torch.autograd.grad(y, x, torch.ones_like(y))
    assert not bool(grad.isnan().any())
    assert not bool(grad[~allowed].any())


@settings(max_examples=100, deadline=None)
@given(problems(), st.integers(0, 2**64))
def test_the_three_draws_are_one(problem, seed):
    logits, dim, mask, _ = problem
    key = sd.Key(seed)
    index = sd.gumbel_max(logits, dim, mask=mask, key=key)
    hard = sd.gumbel_softmax(logits, hard=True, dim=dim, mask=mask, key=key)
    drawn = index >= 0
    assert torch.equal(hard.argmax(dim)[drawn], index[drawn])
    soft = sd.gumbel_softmax(logits, 0.5, dim=dim, mask=mask, key=key)
    # In a half type the two best may round to one value, so: nothing is above the winner.
    best = soft.gather(dim, index.clamp(min=0).unsqueeze(dim)).squeeze(dim)
    assert bool((best == soft.amax(dim))[drawn].all())


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([-(2.0**20), -1.0, 1.0, 2.0**20]), st.booleans())
def test_adding_a_constant_changes_nothing(seed, constant, hard):
    # The logits are multiples of 1/8, so that the sum is exact.
    logits = torch.randint(-40, 40, (6, 7), generator=torch.Generator().manual_seed(seed)) / 8
    one, other = (sd.gumbel_softmax(x, 0.4, hard, key=sd.Key(seed)) for x in (logits, logits + constant))
    assert torch.equal(one, other)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.permutations(range(5)))
def test_rows_are_permuted_with_their_keys(seed, order):
    logits = torch.randn(5, 6, generator=torch.Generator().manual_seed(seed))
    key = sd.Key(seed)
    whole = sd.gumbel_softmax(logits, 0.6, key=key)
    for row in order:
        assert torch.equal(sd.gumbel_softmax(logits[row], 0.6, key=key.rows(row)), whole[row])


@settings(max_examples=60, deadline=None)
@given(problems(), st.integers(0, 2**64))
def test_sigmoid(problem, seed):
    logits, _, mask, _ = problem
    for tau in (0.0, 1e-40, 0.5, math.inf):
        for hard in (False, True):
            x = logits.detach().requires_grad_()
            y = sd.gumbel_sigmoid(x, tau, hard, mask=mask, key=sd.Key(seed))
            assert bool(((y >= 0) & (y <= 1)).all())
            assert not bool(torch.autograd.grad(y, x, torch.ones_like(y))[0].isnan().any())
