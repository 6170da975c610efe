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
