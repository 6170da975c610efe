"""Relaxed top-k: each relaxation against its definition in float64, at every scale and size."""

import pytest
import torch

import softdraw as sd

KEY = sd.Key(78)
METHODS = ("entropic", "successive", "sparse")
SIZES = [(1, 1), (2, 1), (5, 2), (20, 19), (1000, 10), (1000, 500)]


def scores(rows, n, seed=0, dtype=torch.float64):
    return torch.randn(rows, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def shifted(x, k, weight):
    """The ν of Σ weight(x - ν) = k, by bisection: slow, and nothing else."""
    low, high = x.min(-1, keepdim=True).values - 50, x.max(-1, keepdim=True).values + 50
    for _ in range(100):
        middle = (low + high) / 2
        much = weight(x - middle).sum(-1, keepdim=True) > k
        low, high = torch.where(much, middle, low), torch.where(much, high, middle)
    return weight(x - low)


DEFINITIONS = {
    "entropic": lambda x, k: shifted(x, k, torch.sigmoid),
    "sparse": lambda x, k: shifted(x, k, lambda v: v.clamp(0, 1)),
}


def naive_successive(x, k, tau):
    total = torch.zeros_like(x)
    for _ in range(k):
        p = (x / tau).softmax(-1)
        x = x + tau * torch.log1p(-p)
        total = total + p
    return total


@pytest.mark.parametrize(("n", "k"), SIZES[1:])
@pytest.mark.parametrize("tau", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("method", DEFINITIONS)
def test_the_definition(method, n, k, tau):
    x = scores(20, n)
    exact = DEFINITIONS[method](x / tau, k)
    torch.testing.assert_close(getattr(sd.topk, method)(x, k, tau), exact, atol=1e-12, rtol=0)
    single = getattr(sd.topk, method)(x.float(), k, tau)
    torch.testing.assert_close(single.double(), exact, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("n", "k"), [(5, 2), (20, 5)])
@pytest.mark.parametrize("tau", [0.5, 1.0, 10.0])
def test_successive_is_the_published_recursion(n, k, tau):
    x = scores(50, n)
    torch.testing.assert_close(sd.topk.successive(x, k, tau), naive_successive(x, k, tau), atol=1e-12, rtol=0)


def test_successive_exceeds_one_and_the_others_do_not():
    x = scores(2000, 20) + sd.random.gumbel((2000, 20), key=KEY, dtype=torch.float64)
    assert (sd.topk.successive(x, 5) > 1.5).any()
    for method in ("entropic", "sparse"):
        y = getattr(sd.topk, method)(x, 5)
        assert bool(((y >= 0) & (y <= 1)).all())


@pytest.mark.parametrize("tau", [0.01, 1e-4])
def test_successive_is_finite_where_the_published_recursion_is_not(tau):
    x = scores(200, 20).requires_grad_()
    (naive,) = torch.autograd.grad((naive_successive(x, 5, tau) * x.detach()).sum(), x)
    assert not naive.isfinite().all()
    y = sd.topk.successive(x, 5, tau)
    (grad,) = torch.autograd.grad((y * x.detach()).sum(), x)
    assert y.isfinite().all()
    assert grad.isfinite().all()


@pytest.mark.parametrize(("n", "k"), [*SIZES, (100_000, 10), (100_000, 50_000)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("method", METHODS)
def test_sum_and_gradients_at_every_temperature(method, n, k, dtype):
    if method == "successive" and k > 20:
        pytest.skip("its work is O(n k), in k steps")
    for tau in (1e-6, 1e-3, 0.1, 1.0, 1e3, 1e9):
        x = scores(2, n, dtype=dtype).requires_grad_()
        t = torch.tensor(tau, dtype=dtype, requires_grad=True)
        y = getattr(sd.topk, method)(x, k, t)
        total = y.sum(-1, dtype=torch.float64)
        torch.testing.assert_close(
            total, torch.full_like(total, k), rtol=2e-6 if dtype == torch.float32 else 1e-12, atol=0
        )
        grads = torch.autograd.grad((y * torch.linspace(-1, 1, n, dtype=dtype)).sum(), (x, t))
        assert all(grad.isfinite().all() for grad in grads)


@pytest.mark.parametrize("tau", [0.05, 0.7, 20.0])
def test_the_gradient_of_entropic_is_implicit(tau):
    x = scores(4, 9)
    y = sd.topk.entropic(x, 3, tau)
    s = y * (1 - y)
    exact = (s.diag_embed() - s.unsqueeze(-1) * s.unsqueeze(-2) / s.sum(-1)[:, None, None]) / tau
    found = torch.func.vmap(torch.func.jacrev(lambda row: sd.topk.entropic(row, 3, tau)))(x)
    torch.testing.assert_close(found, exact, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_first_and_second_derivatives(method):
    x, tau = (
        scores(3, 6).requires_grad_(),
        torch.tensor([0.4, 0.7, 2.0], dtype=torch.float64, requires_grad=True),
    )

    def relaxed(x, tau):
        return getattr(sd.topk, method)(x, 2, tau)

    assert torch.autograd.gradcheck(relaxed, (x, tau))
    assert torch.autograd.gradgradcheck(relaxed, (x, tau))


@pytest.mark.parametrize("method", METHODS)
def test_limits(method):
    relax = getattr(sd.topk, method)
    x = torch.tensor([1.0, 3.0, 2.0, 3.0, 0.0], requires_grad=True)
    for k, hot in (
        (0, [0.0] * 5),
        (1, [0.0, 1.0, 0.0, 0.0, 0.0]),
        (3, [0.0, 1.0, 1.0, 1.0, 0.0]),
        (5, [1.0] * 5),
    ):
        y = relax(x, k, 0.0)
        assert y.tolist() == hot
        assert torch.autograd.grad(y.sum(), x)[0].tolist() == [0.0] * 5
        torch.testing.assert_close(relax(x, k, torch.inf), torch.full((5,), k / 5))
        assert relax(x, k, hard=True).tolist() == hot
    soft, hard = (
        torch.autograd.grad((relax(x, 2, 0.7, h) * torch.arange(5)).sum(), x)[0] for h in (False, True)
    )
    assert torch.equal(soft, hard)


@pytest.mark.parametrize("method", METHODS)
def test_extreme_scores(method):
    relax = getattr(sd.topk, method)
    for x in (
        [80.0, -80.0, 80.0, -80.0],
        [1e30, -1e30, 0.0, 1.0],
        [3e38, -3e38, -1.0, 3e38],
        [1e6 + 1, 1e6, 1e6, 0.0],
    ):
        x = torch.tensor(x, requires_grad=True)
        y = relax(x, 2)
        assert y.isfinite().all()
        torch.testing.assert_close(y.sum(), torch.tensor(2.0))
        assert torch.autograd.grad((y * x.detach().sign()).sum(), x)[0].isfinite().all()
    for bad in (torch.nan, torch.inf):
        assert relax(torch.tensor([[0.0, bad, 1.0], [0.0, 1.0, 2.0]]), 2).isnan().tolist() == [
            [True] * 3,
            [False] * 3,
        ]


@pytest.mark.parametrize("method", METHODS)
def test_a_mask_takes_items_away(method):
    relax = getattr(sd.topk, method)
    x = scores(5, 6).requires_grad_()
    mask = torch.tensor([True, False, True, True, False, True])
    whole, kept = relax(x, 2, 0.5, mask=mask), relax(x[:, mask], 2, 0.5)
    torch.testing.assert_close(whole[:, mask], kept)
    assert bool((whole[:, ~mask] == 0).all())
    assert bool((torch.autograd.grad((whole * x.detach()).sum(), x)[0][:, ~mask] == 0).all())
    torch.testing.assert_close(relax(x.masked_fill(~mask, -torch.inf), 2, 0.5), whole)
    for k in (4, 5):
        assert relax(x, k, mask=mask).tolist() == [mask.double().tolist()] * 5
    assert bool((relax(x, 2, mask=torch.zeros(6, dtype=torch.bool)) == 0).all())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_rounded_at_the_end(method, dtype):
    x = scores(10, 30, dtype=dtype)
    y = getattr(sd.topk, method)(x, 4, 0.3)
    assert torch.equal(y, getattr(sd.topk, method)(x.float(), 4, 0.3).to(dtype))


def test_relaxed_top_k_is_topk_of_noisy_logits():
    logits = scores(6, 30, dtype=torch.float32)
    noise = sd.random.gumbel(logits.shape, key=KEY)
    for method in METHODS:
        y = sd.relaxed_top_k(logits, 3, 0.4, method=method, key=KEY)
        torch.testing.assert_close(y, getattr(sd.topk, method)(logits + noise, 3, 0.4), atol=1e-5, rtol=1e-4)
        hard = sd.relaxed_top_k(logits, 3, 0.4, True, method=method, key=KEY)
        drawn = sd.gumbel_top_k(logits, 3, key=KEY)
        assert torch.equal(hard, torch.zeros_like(hard).scatter(-1, drawn, 1.0))


@pytest.mark.parametrize("shift", [0.0, 1e6, -3e6])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_loop_and_the_definition_agree(dtype, shift, monkeypatch):
    """Also for logits so large that the noise would be lost in them."""
    logits = (torch.randint(-8, 8, (40, 30), generator=torch.Generator().manual_seed(0)) / 2).to(dtype)
    logits[0, 3:], logits[1, 2], logits[2, 4] = -torch.inf, torch.nan, -torch.inf
    logits = (logits + shift).requires_grad_()
    mask = torch.rand(40, 30, generator=torch.Generator().manual_seed(1)) < 0.8
    mask[0, :3] = mask[1, 2] = True
    tau = torch.linspace(0.05, 4.0, 40)
    weight = torch.rand(40, 30, generator=torch.Generator().manual_seed(2), dtype=dtype)

    def everything():
        found = []
        for hard in (False, True):
            for y in (
                sd.relaxed_top_k(logits, 5, 0.5, hard, key=sd.Key(0)),
                sd.relaxed_top_k(logits, 5, tau, hard, mask=mask, key=sd.Key(0)),
                sd.topk.entropic(logits, 5, 0.5, hard, mask=mask),
            ):
                found += [y.detach(), torch.autograd.grad((y * weight).sum(), logits)[0]]
        return found

    fused = everything()
    monkeypatch.setattr("softdraw.kernels.structures.entropic.is_plain", lambda x: False)
    for one, other in zip(fused, everything(), strict=True):
        torch.testing.assert_close(one[:1], other[:1], rtol=0, atol=2e-6)
        torch.testing.assert_close(one[2:], other[2:], rtol=0, atol=2e-5)
        assert torch.equal(one.isnan(), other.isnan())


def test_errors_name_the_argument():
    x = torch.zeros(4)
    for relax in (sd.relaxed_top_k, sd.topk.entropic):
        with pytest.raises(ValueError, match="k: got 5, expected an int from 0 to 4"):
            relax(x, 5)
        with pytest.raises(TypeError, match="k: got 'two', expected an int"):
            relax(x, "two")
        with pytest.raises(ValueError, match=r"tau: got -1\.0, expected a number >= 0"):
            relax(x, 2, -1.0)
    with pytest.raises(
        ValueError, match="method: got 'softmax', expected one of 'entropic', 'successive', 'sparse'"
    ):
        sd.relaxed_top_k(x, 2, method="softmax")
    with pytest.raises(TypeError, match=r"scores: got a tensor of shape .* of int64"):
        sd.topk.sparse(x.long(), 2)
