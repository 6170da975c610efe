"""What other implementations got wrong: one test for each report, named after it."""

import math

import pytest
import torch
import torch.nn.functional as F

import softdraw as sd

from ..statistics import assert_frequencies

KEY = sd.Key(5)


def test_pytorch_22442_no_nan_in_a_million_rows():
    # exponential_() returned 0, whose logarithm is -inf
    for chunk in range(10):
        logits = torch.zeros(100_000, 4)
        assert bool(torch.isfinite(sd.gumbel_softmax(logits, 0.1, key=KEY.fold_in(chunk))).all())
        noise = sd.random.gumbel((400_000,), key=KEY.fold_in(chunk))
        assert bool(torch.isfinite(noise).all())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_pytorch_41663_half_precision_with_30152_classes(dtype):
    logits = torch.randn(20, 30_152).to(dtype)
    for hard in (False, True):
        y = sd.gumbel_softmax(logits, hard=hard, key=KEY)
        assert bool(torch.isfinite(y).all())
        # rounding to the half type is off by at most half an ulp an entry
        bound = 30_152 * torch.finfo(dtype).tiny + torch.finfo(dtype).eps
        assert bool(((y.double().sum(-1) - 1).abs() <= bound).all())


def test_pytorch_34372_half_precision_at_low_temperature():
    logits = torch.randn(500, 40).half().requires_grad_()
    for tau in (1.0, 1e-2, 1e-4, 1e-8):
        y = sd.gumbel_softmax(logits, tau, key=KEY)
        (grad,) = torch.autograd.grad(y[:, 0].float().sum(), logits)
        assert bool(torch.isfinite(y).all())
        assert not bool(grad.isnan().any())


def test_pytorch_103459_many_dims_along_dim_1():
    logits = torch.randn(2, 64, 24, 24)
    for hard in (False, True):
        y = sd.gumbel_softmax(logits, 0.5, hard, dim=1, key=KEY)
        assert bool(torch.isfinite(y).all())
        torch.testing.assert_close(y.sum(1), torch.ones(2, 24, 24))


def test_pytorch_101620_noise_is_never_infinite_on_the_cpu():
    for draw in (sd.random.gumbel, sd.random.exponential, sd.random.logistic):
        noise = draw((5_000_000,), key=KEY)
        assert bool(torch.isfinite(noise).all())
    assert bool((sd.random.exponential((5_000_000,), key=KEY) > 0).all())


def test_pytorch_184031_temperature_zero():
    y = sd.gumbel_softmax(torch.randn(30, 5), 0.0, key=KEY)
    assert bool(((y == 0) | (y == 1)).all())
    assert bool((y.sum(-1) == 1).all())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_hard_outputs_are_exactly_zero_or_one(dtype):
    # 20 of 6 million entries were not in torch's float16
    logits = torch.randn(20_000, 30).to(dtype)
    for source in ({"key": KEY}, {"noise": sd.random.gumbel(logits.shape, key=KEY)}):
        y = sd.gumbel_softmax(logits, 0.3, True, **source)
        assert bool(((y == 0) | (y == 1)).all())
        assert bool((y.sum(-1) == 1).all())


def test_an_all_minus_infinity_row():
    logits = torch.full((2, 3), -math.inf, requires_grad=True)
    for hard in (False, True):
        y = sd.gumbel_softmax(logits, hard=hard)
        assert not bool(y.any())
        assert not bool(torch.autograd.grad(y.sum(), logits)[0].any())
    assert sd.gumbel_max(logits).tolist() == [-1, -1]


def test_pytorch_114107_generator():
    logits = torch.randn(10, 5)
    first = sd.gumbel_softmax(logits, generator=torch.Generator().manual_seed(3))
    assert torch.equal(first, sd.gumbel_softmax(logits, generator=torch.Generator().manual_seed(3)))


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # raised inside torch's compiler
def test_pytorch_145470_and_148838_compiled_and_eager_draws_agree():
    torch._dynamo.reset()
    logits = torch.randn(30, 7)
    compiled = torch.compile(lambda x, k: sd.gumbel_softmax(x, 0.5, True, key=k), fullgraph=True)
    assert torch.equal(compiled(logits, KEY), sd.gumbel_softmax(logits, 0.5, True, key=KEY))


