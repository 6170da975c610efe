"""Each backend against the reference: the same bits of the uniforms, the same indices, close values."""

import math

import pytest
import torch

from softdraw.kernels import reference

from .backends import BACKENDS, backend

SEED, OFFSET = 0x123456789ABCDEF, 2**40 + 3
DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]
CLASSES = [1, 2, 5, 10, 16, 33, 100, 1000, 2048, 2049, 5000]


def wide(dtype):
    return torch.float64 if dtype == torch.float64 else torch.float32


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(2, 37, 1003), (1, 3, 9001), (3, 50, 1)])
def test_uniforms_have_the_same_bits(name, dtype, shape):
    # Enough elements that some of them take their low word into account: 1 in 32,768 does.
    with backend(name) as (module, device):
        got = module.noise("uniform", *shape, SEED, OFFSET, dtype, device).cpu()
    expected = reference.noise("uniform", *shape, SEED, OFFSET, dtype, torch.device("cpu"))
    assert torch.equal(got, expected)


@pytest.mark.parametrize("name", BACKENDS)
def test_the_rare_low_words_are_the_same(name):
    shape = (1, 100, 10_000)
    expected = reference.noise("uniform", *shape, 5, 0, torch.float32, torch.device("cpu"))
    refined = expected < 2.0**-16
    assert int(refined.sum()) > 5  # 15 expected
    with backend(name) as (module, device):
        got = module.noise("uniform", *shape, 5, 0, torch.float32, device).cpu()
    assert torch.equal(got[refined], expected[refined])


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("law", ["gumbel", "exponential", "logistic"])
def test_noise_agrees_to_four_ulp(name, dtype, law):
    with backend(name) as (module, device):
        got = module.noise(law, 2, 20, 1003, SEED, OFFSET, dtype, device).cpu()
    expected = reference.noise(law, 2, 20, 1003, SEED, OFFSET, dtype, torch.device("cpu"))
    eps = torch.finfo(dtype).eps
    # Near 0 these two laws are differences of numbers of size 1, so their unit there is that of 1.
    floor = 0.0 if law == "exponential" else 1.0
    assert bool(((got - expected).abs() <= 4 * eps * expected.abs().clamp(min=floor)).all())


