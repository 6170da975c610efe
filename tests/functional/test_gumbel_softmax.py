"""The soft and the hard draw against their formulas, their laws and their limits."""

import math

import pytest
import scipy.stats
import torch

import softdraw as sd

from ..statistics import assert_frequencies, assert_law, assert_mean, standard_errors

KEY = sd.Key(7)
#: a test fails by chance for at most one key in this many


def formula(logits, tau, key):
    """The definition, with the noise that the forward used."""
    noise = sd.random.gumbel(logits.shape, key=key, dtype=logits.dtype)
    return torch.softmax((logits + noise) / tau, -1)


@pytest.mark.parametrize("tau", [0.1, 0.5, 1.0, 5.0])
@pytest.mark.parametrize("hard", [False, True])
def test_value_and_gradient_are_those_of_the_formula(tau, hard):
    logits = torch.randn(30, 7, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(30, 7, dtype=torch.float64)
    y = sd.gumbel_softmax(logits, tau, hard, key=KEY)
    expected = formula(logits, tau, KEY)
    if hard:
        assert torch.equal(y.argmax(-1), expected.argmax(-1))
    else:
        torch.testing.assert_close(y, expected)
    (got,) = torch.autograd.grad(y, logits, weight)
    (want,) = torch.autograd.grad(expected, logits, weight)
    torch.testing.assert_close(got, want)


@pytest.mark.parametrize("hard", [False, True])
def test_gradient_without_a_key_is_that_of_the_noise_that_was_drawn(hard):
    logits, weight = torch.randn(20, 6, dtype=torch.float64, requires_grad=True), torch.randn(20, 6).double()
    torch.manual_seed(12)
    (got,) = torch.autograd.grad(sd.gumbel_softmax(logits, 0.6, hard), logits, weight)
    torch.manual_seed(12)
    key = sd.random.fresh_key()
    (want,) = torch.autograd.grad(formula(logits, 0.6, key), logits, weight)
    torch.testing.assert_close(got, want)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("classes", [3, 1000])
def test_hard_has_the_gradient_of_soft_to_the_bit(dtype, classes):
    logits = torch.randn(20, classes).to(dtype).requires_grad_()
    weight = torch.randn(20, classes).to(dtype)
    mask = torch.rand(20, classes) < 0.7
    grads = [
        torch.autograd.grad(sd.gumbel_softmax(logits, 0.4, hard, mask=mask, key=KEY), logits, weight)[0]
        for hard in (False, True)
    ]
    assert torch.equal(*grads)
    assert bool((grads[0][~mask] == 0).all())


# torch itself scripts its decompositions when forward mode is first used
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_gradcheck_and_gradgradcheck():
    logits = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    tau = torch.tensor([[0.5], [1.0], [2.0]], dtype=torch.float64, requires_grad=True)
    noise = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[True, True, False, True], [True] * 4, [True, False, False, True]])
    for call, inputs in (
        (lambda x: sd.gumbel_softmax(x, 0.7, key=KEY), (logits,)),
        (lambda x: sd.gumbel_softmax(x, 0.7, mask=mask, key=KEY), (logits,)),
        (lambda x, t: sd.gumbel_softmax(x, t, key=KEY), (logits, tau)),
        (lambda x, t, n: sd.gumbel_softmax(x, t, mask=mask, noise=n), (logits, tau, noise)),
    ):
        assert torch.autograd.gradcheck(call, inputs, check_forward_ad=True)
        assert torch.autograd.gradgradcheck(call, inputs)


def test_gradient_reaches_a_scalar_temperature():
    logits = torch.randn(5, 4, dtype=torch.float64)
    weight = torch.randn(5, 4, dtype=torch.float64)
    for tau in (
        torch.tensor(0.7, dtype=torch.float64, requires_grad=True),
        torch.tensor(0.7, requires_grad=True),
    ):
        for hard in (False, True):
            (got,) = torch.autograd.grad(sd.gumbel_softmax(logits, tau, hard, key=KEY), tau, weight)
            (want,) = torch.autograd.grad(formula(logits, tau, KEY), tau, weight)
            torch.testing.assert_close(got, want)


@pytest.mark.parametrize("shape", [(), (1,), (4,), (3, 4), (3, 1), (3, 4, 1), (1, 1, 1)])
def test_temperatures_of_rows(shape):
    logits = torch.randn(3, 4, 5)
    tau = torch.rand(shape) + 0.3
    column = tau if tau.dim() == 3 else tau.unsqueeze(-1)
    torch.testing.assert_close(sd.gumbel_softmax(logits, tau, key=KEY), formula(logits, column, KEY))


