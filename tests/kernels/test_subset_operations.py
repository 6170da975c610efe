import pytest
import torch

from softdraw.kernels.structures import subsets

WIDE = torch.float64


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=WIDE)


@pytest.mark.parametrize("k", [0, 1, 3, 7, 8])
def test_plain_pytorch_and_the_loops_agree(k, monkeypatch):
    """What runs without the native extension, and on other devices."""
    x, direction = normal(5, 8) * 3, normal(5, 8, seed=1)
    x[0, 2], x[1, :5], x[2, 3] = -torch.inf, -torch.inf, torch.nan
    uniforms = torch.rand(6, 5, 8, generator=torch.Generator().manual_seed(2), dtype=WIDE)

    def everything():
        slope = subsets.covariance_product(x, k, direction)
        return subsets.log_partition(x, k), *subsets.marginals(x, k), slope, subsets.draws(x, k, uniforms)

    fused = everything()
    monkeypatch.setattr(subsets, "structure_loops_of", lambda x: None)
    for one, two in zip(fused, everything(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-11, atol=1e-11, equal_nan=True)


def test_plain_pytorch_keeps_few_rows_of_many_items(monkeypatch):
    x = normal(2, 150)
    fused = subsets.marginals(x, 20)
    monkeypatch.setattr(subsets, "structure_loops_of", lambda x: None)
    for one, two in zip(fused, subsets.marginals(x, 20), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(("n", "k"), [(700, 60), (4500, 9)])
def test_a_table_made_again_in_parts_agrees_with_plain_pytorch(n, k, monkeypatch):
    """Of one too large for the cache, every so many-th row alone is kept."""
    x, direction = normal(3, n) * 2, normal(3, n, seed=1)
    x[1, ::3] = -torch.inf  # lanes of other lengths
    uniforms = torch.rand(2, 3, n, generator=torch.Generator().manual_seed(2), dtype=WIDE)

    def everything():
        slope = subsets.covariance_product(x, k, direction)
        return *subsets.marginals(x, k), slope, subsets.draws(x, k, uniforms)

    fused = everything()
    monkeypatch.setattr(subsets, "structure_loops_of", lambda x: None)
    for one, two in zip(fused, everything(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-11)


def test_a_row_does_not_depend_on_those_beside_it():
    """Rows lie side by side in vectors: laws, rows of one set, of too few items, of NaN, masked ones."""
    n, k = 12, 4
    x, direction = normal(21, n) * torch.logspace(-2, 2, 21, dtype=WIDE).unsqueeze(1), normal(21, n, seed=1)
    x[1, 3], x[4, 4:], x[5, 3:], x[6], x[9, ::2], x[20, 5] = torch.nan, *[-torch.inf] * 4, torch.inf
    uniforms = torch.rand(7, 21, n, generator=torch.Generator().manual_seed(2), dtype=WIDE)
    together = (
        subsets.log_partition(x, k),
        *subsets.marginals(x, k),
        subsets.covariance_product(x, k, direction),
    )
    draws = subsets.draws(x, k, uniforms)
    for row in range(21):
        y, v = x[row], direction[row]
        alone = subsets.log_partition(y, k), *subsets.marginals(y, k), subsets.covariance_product(y, k, v)
        for one, two in zip(together, alone, strict=True):
            assert torch.equal(one[row].nan_to_num(77.0), two.nan_to_num(77.0))
        drawn = subsets.draws(y, k, uniforms[:, row])
        assert torch.equal(draws[:, row].nan_to_num(77.0), drawn.nan_to_num(77.0))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 80.0, 1e6, 1e250])
def test_logits_of_every_size_sum_to_k(scale):
    """Whatever the logits are, a shift is found at which the recursion keeps its figures."""
    x = normal(6, 40) * scale
    x[1] += 1e3 * scale
    x[2, :39] = 0.0
    x[3] = x[3].abs().pow(3).clamp(max=1e280)
    for k in (1, 7, 39):
        value, means = subsets.marginals(x, k)
        assert bool(value.isfinite().all())
        assert bool((means.sum(-1) - k).abs().max() < 1e-9)
        assert bool(((means >= 0) & (means <= 1)).all())


def test_derivatives_of_every_order():
    x, direction = normal(2, 5).requires_grad_(), normal(2, 5, seed=1).requires_grad_()
    check, twice = torch.autograd.gradcheck, torch.autograd.gradgradcheck
    assert check(lambda x: subsets.marginals(x, 2), x)
    assert twice(lambda x: subsets.log_partition(x, 2), x)
    assert twice(lambda x: subsets.marginals(x, 2)[1], x)
    assert check(lambda x, v: subsets.covariance_product(x, 2, v), (x, direction))


def test_operators_keep_the_rules_of_torch():
    x, direction = normal(2, 4).requires_grad_(), normal(2, 4, seed=1)
    uniforms = torch.rand(3, 2, 4, generator=torch.Generator().manual_seed(2), dtype=WIDE)
    torch.library.opcheck(torch.ops.softdraw.subset_sum.default, (x.detach(), 2))
    torch.library.opcheck(torch.ops.softdraw.subsets.default, (x, 2))
    torch.library.opcheck(torch.ops.softdraw.subset_slope.default, (x.detach(), 2, direction))
    torch.library.opcheck(torch.ops.softdraw.subset_draws.default, (x.detach(), 2, uniforms))