def assert_same_order(order, logits, mask, k):
    """The order of the reference, but for classes whose scores are within 4 ulp of each other."""
    expected = reference.top_k(logits, mask, 7, 9, 2, k)
    assert torch.equal(order == -1, expected == -1)
    rows, classes = logits.shape
    dtype = wide(logits.dtype)
    noise = reference.noise("gumbel", 2, rows, classes, 7, 9, dtype, logits.device)
    score = logits.to(dtype) - logits.to(dtype).amax(-1, keepdim=True) + noise
    ours, theirs = (score.gather(-1, one.clamp(min=0)) for one in (order, expected))
    some, slack = order >= 0, 4 * torch.finfo(dtype).eps
    torch.testing.assert_close(ours[some], theirs[some], rtol=slack, atol=slack)
    assert all(len(set(row)) == k for row in order[some.all(-1)].tolist())


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", CLASSES)
def test_draws_agree(name, dtype, classes):
    generator = torch.Generator().manual_seed(classes)
    logits = (torch.randn(11, classes, generator=generator) * 3).to(dtype)
    every = torch.rand(11, classes, generator=generator) < 0.8
    grad = torch.randn(11, classes, generator=generator).to(dtype)
    column = (torch.rand(11, generator=generator) + 0.2).to(wide(dtype))
    with backend(name) as (module, device):
        x, g = logits.to(device), grad.to(device)
        for mask in (None, every, every[:1].expand(11, classes)):
            m = None if mask is None else mask.to(device)
            assert torch.equal(module.index(x, m, 7, 9, 3).cpu(), reference.index(logits, mask, 7, 9, 3))
            for k in {0, 1, min(5, classes), min(classes, 300)}:
                assert_same_order(module.top_k(x, m, 7, 9, 2, k).cpu(), logits, mask, k)
            assert torch.equal(module.hard(x, m, 7, 9).cpu(), reference.hard(logits, mask, 7, 9))
            for tau in (1.0, 0.1, 0.0, math.inf, column):
                t = tau.to(device) if isinstance(tau, torch.Tensor) else tau
                expected = reference.soft(logits, mask, tau, 7, 9)
                soft = module.soft(x, m, t, 7, 9)
                torch.testing.assert_close(soft.cpu(), expected)
                torch.testing.assert_close(
                    module.soft_backward(g, expected.to(device), t).cpu(),
                    reference.soft_backward(grad, expected, tau),
                )
                # the gradient of the hard draw is that of the soft draw, to the bit
                assert torch.equal(module.hard_backward(g, x, m, t, 7, 9), module.soft_backward(g, soft, t))


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", [10, 5000])
def test_a_few_rows_agree(name, dtype, classes):
    """Every function once, in little, because Triton's interpreter takes milliseconds for a row.

    5000 classes are more than one block of a program.
    """
    generator = torch.Generator().manual_seed(classes)
    logits = (torch.randn(3, classes, generator=generator) * 3).to(dtype)
    mask = torch.rand(3, classes, generator=generator) < 0.8
    grad = torch.randn(3, classes, generator=generator).to(dtype)
    column = torch.tensor([1.3, 0.0, math.inf], dtype=wide(dtype))
    close = {torch.float32: 2e-6, torch.float64: 1e-14, torch.bfloat16: 1e-2, torch.float16: 1e-3}[dtype]
    with backend(name) as (module, device):
        x, m, g = logits.to(device), mask.to(device), grad.to(device)
        assert torch.equal(module.index(x, None, 7, 9, 2).cpu(), reference.index(logits, None, 7, 9, 2))
        assert_same_order(module.top_k(x, m, 7, 9, 2, 3).cpu(), logits, mask, 3)
        assert torch.equal(module.hard(x, m, 7, 9).cpu(), reference.hard(logits, mask, 7, 9))
        for tau in (0.7, column):
            t = tau.to(device) if isinstance(tau, torch.Tensor) else tau
            expected = reference.soft(logits, mask, tau, 7, 9)
            soft = module.soft(x, m, t, 7, 9)
            torch.testing.assert_close(soft.cpu(), expected)
            back = module.soft_backward(g, soft, t)
            torch.testing.assert_close(back.cpu(), reference.soft_backward(grad, soft.cpu(), tau))
            assert torch.equal(module.hard_backward(g, x, m, t, 7, 9), back)
        y, index = module.hard_with_index(x, m, 7, 9, None)
        for found, expected in zip(
            (y, index), reference.hard_with_index(logits, mask, 7, 9, None), strict=True
        ):
            assert torch.equal(found.cpu(), expected)
        torch.testing.assert_close(
            module.reinmax_backward(g, x, m, index, 1.3).cpu(),
            reference.reinmax_backward(grad, logits, mask, index.cpu(), 1.3),
            rtol=close,
            atol=close * 8,
        )
        torch.testing.assert_close(
            module.rao_backward(g, x, m, index, 0.7, 3, 5, 2, 1, False).cpu(),
            reference.rao_backward(grad, logits, mask, index.cpu(), 0.7, 3, 5, 2, 1, False),
            rtol=close * 8,
            atol=close * 40,
        )
        if dtype in (torch.float32, torch.float64):
            for law in ("gumbel", "logistic", "exponential", "uniform"):
                drawn = module.noise(law, 1, 2, classes, SEED, OFFSET, dtype, device).cpu()
                expected = reference.noise(law, 1, 2, classes, SEED, OFFSET, dtype, torch.device("cpu"))
                eps = torch.finfo(dtype).eps
                torch.testing.assert_close(drawn, expected, rtol=4 * eps, atol=4 * eps)


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", [1, 3, 10, 16, 17, 100, 2049])
def test_gradients_of_the_estimators_agree(name, dtype, classes):
    generator = torch.Generator().manual_seed(classes)
    logits = (torch.randn(11, classes, generator=generator) * 3).to(dtype)
    mask = torch.rand(11, classes, generator=generator) < 0.8
    mask[0] = False  # a row without classes
    logits[1, 0] = math.nan
    column = (torch.rand(11, generator=generator) + 0.2).to(wide(dtype))
    # sums over a row of numbers of size 1 cancel, so their rounding counts, not that of what is left
    close = {torch.float32: 2e-6, torch.float64: 1e-14, torch.bfloat16: 1e-2, torch.float16: 1e-3}[dtype]
    for samples in (None, 3):
        lead = () if samples is None else (samples,)
        grad = torch.randn(*lead, 11, classes, generator=generator).to(dtype)
        for m in (None, mask):
            y, index = reference.hard_with_index(logits, m, 7, 9, samples)
            arguments = [a if a is None else a.detach() for a in (grad, logits, m, index)]
            with backend(name) as (module, device):
                moved = [a if a is None else a.to(device) for a in arguments]
                got_y, got_index = module.hard_with_index(moved[1], moved[2], 7, 9, samples)
                assert torch.equal(got_index.cpu(), index)
                torch.testing.assert_close(got_y.cpu(), y, rtol=0, atol=0, equal_nan=True)
                for tau in (1.0, 0.5, 1.3, 0.05, 1e4, column):
                    t = tau.to(device) if isinstance(tau, torch.Tensor) else tau
                    found = module.reinmax_backward(*moved, t).cpu()
                    torch.testing.assert_close(
                        found, reference.reinmax_backward(*arguments, tau), rtol=close, atol=close * 8
                    )
                for number, tau in enumerate((1.0, 0.5, 1.3, column)):
                    t = tau.to(device) if isinstance(tau, torch.Tensor) else tau
                    # one draw and several groups of them, of Gumbel-Rao and of ReinMax-Rao
                    rest = (3, 5, *((1, 8, False), (11, 4, True))[(number + (m is None)) % 2])
                    torch.testing.assert_close(
                        module.rao_backward(*moved, t, *rest).cpu(),
                        reference.rao_backward(*arguments, tau, *rest),
                        rtol=close * 8,
                        atol=close * 40,
                    )


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_that_cannot_be_drawn(name, dtype):
    inf, nan = math.inf, math.nan
    logits = torch.tensor([[-inf] * 3, [0, nan, 0], [0, inf, 0], [nan, 0, inf], [0, -inf, 0]], dtype=dtype)
    mask = torch.tensor([[True] * 3, [True] * 3, [True] * 3, [False, True, False], [True] * 3])
    with backend(name) as (module, device):
        x, m = logits.to(device), mask.to(device)
        index = module.index(x, m, 0, 0, 1)[0].cpu()
        soft = module.soft(x, m, 0.5, 0, 0).cpu()
        hard = module.hard(x, m, 0, 0).cpu()
        back = module.hard_backward(torch.ones_like(x), x, m, 0.5, 0, 0).cpu()
    assert index[:4].tolist() == [-1, -1, -1, 1]
    for y in (soft, hard):
        assert y[0].tolist() == [0, 0, 0]
        assert bool(y[1:3].isnan().all())
        assert y[3].tolist() == [0, 1, 0]
        assert y[4, 1] == 0
    assert bool(torch.isfinite(back).all())


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_largest_finite_logits_and_gradients(name, dtype):
    big = torch.finfo(dtype).max
    logits = torch.tensor([[big, -big, 0.0], [-big, -big, -big], [big, big, big]], dtype=dtype)
    grad = torch.tensor([[big, -big, 0.0], [big, -big, big], [-big, big, 0.0]], dtype=dtype)
    with backend(name) as (module, device):
        x, g = logits.to(device), grad.to(device)
        for tau in (1e-40, 1e-8, 1.0, 1e8):
            y = module.soft(x, None, tau, 0, 0)
            assert bool(torch.isfinite(y).all())
            assert not bool(module.soft_backward(g, y, tau).isnan().any())