def test_temperatures_of_rows_along_another_dim():
    logits = torch.randn(3, 5, 4)
    tau = torch.rand(3, 1, 4) + 0.3
    expected = sd.gumbel_softmax(logits.movedim(1, -1), tau.movedim(1, -1), key=KEY).movedim(-1, 1)
    assert torch.equal(sd.gumbel_softmax(logits, tau, dim=1, key=KEY), expected)
    assert torch.equal(sd.gumbel_softmax(logits, tau.squeeze(1), dim=1, key=KEY), expected)


def test_a_schedule_that_steps_between_the_passes_changes_no_gradient():
    logits = torch.randn(3, 4, requires_grad=True)
    for tau in (torch.tensor(0.5), torch.full((3,), 0.5)):
        for hard in (False, True):
            y = sd.gumbel_softmax(logits, tau, hard, key=KEY)
            expected = torch.autograd.grad(y[:, 0].sum(), logits, retain_graph=True)[0]
            tau.mul_(0.1)
            assert torch.equal(torch.autograd.grad(y[:, 0].sum(), logits)[0], expected)
            tau.mul_(10)


@pytest.mark.parametrize("tau", [-1.0, math.nan, torch.tensor(-0.5), torch.tensor([0.5, math.nan])])
def test_temperatures_that_are_none(tau):
    with pytest.raises(ValueError, match=r"tau: got .*, expected (a number|temperatures) >= 0"):
        sd.gumbel_softmax(torch.zeros(2, 3), tau)


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 2), (1, 1, 1)])
def test_temperatures_of_classes_are_refused(shape):
    with pytest.raises(ValueError, match=r"tau: got .*for logits of shape \(2, 3\)"):
        sd.gumbel_softmax(torch.zeros(2, 3), torch.ones(shape))


@pytest.mark.parametrize("shape", [(3, 0), (0,), (2, 0, 0)])
def test_no_classes(shape):
    with pytest.raises(ValueError, match="expected from 1 to 2\\^33 classes in dim -1"):
        sd.gumbel_softmax(torch.zeros(shape))


def test_dims_that_are_none():
    with pytest.raises(ValueError, match="dim: got 2, expected a number from -2 to 1"):
        sd.gumbel_softmax(torch.zeros(2, 3), dim=2)
    with pytest.raises(ValueError, match=r"got a tensor of shape \(\)"):
        sd.gumbel_softmax(torch.tensor(1.0))


@pytest.mark.parametrize("shape", [(0, 3), (4, 0, 3)])
def test_no_rows(shape):
    logits = torch.zeros(shape, requires_grad=True)
    for hard in (False, True):
        y = sd.gumbel_softmax(logits, hard=hard)
        y.sum().backward()
        assert y.shape == logits.grad.shape == shape


@pytest.mark.parametrize("classes", [2, 5, 64, 1000])
@pytest.mark.parametrize("kind", ["uniform", "peaked", "masked"])
def test_hard_draws_follow_softmax(classes, kind):
    draws = 200_000 if classes < 1000 else 20_000
    logits = torch.zeros(classes)
    mask = None
    if kind == "peaked":
        logits = torch.linspace(3, -1, classes)
    if kind == "masked":
        logits, mask = torch.linspace(1, -1, classes), torch.arange(classes) % 3 != 1
    allowed = torch.ones(classes, dtype=torch.bool) if mask is None else mask
    probs = torch.where(allowed, logits.double().exp(), 0.0)
    probs /= probs.sum()
    y = sd.gumbel_softmax(logits.expand(draws, classes), hard=True, mask=mask, key=KEY)
    counts = y.sum(0)
    assert bool((counts[~allowed] == 0).all())
    if int(allowed.sum()) > 1:
        assert_frequencies(counts, probs)


@pytest.mark.parametrize("tau", [0.1, 0.5, 1.0, 5.0])
def test_soft_draws_of_two_classes_follow_the_concrete_law(tau):
    # log(y_1 / y_2) is Logistic(logit / tau, 1 / tau): Maddison et al., appendix B
    y = sd.gumbel_softmax(torch.tensor([0.8, 0.0], dtype=torch.float64).expand(100_000, 2), tau, key=KEY)
    assert_law(y[:, 0].log() - y[:, 1].log(), scipy.stats.logistic(0.8 / tau, 1 / tau).cdf)


