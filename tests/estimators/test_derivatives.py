"""Derivatives of the estimators' gradients, and many gradients at a time, over all that return a sample.

A gradient estimator is a function of the logits and the key: its derivative at one key is known from finite
differences in float64.
"""

import pytest
import torch
from torch.autograd.functional import hessian, jacobian

import softdraw as sd

NAMES = [name for name in sd.estimators.names() if sd.estimators.get(name).needs == "tensor"]
TEMPERED = [name for name in NAMES if "tau" in sd.estimators.get(name)._options()]
#: their gradients are differences of hard choices, which no small change of the logits moves
STEPS = {"imle", "perturbed-argmax"}
KEY = sd.Key(7)


def estimator(name, tau=None, samples=1):
    options = {"samples": samples}
    if "draws" in sd.estimators.get(name)._options():
        options["draws"] = 11  # more than a group of draws that share a key
    if tau is not None:
        options["tau"] = tau
    if name == "imle":
        options["step"] = 3.0  # at 1 no choice changes here, and all gradients are 0
    return sd.estimators.get(name, **options)


def problem(name):
    classes = 2 if sd.estimators.get(name).binary else 5
    generator = torch.Generator().manual_seed(0)
    logits, weight, along = (
        torch.randn(2, 2, classes, generator=generator, dtype=torch.float64) for _ in range(3)
    )
    mask = torch.ones(2, 2, classes, dtype=torch.bool)
    mask[0, 1] = False  # a row without classes
    mask[1, 0, 0] = False
    return logits, weight, along, mask


def loss(est, weight, mask):
    """Linear in the sample, so that the upstream gradient is a constant."""
    if est.samples == 1:
        return lambda x: (est(x, mask=mask, key=KEY) * weight).sum()
    return lambda x: est.expectation(lambda y: (y * weight).sum((-1, -2)), x, mask=mask, key=KEY).sum()


CASES = [(name, None) for name in NAMES] + [
    (name, tau)
    for name in TEMPERED
    for tau in (1.3, torch.tensor(0.8), torch.tensor([[0.5, 0.9], [1.0, 1.7]], dtype=torch.float64))
]


def case_name(value):
    return f"tau{list(value.shape)}" if isinstance(value, torch.Tensor) else str(value)


@pytest.mark.parametrize(("name", "tau"), CASES, ids=case_name)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("samples", [1, 3])
def test_the_second_derivative_is_that_of_the_gradient(name, tau, masked, samples):
    logits, weight, along, mask = problem(name)
    value = loss(estimator(name, tau, samples), weight, mask if masked else None)
    z = logits.requires_grad_()

    def slope(scale, graph=False):
        (gradient,) = torch.autograd.grad(value(z * scale), z, create_graph=graph)
        return (gradient * along).sum()

    one = torch.ones((), dtype=torch.float64, requires_grad=True)
    (found,) = torch.autograd.grad(slope(one, True), one)
    step = 1e-5
    expected = (slope(1 + step) - slope(1 - step)) / (2 * step)
    assert abs(expected) > 1e-5
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("masked", [False, True])
def test_transforms_of_the_gradient(name, masked):
    """``vjp`` of ``grad``, and the matrix of second derivatives in three ways."""
    logits, weight, along, mask = problem(name)
    value = loss(estimator(name), weight, mask if masked else None)
    size = logits.numel()
    columns = []
    for unit in torch.eye(size, dtype=torch.float64):
        step = 1e-5 * unit.view_as(logits)
        ends = [torch.func.grad(value)(logits + sign * step) for sign in (1, -1)]
        columns.append((ends[0] - ends[1]).flatten() / 2e-5)
    expected = torch.stack(columns, 1)
    assert (float(expected.abs().max()) > 1e-3) == (name not in STEPS)
    close = {"rtol": 1e-6, "atol": 1e-8}
    _, pull = torch.func.vjp(torch.func.grad(value), logits)
    torch.testing.assert_close(pull(along)[0].flatten(), along.flatten() @ expected, **close)
    every = torch.func.jacrev(torch.func.grad(value))(logits).view(size, size)
    torch.testing.assert_close(every, expected, **close)
    for vectorize in (False, True):
        found = hessian(value, logits, vectorize=vectorize).view(size, size)
        torch.testing.assert_close(found, expected, **close)


@pytest.mark.parametrize(("name", "tau"), CASES, ids=case_name)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_many_gradients_at_a_time(name, tau, masked, dtype):
    logits, _, _, mask = problem(name)
    logits = logits.to(dtype)
    est = estimator(name, tau)

    def draw(x):
        return est(x, mask=mask if masked else None, key=KEY)

    expected = jacobian(draw, logits)
    assert bool(expected.isfinite().all())
    assert float(expected.abs().max()) > 0.01
    close = {torch.float32: 1e-5, torch.float64: 1e-12, torch.bfloat16: 1e-2}[dtype]
    found = jacobian(draw, logits, vectorize=True)
    torch.testing.assert_close(found, expected, rtol=close, atol=close)
    x = logits.requires_grad_()
    upstream = torch.randn(3, *x.shape, generator=torch.Generator().manual_seed(1)).to(dtype)
    (found,) = torch.autograd.grad(draw(x), x, upstream, is_grads_batched=True)
    each = torch.stack([torch.autograd.grad(draw(x), x, grad)[0] for grad in upstream])
    torch.testing.assert_close(found, each, rtol=close, atol=close)
    drawn = draw(x)  # outside of the transform, by a kernel
    found = torch.vmap(lambda grad: torch.autograd.grad(drawn, x, grad, retain_graph=True)[0])(upstream)
    torch.testing.assert_close(found, each, rtol=close, atol=close)


def test_the_adaptive_step_of_imle_counts_in_the_second_derivative():
    """The step grows with the logits, and the gradient is divided by it."""
    logits, weight, along, _ = problem("imle")
    est = sd.estimators.get("imle", adaptive=True).eval()
    est.beta.fill_(0.5)
    z = logits.requires_grad_()

    def slope(scale, graph=False):
        y = est(z * scale, key=KEY)
        (gradient,) = torch.autograd.grad((y * weight).sum(), z, create_graph=graph)
        return (gradient * along).sum()

    one = torch.ones((), dtype=torch.float64, requires_grad=True)
    (found,) = torch.autograd.grad(slope(one, True), one)
    expected = (slope(1 + 1e-5) - slope(1 - 1e-5)) / 2e-5
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", ["gapped-st", "gumbel-rao", "reinmax", "reinmax-rao"])
def test_rows_that_cannot_be_drawn_have_no_derivatives(name):
    """Those with a gradient of their own; NaN and +inf make the row NaN and move with no logit."""
    nan, inf = float("nan"), float("inf")
    x = torch.tensor([[nan, 0.0], [-inf, -inf], [0.0, 1.0], [inf, 0.0]], dtype=torch.float64)
    x.requires_grad_()
    y = estimator(name)(x, key=KEY)
    kept = torch.where(y.isnan(), torch.zeros_like(y), y)
    (gradient,) = torch.autograd.grad((kept * torch.tensor([1.0, 2.0])).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad((gradient * torch.tensor([3.0, 1.0])).sum(), x)
    for found in (gradient, second):
        assert bool((found[[0, 1, 3]] == 0).all())
        assert bool((found[2].abs() > 0.01).all())