def test_pytorch_190758_recomputation_makes_the_same_noise():
    logits = torch.randn(30, 7, requires_grad=True)
    weight = torch.randn(30, 7)

    def draw(x):
        return sd.gumbel_softmax(x, 0.5)

    torch.manual_seed(1)
    y = torch.utils.checkpoint.checkpoint(draw, logits, use_reentrant=False)
    (recomputed,) = torch.autograd.grad(y, logits, weight)
    torch.manual_seed(1)
    (plain,) = torch.autograd.grad(draw(logits), logits, weight)
    assert torch.equal(recomputed, plain)


@pytest.mark.parametrize("budget", [0.0, 0.5, 1.0])
def test_pytorch_190758_a_partitioner_makes_the_noise_of_the_key_again(budget):
    # Without a key the seed is an operation of the graph, which torch 2.13 runs again in the backward at
    # budgets below 1, as it does with its own dropout: that is refused.
    from torch._functorch import config

    logits, weight = torch.randn(30, 7, requires_grad=True), torch.randn(30, 7)
    for key in (KEY, None) if budget == 1.0 else (KEY,):
        torch._dynamo.reset()
        with config.patch(activation_memory_budget=budget):
            compiled = torch.compile(
                lambda x, k: sd.gumbel_softmax(x, 0.5, key=k),
                fullgraph=True,
                backend="aot_eager_decomp_partition",
            )
            torch.manual_seed(1)
            (got,) = torch.autograd.grad(compiled(logits, key), logits, weight)
        torch.manual_seed(1)
        (want,) = torch.autograd.grad(sd.gumbel_softmax(logits, 0.5, key=key), logits, weight)
        torch.testing.assert_close(got, want)
    if budget < 1.0:
        torch._dynamo.reset()
        with config.patch(activation_memory_budget=budget):
            compiled = torch.compile(lambda x: sd.gumbel_softmax(x), fullgraph=True, backend="aot_eager")
            with pytest.raises(RuntimeError, match="activation_memory_budget"):
                compiled(logits)
            with torch.no_grad():
                assert compiled(logits).shape == logits.shape


# torch's own tests of F.gumbel_softmax (test/test_nn.py), with the function replaced by ours


def test_torch_shapes():
    for shape, dim in [((5,), -1), ((5,), 0), ((5, 4), -1), ((5, 4), 0), ((5, 4), 1), ((5, 4, 3), 1)]:
        for hard in (False, True):
            logits = torch.randn(shape, requires_grad=True)
            y = sd.gumbel_softmax(logits, hard=hard, dim=dim)
            assert y.shape == logits.shape
            torch.testing.assert_close(y.sum(dim), torch.ones(y.sum(dim).shape))
            assert bool((y >= 0).all())


@pytest.mark.parametrize("dim", [-1, 0])
def test_torch_straight_through_counts(dim):
    draws = 1000
    counts = torch.zeros(2, 3)
    logits = torch.tensor([[0.2, 0.8, 0.1], [0.3, 0.1, 0.6]]).log()
    torch.manual_seed(0)
    for _ in range(draws):
        counts += sd.gumbel_softmax(logits, hard=True, dim=dim)
    rows = counts.movedim(dim, -1)
    for row, probs in zip(rows, logits.movedim(dim, -1).softmax(-1), strict=True):
        assert_frequencies(row, probs, comparisons=len(rows))


def test_torch_straight_through_gradient():
    logits = torch.randn(6, 5, requires_grad=True)
    weight = torch.randn(6, 5)
    noise = sd.random.gumbel((6, 5), key=KEY)
    (got,) = torch.autograd.grad(sd.gumbel_softmax(logits, 0.6, True, key=KEY), logits, weight)
    soft = F.softmax((logits + noise) / 0.6, -1)
    (want,) = torch.autograd.grad(soft, logits, weight)
    torch.testing.assert_close(got, want)