def test_soft_draws_of_three_classes_have_maddisons_density():
    # P(draw in a region) by numerical integration of eq. 10 of Maddison et al. over a grid of the simplex
    tau, alpha = 1.3, torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64)
    n = 400
    grid = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    a, b = torch.meshgrid(grid, grid, indexing="ij")
    inside = a + b < 1
    x = torch.stack((a[inside], b[inside], 1 - a[inside] - b[inside]), -1)
    density = 2 * tau**2 * (alpha * x ** (-tau - 1)).prod(-1) / (alpha * x**-tau).sum(-1) ** 3
    cell = (x[:, :2] * 4).long()
    expected = torch.zeros(4, 4, dtype=torch.float64)
    expected.index_put_((cell[:, 0], cell[:, 1]), density / n**2, accumulate=True)
    draws = 40_000
    y = sd.gumbel_softmax(alpha.log().expand(draws, 3), tau, key=KEY)
    found = (y[:, :2] * 4).long().clamp(max=3)
    counts = torch.zeros(4, 4).index_put_((found[:, 0], found[:, 1]), torch.ones(draws), accumulate=True)
    keep = expected > 1e-2
    # the quadrature misses about 1 in 200 of the mass along the edge a + b = 1, hence the tolerance
    assert abs(expected.sum() - 1) < 0.02
    error = (counts[keep] / draws - expected[keep]).abs()
    limit = standard_errors(int(keep.sum())) * (expected[keep] / draws).sqrt()
    assert bool((error < limit + 0.03 * expected[keep]).all())


@pytest.mark.parametrize("tau", [0.1, 0.5, 1.0, 5.0])
def test_means(tau):
    # by symmetry the mean of equal logits is 1/K at every tau; otherwise it lies between that and softmax
    classes, draws = 4, 100_000
    equal = sd.gumbel_softmax(torch.zeros(draws, classes), tau, key=KEY)
    assert_mean(equal, torch.full((classes,), 1 / classes))
    logits = torch.tensor([2.0, 0.0, 0.0, -1.0])
    mean = sd.gumbel_softmax(logits.expand(draws, classes), tau, key=KEY).mean(0)
    top = logits.softmax(0)[0]
    assert 1 / classes < mean[0] < top + standard_errors() * (0.25 / draws) ** 0.5
    if tau == 0.1:
        assert abs(mean[0] - top) < 0.02


def test_limits():
    logits = torch.randn(50, 6, requires_grad=True)
    index = sd.gumbel_max(logits, key=KEY)
    for tau in (0.0, 1e-30, torch.tensor(0.0), torch.zeros(50)):
        y = sd.gumbel_softmax(logits, tau, key=KEY)
        assert torch.equal(y, torch.nn.functional.one_hot(index, 6).float())
        assert not bool(torch.autograd.grad(y[:, 0].sum(), logits)[0].any())
    mask = torch.tensor([True, True, False, True, True, False])
    for tau in (math.inf, 1e30):
        y = sd.gumbel_softmax(logits, tau, mask=mask, key=KEY)
        torch.testing.assert_close(y, mask.float().expand(50, 6) / 4)
        assert not bool(torch.autograd.grad(y[:, 0].sum(), logits)[0].abs().max() > 1e-20)
    for tau in (0.0, math.inf):
        learned = torch.tensor(tau, requires_grad=True)
        grads = torch.autograd.grad(
            sd.gumbel_softmax(logits, learned, key=KEY)[:, 0].sum(), (logits, learned)
        )
        assert all(bool((g == 0).all()) for g in grads)


def test_positional_arguments_are_those_of_torch():
    logits = torch.randn(3, 4)
    torch.testing.assert_close(
        sd.gumbel_softmax(logits, 0.5, True, 1e-10, 0, key=KEY),
        sd.gumbel_softmax(logits, tau=0.5, hard=True, dim=0, key=KEY),
    )


def test_hard_draws_keep_no_tensor_but_the_logits():
    logits = torch.randn(8, 1000, requires_grad=True)
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        sd.gumbel_softmax(logits, hard=True, key=KEY)
    assert [t.data_ptr() for t in saved] == [logits.data_ptr()]


@pytest.mark.parametrize("dim", [0, 1, -1, -3])
@pytest.mark.parametrize("hard", [False, True])
def test_samples_over_every_dim_are_contiguous(dim, hard):
    logits = torch.randn(3, 4, 5, requires_grad=True)
    for y in (
        sd.gumbel_softmax(logits, hard=hard, dim=dim, key=sd.Key(0)),
        sd.gumbel_softmax(logits, hard=hard, dim=dim, noise=torch.zeros(())),
        sd.gumbel_softmax(logits.transpose(0, 2).contiguous().transpose(0, 2), hard=hard, dim=dim),
    ):
        assert y.is_contiguous()
        y.view(-1).sum().backward()


def test_logits_changed_in_place_after_a_hard_draw_are_refused_by_name():
    for draw in (lambda x: sd.gumbel_softmax(x, hard=True), sd.estimators.get("reinmax")):
        x = torch.randn(3, 4, requires_grad=True)
        logits = x * 1.0
        y = draw(logits)
        logits.add_(1.0)
        with pytest.raises(RuntimeError, match=r"logits: .*changed in place.*logits\.clone\(\)"):
            y.sum().backward()
    logits = x * 1.0
    y = sd.gumbel_softmax(logits)  # a soft draw keeps its own result
    logits.add_(1.0)
    y.sum().backward()
