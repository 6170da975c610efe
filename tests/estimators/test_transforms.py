"""``torch.func`` over ``expectation``: the gradient of autograd, or a clear reason why not."""

import copy

import pytest
import torch

import softdraw as sd

NAMES = sd.estimators.names()
#: every estimator, and those whose options change what they learn
CASES = {name: (name, {}) for name in NAMES} | {
    "reinforce-none": ("reinforce", {"baseline": "none"}),
    "reinforce-learned": ("reinforce", {"baseline": "learned"}),
    "relax-black-box": ("relax", {"relaxed_f": False}),
    "imle-adaptive": ("imle", {"adaptive": True}),
    "tempered-learned": ("gumbel-softmax", {"tau": sd.schedules.Learned(0.7)}),
}
LEARNS = {"reinforce", "reinforce-learned", "rodeo", "rebar", "relax", "relax-black-box", "imle-adaptive"}
#: whose gradient is attached to a value, not that of a sample
ATTACHED = [
    case
    for case, (name, _) in CASES.items()
    if sd.estimators.get(name).needs != "tensor" and case != "enumeration"
]
KEY = sd.Key(3)
LOGITS = torch.randn(4, 3, 2, generator=torch.Generator().manual_seed(0))


def cost(z, parameter=1.0):
    return (parameter * z[..., 0].sum(-1) - 0.3).square() + z[..., 0, 1]


def estimator(case, *, training=False):
    """One that has learned something, in the mode asked for."""
    name, options = CASES[case]
    if "draws" in sd.estimators.get(name)._options():
        options = {**options, "draws": 3}
    est = copy.deepcopy(sd.estimators.get(name, **options))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for step in range(3):
            logits = LOGITS.clone().requires_grad_()
            est.expectation(cost, logits, key=sd.Key(step)).sum().backward()
    with torch.no_grad():
        for parameter in est.parameters():
            parameter.add_(0.1)
        if case == "imle-adaptive":
            est.beta.fill_(0.5)  # it starts at 0, where no choice changes
    return est.train(training)


def by_autograd(est, logits=LOGITS):
    leaf = logits.clone().requires_grad_()
    return torch.autograd.grad(est.expectation(cost, leaf, key=KEY).sum(), leaf)[0]


@pytest.mark.parametrize("case", CASES)
def test_grad_is_that_of_autograd(case):
    est = estimator(case)
    expected = by_autograd(est)
    assert expected.abs().sum() > 0
    got = torch.func.grad(lambda x: est.expectation(cost, x, key=KEY).sum())(LOGITS)
    torch.testing.assert_close(got, expected)
    _, pull = torch.func.vjp(lambda x: est.expectation(cost, x, key=KEY), LOGITS)
    torch.testing.assert_close(pull(torch.ones(4))[0], expected)


@pytest.mark.parametrize("case", CASES)
def test_grad_of_each_example(case):
    est = estimator(case)

    def value(x):
        return est.expectation(cost, x, key=KEY)

    got = torch.func.vmap(torch.func.grad(value))(LOGITS)
    torch.testing.assert_close(got, torch.stack([by_autograd(est, x) for x in LOGITS]))


@pytest.mark.parametrize("case", CASES)
def test_grad_of_what_f_depends_on(case):
    est = estimator(case)
    parameter = torch.tensor(0.7)

    def value(parameter, logits):
        return est.expectation(lambda z: cost(z, parameter), logits, key=KEY).sum()

    got = torch.func.grad(value, argnums=(0, 1))(parameter, LOGITS)
    leaves = [parameter.clone().requires_grad_(), LOGITS.clone().requires_grad_()]
    torch.testing.assert_close(got, torch.autograd.grad(value(*leaves), leaves))


@pytest.mark.parametrize("case", CASES)
def test_what_learns_says_that_it_cannot_there(case):
    est = estimator(case, training=True)
    value = lambda x: est.expectation(cost, x, key=KEY).sum()  # noqa: E731
    if case not in LEARNS:
        torch.testing.assert_close(torch.func.grad(value)(LOGITS), by_autograd(est))
        return
    for transform in (torch.func.grad, torch.func.vmap):
        with pytest.raises(
            RuntimeError, match=rf"{est.name}: got a call inside torch.func, .*expected est.eval\(\)"
        ):
            transform(value)(LOGITS)


@pytest.mark.parametrize("name", ["reinforce", "relax"])
def test_a_network_without_shape_says_so(name):
    options = {"baseline": "learned"} if name == "reinforce" else {}
    est = sd.estimators.get(name, **options).eval()
    with pytest.raises(RuntimeError, match=f"{name}: got a first call inside torch.func"):
        torch.func.grad(lambda x: est.expectation(cost, x, key=KEY).sum())(LOGITS)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # torch's own
@pytest.mark.parametrize("case", ATTACHED)
def test_forward_mode(case):
    est = estimator(case)
    along = torch.randn(4, 3, 2, generator=torch.Generator().manual_seed(1))
    _, tangent = torch.func.jvp(lambda x: est.expectation(cost, x, key=KEY), (LOGITS,), (along,))
    torch.testing.assert_close(tangent, (by_autograd(est) * along).sum((-1, -2)))


@pytest.mark.parametrize("case", ATTACHED)
def test_a_second_derivative_is_refused_where_the_estimate_has_none(case):
    est = estimator(case)
    leaf = LOGITS.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(est.expectation(cost, leaf, key=KEY).sum(), leaf, create_graph=True)
    torch.testing.assert_close(gradient.detach(), by_autograd(est))
    with pytest.raises(RuntimeError, match="got a second derivative, expected one"):
        gradient.square().sum().backward()
    value = lambda x: est.expectation(cost, x, key=KEY).sum()  # noqa: E731
    with pytest.raises(RuntimeError, match="got a second derivative, expected one"):
        torch.func.grad(lambda x: torch.func.grad(value)(x).square().sum())(LOGITS)


@pytest.mark.parametrize("case", ATTACHED)
def test_the_gradient_may_be_differentiated_by_its_weight(case):
    """It is linear in the upstream weights, whatever else is not known of it."""
    est = estimator(case)
    leaf, weight = LOGITS.clone().requires_grad_(), torch.full((4,), 2.0, requires_grad=True)
    value = (est.expectation(cost, leaf, key=KEY) * weight).sum()
    (gradient,) = torch.autograd.grad(value, leaf, create_graph=True)
    (got,) = torch.autograd.grad(gradient.sum(), weight)
    torch.testing.assert_close(got, by_autograd(est).sum((-1, -2)))