@pytest.mark.parametrize("name", ["avx512", "avx2", "generic"])
@pytest.mark.parametrize("classes", [17, 40, 65, 70, 300, 2049])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_search_by_bounds_finds_what_the_full_search_finds(name, classes, dtype):
    """Where rows are long, the index draw makes the noise of few classes only; here all of it is made."""
    rows = (600_000 if name != "generic" else 100_000) // classes
    generator = torch.Generator().manual_seed(classes)
    plain = torch.randn(rows, classes, generator=generator)
    mask = torch.rand(rows, classes, generator=generator) < 0.5
    # equal classes, where the best score is often low and its bound loose; one far ahead; ties of rounding
    cases = (plain * 0, plain, plain * 30, plain * 1e30, plain + 1e6, plain.round(), plain.sort(-1).values)
    with backend(name) as (module, device):
        noise = module.noise("gumbel", 1, rows, classes, SEED, OFFSET, torch.float32, device)[0]
        for logits in cases:
            x = logits.to(dtype)
            for m in (None, mask):
                kept = x.float() if m is None else x.float().masked_fill(~m, -math.inf)
                top = kept.amax(-1, keepdim=True)
                expected = ((kept - top) + noise).argmax(-1)
                expected[top.squeeze(-1) == -math.inf] = -1
                assert torch.equal(module.index(x, m, SEED, OFFSET, 1)[0], expected)


def test_memory_of_the_last_row_is_not_overrun():
    # The rows lie inside a larger buffer, whose other elements must keep their value.
    with backend("generic") as (module, _):
        extension = module._native
        for classes in (1, 3, 7, 15, 17, 31):
            buffer = torch.full((4 * classes + 64,), 7.0)
            out = buffer[32 : 32 + 4 * classes].view(4, classes)
            x = torch.zeros(4, classes)
            for instructions in ("generic", "avx2", "avx512"):
                if extension.use_instructions(instructions):
                    module._run(module._SOFT, 0, 1, 4, classes, 1, out=out, values=x)
                    assert bool((buffer[:32] == 7).all())
                    assert bool((buffer[32 + 4 * classes :] == 7).all())


