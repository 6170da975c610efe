"""The C loops of a vocabulary's tile against their definition in PyTorch."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from softdraw.kernels import reference
from softdraw.kernels.vocabulary import mixture, mixture_backward, mixture_draw, mixture_formulas

from .backends import INSTRUCTIONS, instructions

KEY = (0x123456789ABCDEF, 2**63 - 2)
KINDS = [
    ("st-gumbel-softmax", False),
    ("st", True),
    ("reinmax", True),
    ("entropy-weighted", True),
    ("none", True),
]


def tile(rows, classes, dtype, seed, special=0.0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, classes, generator=generator, dtype=torch.float64).mul(3).to(dtype)
    pool = torch.tensor(
        [-math.inf, math.nan, math.inf, torch.finfo(dtype).max, -torch.finfo(dtype).max], dtype=dtype
    )
    odd = torch.rand(rows, classes, generator=generator) < special
    picked = pool[torch.randint(len(pool), (rows, classes), generator=generator)]
    g = torch.randn(rows, classes, generator=generator, dtype=torch.float64).to(dtype)
    return torch.where(odd, picked, x), g


def both_ways(module, rows, dtype, parts, *, estimator, tau, bias, mask, special=0.0, start=0):
    """All that a few tiles leave behind, forward and backward."""
    noisy, reinmax, entropy = (
        estimator == name for name in ("st-gumbel-softmax", "reinmax", "entropy-weighted")
    )
    state = mixture_formulas.new_state(rows, torch.float64, torch.device("cpu"))
    index = torch.full((rows,), -1)
    factor = torch.empty(rows, 2, dtype=dtype)
    kept = []
    for number, classes in enumerate(parts):
        x, _ = tile(rows, classes, dtype, number, special)
        second = torch.empty_like(x) if reinmax else None
        b = torch.linspace(-1, 1, classes, dtype=dtype) if bias else None
        m = {None: None, "row": x[:1] > -3, "all": x > -1}[mask]
        module.forward_tile(
            x, second, b, m, tau, state, index, factor, KEY, start + sum(parts[:number]),
            first=number == 0, noisy=noisy, quiet=estimator == "none", entropy=entropy,
        )  # fmt: skip
        kept += [x, factor.clone(), *([] if second is None else [second])]
    if not entropy:
        state[:, mixture_formulas.WEIGHTED] = 0.0
    index.masked_fill_(state[:, mixture_formulas.BAD] != 0, -1)
    means = torch.randn(rows, 3, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    tau_grad = None if reinmax else torch.zeros(rows, dtype=torch.float64)
    for number, classes in enumerate(parts):
        x, g = tile(rows, classes, dtype, number, special)
        b = torch.linspace(-1, 1, classes, dtype=dtype) if bias else None
        m = {None: None, "row": x[:1] > -3, "all": x > -1}[mask]
        module.backward_tile(
            x, g, b, m, tau, state, index, means, tau_grad, KEY, start + sum(parts[:number]),
            noisy=noisy, reinmax=reinmax, second=reinmax, weights=True,
        )  # fmt: skip
        kept += [x, g]
    usable = state[:, mixture_formulas.BAD] == 0
    return index, usable, [one[usable] for one in (*kept, state)], tau_grad


def assert_agree(name, rows, dtype, parts, tolerance=None, **options):
    with instructions(name) as module:
        ours = both_ways(module.mixture, rows, dtype, parts, **options)
    theirs = both_ways(mixture_formulas, rows, dtype, parts, **options)
    assert torch.equal(ours[1], theirs[1])
    assert torch.equal(ours[0], theirs[0])
    tolerance = tolerance or (1e-11 if dtype == torch.float64 else 2e-5)
    for one, two in zip(ours[2], theirs[2], strict=True):
        torch.testing.assert_close(one, two, rtol=tolerance, atol=tolerance)
    if ours[3] is not None:
        torch.testing.assert_close(ours[3], theirs[3], rtol=tolerance, atol=10 * tolerance)


@pytest.mark.parametrize("name", INSTRUCTIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("estimator", "own_tau"), KINDS)
@pytest.mark.parametrize(("bias", "mask"), [(False, None), (True, "row"), (True, "all")])
def test_tiles_agree(name, dtype, estimator, own_tau, bias, mask):
    tau = (
        torch.linspace(0.4, 2.0, 5, dtype=torch.float64)
        if own_tau
        else torch.full((5,), 0.7, dtype=torch.float64)
    )
    for parts in ((1,), (3, 5, 2), (257, 300), (1024, 1024, 777)):
        assert_agree(name, 5, dtype, parts, estimator=estimator, tau=tau, bias=bias, mask=mask)


@pytest.mark.parametrize("name", INSTRUCTIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("start", [1, 2, 3, 4, 2**33 - 2000])
def test_a_tile_may_begin_anywhere(name, dtype, start):
    tau = torch.ones(3, dtype=torch.float64)
    if start > 10:
        # the definition makes the noise of all classes before; the loops are held to a small part of it
        with instructions(name) as module:
            x = torch.zeros(3, 8, dtype=dtype)
            state = mixture_formulas.new_state(3, torch.float64, torch.device("cpu"))
            index, factor = torch.full((3,), -1), torch.empty(3, 2, dtype=dtype)
            rest = {"first": True, "noisy": True, "quiet": False, "entropy": False}
            module.mixture.forward_tile(x, None, None, None, tau, state, index, factor, KEY, start, **rest)
        assert ((index >= start) & (index < start + 8)).all()
        return
    assert_agree(
        name, 3, dtype, (5, 1500), estimator="st-gumbel-softmax", tau=tau, bias=True, mask=None, start=start
    )


@pytest.mark.parametrize("name", INSTRUCTIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("estimator", "own_tau"), KINDS)
def test_what_is_not_finite(name, dtype, estimator, own_tau):
    tau = torch.full((40,), 0.7, dtype=torch.float64)
    for special, mask in itertools.product((0.002, 0.3), (None, "all")):
        assert_agree(
            name,
            40,
            dtype,
            (5, 300, 40),
            estimator=estimator,
            tau=tau,
            bias=False,
            mask=mask,
            special=special,
        )


@pytest.mark.parametrize("name", INSTRUCTIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("estimator", "own_tau"), KINDS)
def test_extreme_temperatures(name, dtype, estimator, own_tau):
    tau = torch.tensor([0.0, 1e-300, 1e30, math.inf, 1.0], dtype=torch.float64)
    assert_agree(
        name, 5, dtype, (300, 40), estimator=estimator, tau=tau, bias=False, mask=None, tolerance=1e-4
    )


@pytest.mark.parametrize("name", INSTRUCTIONS)
@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(0, 9),
    parts=st.lists(st.integers(1, 90), min_size=1, max_size=4),
    double=st.booleans(),
    kind=st.sampled_from(KINDS),
    bias=st.booleans(),
    mask=st.sampled_from([None, "row", "all"]),
    special=st.sampled_from([0.0, 0.05]),
    start=st.integers(0, 9),
)
def test_any_tiles(name, rows, parts, double, kind, bias, mask, special, start):
    dtype = torch.float64 if double else torch.float32
    tau = torch.linspace(0.5, 1.5, rows, dtype=torch.float64)
    assert_agree(
        name, rows, dtype, parts, tolerance=1e-4, estimator=kind[0], tau=tau, bias=bias, mask=mask,
        special=special, start=start,
    )  # fmt: skip


def test_threads_give_the_same_bits():
    with instructions("generic") as module:
        found, before = [], torch.get_num_threads()
        try:
            for threads in (1, 2, 3):
                torch.set_num_threads(threads)
                tau = torch.linspace(0.4, 2.0, 33, dtype=torch.float64)
                options = {"estimator": "reinmax", "tau": tau, "bias": True, "mask": "all"}
                found.append(both_ways(module.mixture, 33, torch.float32, (900, 400), **options))
        finally:
            torch.set_num_threads(before)
    for other in found[1:]:
        assert torch.equal(found[0][0], other[0])
        assert all(torch.equal(one, two) for one, two in zip(found[0][2], other[2], strict=True))


def test_memory_that_a_loop_would_misread_is_refused():
    with instructions("generic") as module:
        x = torch.zeros(3, 8)
        state = mixture_formulas.new_state(3, torch.float64, torch.device("cpu"))
        rest = {"first": True, "noisy": True, "quiet": False, "entropy": False}
        factor, index, tau = torch.empty(3, 2), torch.full((3,), -1), torch.ones(3, dtype=torch.float64)
        with pytest.raises(ValueError, match="contiguous tensors on the CPU"):
            module.mixture.forward_tile(x.mT, None, None, None, tau, state, index, factor, KEY, 0, **rest)
        mask = torch.ones(8, 3, dtype=torch.bool).mT
        with pytest.raises(ValueError, match="mask: got one whose classes do not lie side by side"):
            module.mixture.forward_tile(x, None, None, mask, tau, state, index, factor, KEY, 0, **rest)


@pytest.mark.parametrize("estimator", ["st-gumbel-softmax", "st", "reinmax", "entropy-weighted", "none"])
def test_the_loops_over_tiles_are_the_same_without_c(estimator, monkeypatch):
    generator = torch.Generator().manual_seed(0)
    hidden, weight = (torch.randn(n, 6, generator=generator, dtype=torch.float64) for n in (7, 400))
    draw = mixture_draw.Draw(estimator, estimator != "st-gumbel-softmax", 0.6, None, (1, 2), 0)
    found = []
    for _ in range(2):
        value, index, centre, state = mixture.forward(hidden, weight, None, None, None, draw, True)
        needs = (True, True, False, False, False)
        grads = mixture_backward.backward(
            torch.ones_like(value), hidden, weight, None, None, None, draw, index, centre, state, needs
        )
        found.append((value, index, grads[0], grads[1]))
        monkeypatch.setattr(mixture_formulas, "backend_of", lambda tensor: reference)
    for one, two in zip(*found, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-11, atol=1e-11)
