"""Second derivatives, and many gradients at a time, of every function that draws a differentiable sample.

A hard sample has the gradient of the soft one, so its second derivatives are those of the soft sample, too.
"""

import pytest
import torch
from torch.autograd.functional import hessian, jacobian

import softdraw as sd

KEY = sd.Key(3)
DRAWS = {"gumbel_softmax": sd.gumbel_softmax, "gumbel_sigmoid": sd.gumbel_sigmoid}
TAUS = {
    "float": 0.7,
    "number": torch.tensor(0.7),
    "rows": torch.tensor([[0.5], [0.9], [1.4]], dtype=torch.float64),
}


@pytest.fixture(params=DRAWS)
def name(request):
    return request.param


@pytest.fixture(params=TAUS)
def tau(request):
    return TAUS[request.param]


@pytest.fixture(params=[False, True], ids=["soft", "hard"])
def hard(request):
    return request.param


@pytest.fixture(params=[False, True], ids=["all", "masked"])
def mask(request):
    allowed = torch.tensor([[True, True, False, True], [False] * 4, [True] * 4])
    return allowed if request.param else None


def logits():
    return torch.randn(3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_second_derivatives_are_those_of_the_soft_sample(name, tau, hard, mask):
    x = logits()
    weight = torch.randn(3, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def loss(x):
        return (DRAWS[name](x, tau, hard, mask=mask, key=KEY) * weight).sum()

    def gradient(x):
        x = x.detach().requires_grad_()
        return torch.autograd.grad(loss(x), x)[0]

    step = 1e-5
    units = torch.eye(12, dtype=torch.float64).view(12, 3, 4) * step
    columns = [(gradient(x + unit) - gradient(x - unit)).flatten() / (2 * step) for unit in units]
    expected = torch.stack(columns, 1)
    assert float(expected.abs().max()) > 0.01
    for found in (
        hessian(loss, x),
        hessian(loss, x, vectorize=True),
        torch.func.jacrev(torch.func.grad(loss))(x),
    ):
        torch.testing.assert_close(found.view(12, 12), expected, rtol=1e-6, atol=1e-8)


# torch itself scripts its decompositions when forward mode is first used
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_many_gradients_at_a_time(name, tau, hard, mask, dtype):
    x = logits().to(dtype).requires_grad_()

    def draw(x):
        return DRAWS[name](x, tau, hard, mask=mask, key=KEY)

    expected = jacobian(draw, x)
    assert float(expected.abs().max()) > 0.01
    close = {torch.float16: 4e-3, torch.bfloat16: 2e-2, torch.float32: 1e-5, torch.float64: 1e-12}[dtype]
    for strategy in ("reverse-mode", "forward-mode"):
        found = jacobian(draw, x, vectorize=True, strategy=strategy)
        torch.testing.assert_close(found, expected, rtol=close, atol=close)
    upstream = torch.randn(5, 3, 4, generator=torch.Generator().manual_seed(1)).to(dtype)
    (found,) = torch.autograd.grad(draw(x), x, upstream, is_grads_batched=True)
    each = [torch.autograd.grad(draw(x), x, grad)[0] for grad in upstream]
    torch.testing.assert_close(found, torch.stack(each), rtol=close, atol=close)


def test_rows_that_cannot_be_drawn_have_second_derivatives_of_zero(name, hard):
    nan, inf = float("nan"), float("inf")
    x = torch.tensor([[nan, 0.0], [-inf, -inf], [0.0, 1.0]], dtype=torch.float64, requires_grad=True)

    def loss(x):
        y = DRAWS[name](x, 0.7, hard, key=KEY)
        return (torch.where(y.isnan(), torch.zeros_like(y), y) * torch.tensor([1.0, 2.0])).sum()

    (gradient,) = torch.autograd.grad(loss(x), x, create_graph=True)
    (second,) = torch.autograd.grad((gradient * torch.tensor([3.0, 1.0])).sum(), x)
    for found in (gradient, second):
        assert bool(found.isfinite().all())
        assert bool(found[0, 0] == 0)
        assert bool((found[1] == 0).all())
        assert bool((found[2].abs() > 0.01).all())
