import pytest
import torch

import softdraw as sd


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_value_of_hard_gradient_of_soft(dtype):
    soft = torch.rand(1000, 3).to(dtype).requires_grad_()
    hard = torch.randint(0, 2, (1000, 3))
    weight = torch.randn(1000, 3).to(dtype)
    y = sd.straight_through(hard, soft)
    assert torch.equal(y, hard.to(dtype))
    assert torch.equal(torch.autograd.grad(y, soft, weight)[0], weight)


def test_hard_gets_no_gradient():
    hard, soft = torch.rand(3, requires_grad=True), torch.rand(3, requires_grad=True)
    assert torch.autograd.grad(sd.straight_through(hard, soft).sum(), hard, allow_unused=True) == (None,)


def test_a_soft_value_that_is_not_finite_leaves_the_value():
    soft = torch.tensor([float("nan"), float("inf"), 0.5])
    assert sd.straight_through(torch.tensor([1.0, 0.0, 1.0]), soft).tolist() == [1, 0, 1]


def test_transforms():
    hard, soft = torch.eye(3), torch.rand(3, 3)
    compiled = torch.compile(sd.straight_through, fullgraph=True, backend="eager")
    assert torch.equal(compiled(hard, soft), hard)
    assert torch.equal(torch.vmap(sd.straight_through)(hard, soft), hard)
    grads = torch.func.grad(lambda s: (sd.straight_through(hard, s) * soft).sum())(soft)
    assert torch.equal(grads, soft)


def test_errors():
    with pytest.raises(ValueError, match=r"soft: got .*\(4,\).*expected the shape of hard, \(3,\)"):
        sd.straight_through(torch.zeros(3), torch.zeros(4))
    with pytest.raises(TypeError, match=r"soft: got a tensor of shape \(3,\) of int64"):
        sd.straight_through(torch.zeros(3), torch.zeros(3, dtype=torch.int64))
