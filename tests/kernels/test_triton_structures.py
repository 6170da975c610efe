"""The Triton programs of orders, subsets and matchings against plain PyTorch: on a card, or interpreted.

Small, because Triton's interpreter takes milliseconds for a row. ``test_triton.py`` runs them without a card.
"""

import math

import pytest
import torch

import softdraw as sd
from softdraw.kernels import dispatch, reference
from softdraw.kernels.structures import matching_operations, subset_recursion

from .backends import backend

pytestmark = pytest.mark.gpu
WIDE = (torch.float32, torch.float64)
CLOSE = {torch.float32: 2e-5, torch.float64: 1e-11}


def normal(*shape, dtype=torch.float64, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@pytest.fixture
def triton(monkeypatch):
    """The backend and its device; on the CPU what asks for programs gets them, interpreted."""
    with backend("triton") as (module, device):
        if device.type == "cpu":
            monkeypatch.setattr(dispatch, "programs_of", lambda tensor: module.structures)
        yield module, device


@pytest.fixture
def plain(monkeypatch):
    """What runs without programs, on the CPU and without the C loops."""

    def compute(function, *arguments):
        with monkeypatch.context() as patch:
            patch.setattr(dispatch, "programs_of", lambda tensor: None)
            return function(*arguments)

    return compute


@pytest.mark.parametrize("dtype", [*WIDE, torch.bfloat16])
@pytest.mark.parametrize(("classes", "k"), [(1, 1), (10, 10), (100, 7), (4100, 3), (9000, 2), (70, 65)])
def test_orders(triton, dtype, classes, k):
    module, device = triton
    logits = normal(3, classes, dtype=dtype) * 3
    mask = normal(3, classes, seed=1) > -0.7
    mask[2] = torch.arange(classes) < 2  # fewer than k
    for allowed in (None, mask):
        there = None if allowed is None else allowed.to(device)
        found = module.top_k(logits.to(device), there, 7, 9, 2, k).cpu()
        assert torch.equal(found, reference.top_k(logits, allowed, 7, 9, 2, k))


def test_orders_of_rows_that_have_none(triton):
    module, device = triton
    logits = normal(4, 20, dtype=torch.float32)
    logits[0, 3], logits[1, 5], logits[2] = math.nan, math.inf, -math.inf
    logits[3] = torch.where(torch.arange(20) == 4, 3e38, -3e38)  # a difference that overflows
    found = module.top_k(logits.to(device), None, 1, 2, 1, 4).cpu()
    assert torch.equal(found, reference.top_k(logits, None, 1, 2, 1, 4))
    assert (found[0, :3] == -1).all()
    assert (found[0, 3] >= 0).all()


@pytest.mark.parametrize("dtype", WIDE)
@pytest.mark.parametrize(("n", "k", "tau"), [(1, 1, 1.0), (12, 5, 0.3), (12, 5, 0.01), (4100, 10, 1.0)])
def test_entropic(triton, plain, dtype, n, k, tau):
    _, device = triton
    x, grad = normal(3, n, dtype=dtype), normal(3, n, seed=1, dtype=dtype)
    if n > k + 2:
        x[1, 0] = -math.inf
    x = x.to(device).requires_grad_()
    y = sd.topk.entropic(x, k, tau)
    z = x.detach().cpu().requires_grad_()
    expected = plain(sd.topk.entropic, z, k, tau)
    torch.testing.assert_close(y.cpu(), expected, rtol=CLOSE[dtype], atol=CLOSE[dtype])
    (found,), (wanted,) = (
        torch.autograd.grad(one, leaf, grad.to(one.device)) for one, leaf in ((y, x), (expected, z))
    )
    torch.testing.assert_close(found.cpu(), wanted, rtol=50 * CLOSE[dtype], atol=50 * CLOSE[dtype])


@pytest.mark.parametrize("dtype", WIDE)
@pytest.mark.parametrize(
    ("n", "k", "scale"), [(1, 0, 1.0), (1, 1, 1.0), (9, 4, 3.0), (9, 9, 80.0), (7, 3, 80.0)]
)
def test_subsets(triton, plain, dtype, n, k, scale):
    _, device = triton
    x = normal(4, n, dtype=dtype) * scale
    x[1] = -math.inf  # too few items
    x[2, 0] = math.nan
    direction = normal(4, n, seed=1, dtype=dtype)

    def both(x, direction):
        items = subset_recursion.items_of(x, k)
        sums, means = subset_recursion.sums(items, k), subset_recursion.backwards(items, k, None)
        return sums, means, subset_recursion.backwards(items, k, direction)

    found = both(x.to(device), direction.to(device))
    for one, expected in zip(found, plain(both, x, direction), strict=True):
        torch.testing.assert_close(
            one.cpu(), expected, rtol=CLOSE[dtype], atol=CLOSE[dtype] * scale, equal_nan=True
        )


@pytest.mark.parametrize("dtype", WIDE)
@pytest.mark.parametrize(("n", "m"), [(1, 1), (3, 3), (5, 7), (6, 4)])
def test_sinkhorn(triton, plain, dtype, n, m):
    _, device = triton
    x = normal(4, n, m, dtype=dtype) / 0.3
    masses = torch.full((4, n), m / n, dtype=dtype)
    x[1, :, -1] = -math.inf  # padding
    masses[1] *= (m - 1) / m
    if n > 1:
        masses[2, -1] = 0.0
        masses[2, :-1] = m / (n - 1)
    x[3, 0, 0] = math.nan
    for most, tolerance in ((20, -1.0), (60, 1e-3)):
        found = [
            one.cpu()
            for one in matching_operations._iterated_on(x.to(device), masses.to(device), most, tolerance)
        ]
        expected = plain(matching_operations._iterated_on, x, masses, most, tolerance)
        for one, other in zip(found[:2], expected[:2], strict=True):
            torch.testing.assert_close(
                one, other, rtol=CLOSE[dtype] * 20, atol=CLOSE[dtype] * 20, equal_nan=True
            )
        assert bool(((found[2] - expected[2]).abs()[:3] <= 1).all())
        assert found[2][3] == 0 or tolerance < 0  # nothing is iterated for NaN


def test_what_is_too_large_is_left_to_pytorch(triton):
    module, _ = triton
    x = torch.zeros(1, 65, 65)
    assert module.structures.sinkhorn(x, torch.ones(1, 65), 3, 0.1) is None
    p = torch.full((1, 3000), 0.5)
    assert module.structures.subsets(p, p, 2000, None, True) is None