def test_threads_change_nothing():
    with backend("generic") as (module, _):
        logits = torch.randn(300, 1000)
        before = torch.get_num_threads()
        results = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            results.append(module.soft(logits, None, 0.7, 3, 4))
        torch.set_num_threads(before)
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


@pytest.mark.parametrize("name", ["reference", *BACKENDS])
@pytest.mark.parametrize("samples", [None, 2])
def test_results_lie_where_the_logits_do(name, samples):
    """Whatever torch's default device is: memory of another device is not to be written."""
    logits = torch.randn(6, 33, generator=torch.Generator().manual_seed(0))
    mask = torch.rand(6, 33, generator=torch.Generator().manual_seed(1)) < 0.8
    lead = () if samples is None else (samples,)
    grad = torch.randn(*lead, 6, 33, generator=torch.Generator().manual_seed(2))
    with backend(name) as (module, device):
        x, m, g = logits.to(device), mask.to(device), grad.to(device)

        def everything():
            drawn, index = module.hard_with_index(x, m, 1, 2, samples)
            yield drawn
            yield index
            yield module.noise("gumbel", 2, 3, 5, 1, 2, torch.float32, device)
            yield module.index(x, m, 1, 2, samples or 1)
            yield module.top_k(x, m, 1, 2, samples or 1, 5)
            yield module.hard(x, m, 1, 2)
            y = module.soft(x, m, 0.7, 1, 2)
            yield y
            first = g if samples is None else g[0]
            yield module.soft_backward(first, y, 0.7)
            yield module.hard_backward(first, x, m, 0.7, 1, 2)
            yield module.reinmax_backward(g, x, m, index, 1.3)
            yield module.rao_backward(g, x, m, index, 0.5, 3, 4, 5, 2, True)

        expected = list(everything())
        with torch.device("meta"):
            found = list(everything())
        for one, other in zip(found, expected, strict=True):
            assert one.device == x.device
            assert torch.equal(one, other)


@pytest.mark.parametrize("name", ["reference", *BACKENDS])
def test_strides_change_nothing(name):
    """A hook on saved tensors, a transposed upstream gradient: what comes back is the same and contiguous."""

    def strided(tensor):
        return tensor.mT.contiguous().mT

    generator = torch.Generator().manual_seed(0)
    logits, grad = (torch.randn(9, 33, generator=generator) for _ in range(2))
    mask = torch.rand(9, 33, generator=generator) < 0.8
    tau = torch.rand(9, 2, generator=generator)[:, 0] + 0.2
    with backend(name) as (module, device):
        x, m, g, t = (value.to(device) for value in (logits, mask, grad, tau))
        index = module.index(x, m, 1, 2, 1)[0]
        results = []
        for change in (lambda tensor: tensor.contiguous(), strided):
            a = [change(value) for value in (x, m, g)]
            row = t if change is strided else t.contiguous()
            results.append(
                [
                    module.index(a[0], a[1], 1, 2, 2),
                    module.top_k(a[0], a[1], 1, 2, 2, 5),
                    module.soft(a[0], a[1], row, 1, 2),
                    module.soft_backward(a[2], a[0].softmax(-1), row),
                    module.hard(a[0], a[1], 1, 2),
                    *module.hard_with_index(a[0], a[1], 1, 2, None),
                    module.hard_backward(a[2], a[0], a[1], row, 1, 2),
                    module.reinmax_backward(a[2], a[0], a[1], index, row),
                    module.rao_backward(a[2], a[0], a[1], index, row, 3, 4, 5, 2, False),
                ]
            )
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)
        if name != "reference":
            assert other.is_contiguous()


@pytest.mark.parametrize("name", ["reference", *BACKENDS])
def test_top_k_of_rows_with_few_classes_or_none(name):
    nothing, huge = -math.inf, 3e38
    rows = [
        [0.0, nothing, 1.0, nothing],
        [nothing] * 4,
        [0.0, math.nan, 1.0, 2.0],
        [0.0, math.inf, 1.0, 2.0],
        [huge, -huge, -huge, nothing],
    ]
    with backend(name) as (module, device):
        order = module.top_k(torch.tensor(rows, device=device), None, 3, 0, 1, 3)[0].cpu()
    assert sorted(order[0].tolist()) == [-1, 0, 2]
    assert order[0, 2] == -1
    assert order[1:4].tolist() == [[-1] * 3] * 3
    assert order[4].tolist() == [0, 1, 2]  # allowed, however far away
