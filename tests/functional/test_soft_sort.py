"""SoftSort and NeuralSort against their published formulas."""

import pytest
import torch

import softdraw as sd
from softdraw.functional.structures.soft_sort import METHODS

KEY = sd.Key(79)


def published(s, tau, method):
    n = s.shape[-1]
    apart = (s.unsqueeze(-1) - s.unsqueeze(-2)).abs()
    if method == "softsort":
        ordered = s.sort(-1, descending=True).values
        return (-(ordered.unsqueeze(-1) - s.unsqueeze(-2)).abs() / tau).softmax(-1)
    scaling = (n + 1 - 2 * torch.arange(1, n + 1)).to(s.dtype)
    return ((scaling.unsqueeze(-1) * s.unsqueeze(-2) - apart.sum(-1).unsqueeze(-2)) / tau).softmax(-1)


def scores(*shape, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("tau", [0.01, 0.5, 5.0])
@pytest.mark.parametrize("n", [1, 2, 7, 40])
def test_the_published_formula(method, tau, n):
    s = scores(3, n)
    exact = published(s, tau, method)
    torch.testing.assert_close(sd.soft_sort(s, tau, method=method), exact, atol=1e-11, rtol=0)
    torch.testing.assert_close(sd.soft_sort(s.float(), tau, method=method).double(), exact, atol=2e-4, rtol=0)
    torch.testing.assert_close(sd.soft_sort(s, tau, method=method, k=n // 2), exact[:, : n // 2])


@pytest.mark.parametrize("method", METHODS)
def test_hard_sorts_and_has_the_soft_gradient(method):
    s = scores(4, 9).requires_grad_()
    order = sd.soft_sort(s, 0.3, True, method=method)
    assert torch.equal((order @ s.unsqueeze(-1)).squeeze(-1), s.sort(-1, descending=True).values)
    assert torch.equal(order.sum(-2), torch.ones(4, 9))
    weight = scores(4, 9, 9)
    soft, hard = (
        torch.autograd.grad((sd.soft_sort(s, 0.3, h, method=method) * weight).sum(), s)[0]
        for h in (False, True)
    )
    assert torch.equal(soft, hard)


@pytest.mark.parametrize("method", METHODS)
def test_derivatives(method):
    s, tau = scores(2, 5).requires_grad_(), torch.tensor([0.4, 2.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda s, tau: sd.soft_sort(s, tau, method=method, k=4), (s, tau))


@pytest.mark.parametrize("method", METHODS)
def test_a_mask_takes_columns_and_last_rows_away(method):
    s, mask = scores(2, 6), torch.tensor([True, False, True, True, False, True])
    whole = sd.soft_sort(s, 0.5, method=method, mask=mask)
    torch.testing.assert_close(whole[:, :4][..., mask], sd.soft_sort(s[:, mask], 0.5, method=method))
    assert bool((whole[..., ~mask] == 0).all())
    assert bool((whole[:, 4:] == 0).all())


@pytest.mark.parametrize("method", METHODS)
def test_limits(method):
    s = torch.tensor([1.0, 3.0, 2.0, 3.0], requires_grad=True)
    cold = sd.soft_sort(s, 0.0, method=method)
    assert cold.argmax(-1).tolist() == [1, 3, 2, 0]
    assert torch.equal(cold, sd.soft_sort(s, hard=True, method=method))
    assert torch.autograd.grad(cold.sum(), s)[0].tolist() == [0.0] * 4
    assert bool((sd.soft_sort(s, torch.inf, method=method) == 0.25).all())
    broken = sd.soft_sort(torch.tensor([[0.0, torch.nan], [0.0, 1.0]]), method=method).isnan()
    assert broken.tolist() == [[[True] * 2] * 2, [[False] * 2] * 2]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_rounded_at_the_end(dtype):
    s = scores(3, 5, dtype=dtype)
    assert torch.equal(sd.soft_sort(s, 0.3), sd.soft_sort(s.float(), 0.3).to(dtype))


def test_of_noisy_scores_it_relaxes_gumbel_top_k():
    logits = scores(5, 8, dtype=torch.float32)
    noise = sd.random.gumbel(logits.shape, key=KEY)
    order = sd.soft_sort(logits + noise, hard=True, k=3).argmax(-1)
    assert torch.equal(order, sd.gumbel_top_k(logits, 3, key=KEY))


@pytest.mark.parametrize("method", METHODS)
def test_transforms(method):
    s = scores(3, 4)
    sort = lambda x: sd.soft_sort(x, 0.5, method=method)  # noqa: E731
    torch.testing.assert_close(torch.vmap(sort)(s), sort(s))
    torch.testing.assert_close(torch.compile(sort, fullgraph=True, backend="aot_eager")(s), sort(s))


def test_errors_name_the_argument():
    with pytest.raises(ValueError, match="method: got 'quick', expected one of 'softsort', 'neuralsort'"):
        sd.soft_sort(torch.zeros(3), method="quick")
    with pytest.raises(ValueError, match="k: got 4, expected an int from 0 to 3"):
        sd.soft_sort(torch.zeros(3), k=4)
    with pytest.raises(TypeError, match="scores: got a tensor of shape"):
        sd.soft_sort(torch.zeros(3, dtype=torch.int64))
