"""Draws over a vocabulary: those of the whole logits, their law to the far tail, and their gradients."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import softdraw as sd

from ..statistics import assert_frequencies, assert_mean, assert_rare

KEY = sd.Key(31)


def head(batch=(5,), width=6, classes=1500, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shapes = (*batch, width), (classes, width), (classes,)
    return [torch.randn(shape, generator=generator, dtype=dtype) for shape in shapes]


@pytest.mark.parametrize("batch", [(), (1,), (7,), (2, 3), (0,), (2, 0)])
@pytest.mark.parametrize("sample_shape", [(), (3,), (2, 2), (0,)])
def test_the_draw_of_the_whole_logits(batch, sample_shape):
    hidden, weight, bias = head(batch)
    tau = torch.rand(batch, dtype=torch.float64) + 0.5
    mask = torch.rand(*batch, 1500) < 0.5
    logits = (hidden @ weight.mT + bias) / tau.unsqueeze(-1)
    expected = sd.gumbel_max(logits, mask=mask, sample_shape=sample_shape, key=KEY)
    options = {"tau": tau, "mask": mask, "sample_shape": sample_shape, "key": KEY}
    got = sd.vocabulary.gumbel_max(hidden, weight, bias, **options)
    assert got.dtype == torch.int64
    assert torch.equal(got, expected)
    drawn = sd.vocabulary.gumbel_max(hidden, weight, bias, **options, return_log_prob=True)
    assert torch.equal(drawn.index, expected)
    law = logits.masked_fill(~mask, -torch.inf).log_softmax(-1)
    log_prob = law.expand(*sample_shape, *law.shape).gather(-1, expected.unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(drawn.log_prob, log_prob)
    torch.testing.assert_close(drawn.entropy, -(law.exp() * law.masked_fill(~mask, 0.0)).sum(-1))


@pytest.mark.parametrize(("width", "classes"), [(0, 5), (3, 1), (4, 2), (0, 1)])
def test_small_sizes(width, classes):
    hidden, weight, bias = head((4,), width, classes)
    drawn = sd.vocabulary.gumbel_max(hidden, weight, bias, key=KEY, return_log_prob=True)
    logits = hidden @ weight.mT + bias
    assert torch.equal(drawn.index, sd.gumbel_max(logits, key=KEY))
    expected = logits.log_softmax(-1).gather(-1, drawn.index.unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(drawn.log_prob, expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_narrow_dtypes_are_multiplied_in_float32(dtype):
    hidden, weight, bias = head((40,), dtype=dtype)
    drawn = sd.vocabulary.gumbel_max(hidden, weight, bias, key=KEY, return_log_prob=True)
    logits = hidden.float() @ weight.float().mT + bias.float()
    assert torch.equal(drawn.index, sd.gumbel_max(logits, key=KEY))
    assert drawn.log_prob.dtype == drawn.entropy.dtype == torch.float32


def test_dtypes_may_differ():
    hidden, weight, bias = head((6,), dtype=torch.float32)
    hidden, bias = hidden.bfloat16().requires_grad_(), bias.double().requires_grad_()
    drawn = sd.vocabulary.gumbel_max(hidden, weight, bias, key=KEY, return_log_prob=True)
    drawn.log_prob.sum().backward()
    assert hidden.grad.dtype == torch.bfloat16
    assert bias.grad.dtype == torch.float64


@pytest.mark.parametrize("kind", ["plain", "masked", "cold"])
def test_chi_square(kind):
    hidden, weight, bias = head((1,), 3, 3000, torch.float32)
    tau, mask = (
        (0.5, None) if kind == "cold" else (1.0, torch.arange(3000) % 3 > 0 if kind == "masked" else None)
    )
    index = sd.vocabulary.gumbel_max(
        hidden, weight, bias, tau=tau, mask=mask, sample_shape=(100_000,), key=KEY
    )
    logits = (hidden @ weight.mT + bias)[0].double() / tau
    probs = (logits if mask is None else logits.masked_fill(~mask, -torch.inf)).softmax(-1)
    assert_frequencies(index[:, 0].bincount(minlength=3000), probs)


@pytest.mark.parametrize(("p", "tail"), [(1e-7, 26_214), pytest.param(1e-9, 262_144, marks=pytest.mark.slow)])
def test_far_tail(p, tail):
    # Classes of probability p each beside one head class: 14.7 hits expected, where samplers with 24-bit
    # uniforms have none at 1e-9 (which would be rarer than 1e-6).
    draws, piece = round(14.7 / (tail * p)), 1000
    weight = torch.full((tail + 1, 1), math.log(p))
    weight[tail // 2] = 0.0
    hits = sum(
        int(
            (
                sd.vocabulary.gumbel_max(torch.ones(1, 1), weight, sample_shape=(piece,), key=KEY.fold_in(i))
                != tail // 2
            ).sum()
        )
        for i in range(draws // piece)
    )
    assert_rare(hits, draws // piece * piece * tail * p)


def test_rows_are_drawn_alike_wherever_they_stand():
    hidden, weight, bias = head((9,))
    whole = sd.vocabulary.gumbel_max(hidden, weight, bias, key=KEY)
    tail = sd.vocabulary.gumbel_max(hidden[4:], weight, bias, key=KEY.rows(4))
    assert torch.equal(tail, whole[4:])


@pytest.mark.parametrize("given", ["mask", "bias", "hidden"])
def test_rows_without_an_allowed_class(given):
    hidden, weight, bias = head((4,), classes=40)
    mask = torch.ones(4, 40, dtype=torch.bool)
    if given == "mask":
        mask[2] = False
    elif given == "bias":
        bias[:] = -torch.inf
    else:
        hidden[2] = torch.nan
    learned = [one.requires_grad_() for one in (hidden, weight, bias)]
    drawn = sd.vocabulary.gumbel_max(*learned, mask=mask, key=KEY, return_log_prob=True)
    grads = torch.autograd.grad(drawn.log_prob.sum() + drawn.entropy.sum(), learned)
    rows = {"mask": [2], "bias": [0, 1, 2, 3], "hidden": [2]}[given]
    assert bool((drawn.index[rows] == -1).all())
    assert bool((grads[0][rows] == 0).all())
    value = math.nan if given == "hidden" else 0.0
    lost = torch.full((len(rows),), value, dtype=torch.float64)
    torch.testing.assert_close(drawn.log_prob[rows].detach(), lost, equal_nan=True)
    torch.testing.assert_close(drawn.entropy[rows].detach(), lost, equal_nan=True)


@pytest.mark.parametrize("mask_shape", [None, (30,), (1, 30), (5, 30)])
@pytest.mark.parametrize("tau_kind", ["float", "scalar", "rows", "column"])
def test_gradients_by_finite_differences(mask_shape, tau_kind):
    hidden, weight, bias = head((5,), 3, 30)
    mask = None if mask_shape is None else torch.rand(mask_shape) < 0.6
    tau = {
        "float": 0.7,
        "scalar": torch.tensor(0.7),
        "rows": torch.rand(5) + 0.5,
        "column": torch.rand(5, 1) + 0.5,
    }[tau_kind]
    learned = [hidden, weight, bias] + ([tau.double()] if isinstance(tau, torch.Tensor) else [])
    learned = [one.clone().requires_grad_() for one in learned]

    def values(hidden, weight, bias, tau=tau):
        drawn = sd.vocabulary.gumbel_max(
            hidden, weight, bias, tau=tau, mask=mask, sample_shape=(2,), key=KEY, return_log_prob=True
        )
        return drawn.log_prob, drawn.entropy

    index = sd.vocabulary.gumbel_max(
        *learned[:3], tau=learned[3] if len(learned) > 3 else tau, mask=mask, key=KEY
    )
    assert len(index.unique()) > 1
    torch.autograd.gradcheck(values, learned, nondet_tol=0.0)


@pytest.mark.parametrize("frozen", ["hidden", "weight", "bias", "tau"])
def test_only_what_needs_a_gradient_gets_one(frozen):
    hidden, weight, bias = head((5,), 3, 30)
    inputs = {
        "hidden": hidden,
        "weight": weight,
        "bias": bias,
        "tau": torch.rand(5, dtype=torch.float64) + 0.5,
    }
    learned = {name: one.clone().requires_grad_() for name, one in inputs.items()}
    drawn = sd.vocabulary.gumbel_max(**learned, key=KEY, return_log_prob=True)
    (drawn.log_prob.sum() + drawn.entropy.sum()).backward()
    some = {name: one.clone().requires_grad_(name != frozen) for name, one in inputs.items()}
    drawn = sd.vocabulary.gumbel_max(**some, key=KEY, return_log_prob=True)
    (drawn.log_prob.sum() + drawn.entropy.sum()).backward()
    for name, one in some.items():
        assert (one.grad is None) == (name == frozen)
        if one.grad is not None:
            torch.testing.assert_close(one.grad, learned[name].grad)


def test_reinforce_climbs_the_exact_gradient():
    hidden, weight, bias = (one / 3 for one in head((1,), 3, 12))
    weight.requires_grad_()
    reward = torch.linspace(-1, 1, 12, dtype=torch.float64)
    exact = torch.autograd.grad(((hidden @ weight.mT + bias).softmax(-1) @ reward).sum(), weight)[0]
    drawn = sd.vocabulary.gumbel_max(
        hidden, weight, bias, sample_shape=(20_000,), key=KEY, return_log_prob=True
    )
    with torch.no_grad():
        score = torch.nn.functional.one_hot(drawn.index[:, 0], 12) - (hidden @ weight.mT + bias).softmax(-1)
        draws = reward[drawn.index[:, 0]].unsqueeze(-1) * score
    assert_mean(draws.unsqueeze(-1) * hidden, exact)
    found = torch.autograd.grad((reward[drawn.index] * drawn.log_prob).mean(), weight)[0]
    torch.testing.assert_close(found, (draws.unsqueeze(-1) * hidden).mean(0))


def test_a_second_derivative_is_refused():
    hidden, weight, bias = (one.requires_grad_() for one in head((3,), 3, 12))
    drawn = sd.vocabulary.gumbel_max(hidden, weight, bias, key=KEY, return_log_prob=True)
    (grad,) = torch.autograd.grad(drawn.log_prob.sum(), hidden, create_graph=True)
    with pytest.raises(
        RuntimeError, match="got the gradient of its gradient, which its tiles do not do; expected"
    ):
        grad.sum().backward()


def test_no_gradient_reaches_an_index():
    hidden, weight, bias = (one.requires_grad_() for one in head((3,), 3, 12))
    assert not sd.vocabulary.gumbel_max(hidden, weight, bias).requires_grad
    drawn = sd.vocabulary.gumbel_max(hidden, weight, bias, return_log_prob=True)
    assert not drawn.index.requires_grad
    assert drawn.log_prob.requires_grad
    assert drawn.entropy.requires_grad


def test_layouts_change_nothing():
    hidden, weight, bias = head((4, 6))
    expected = sd.vocabulary.gumbel_max(hidden, weight, bias, key=KEY, return_log_prob=True)
    strided = [torch.stack((one, one), -1)[..., 0] for one in (hidden, weight, bias)]
    for inputs in (strided, [hidden.mT.contiguous().mT, weight.mT.contiguous().mT, bias]):
        got = sd.vocabulary.gumbel_max(*inputs, key=KEY, return_log_prob=True)
        assert torch.equal(got.index, expected.index)
        torch.testing.assert_close(got.log_prob, expected.log_prob)
    mask = torch.rand(1500, 4, 6) < 0.5
    got = sd.vocabulary.gumbel_max(hidden, weight, bias, mask=mask.movedim(0, -1), key=KEY)
    again = sd.vocabulary.gumbel_max(hidden, weight, bias, mask=mask.movedim(0, -1).contiguous(), key=KEY)
    assert torch.equal(got, again)


@st.composite
def problems(draw):
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    batch = draw(st.lists(st.integers(0, 4), max_size=2))
    width, classes = draw(st.integers(0, 3)), draw(st.sampled_from([1, 2, 3, 5, 17, 40, 1030, 2050]))
    pool = torch.tensor([0.0, 1.0, -1.0, 0.5, 30.0, 1e4, -1e4], dtype=dtype)

    def some(*shape):
        return pool[torch.randint(len(pool), shape, generator=generator)]

    bias = some(classes) if draw(st.booleans()) else None
    if bias is not None and draw(st.booleans()):
        bias[torch.rand(classes, generator=generator) < 0.3] = -math.inf
    mask = None
    if draw(st.booleans()):
        sizes = [size if draw(st.booleans()) else 1 for size in (*batch, classes)]
        mask = torch.rand(sizes[draw(st.integers(0, len(sizes))) :], generator=generator) < 0.6
    tau = draw(st.sampled_from([1e-3, 0.3, 1.0, 7.0, 1e6]))
    samples = draw(st.sampled_from([(), (2,), (0,)]))
    return some(*batch, width), some(classes, width), bias, mask, tau, samples


@settings(max_examples=200, deadline=None)
@given(problems(), st.integers(0, 2**64))
def test_any_head(problem, seed):
    hidden, weight, bias, mask, tau, samples = problem
    learned = [one.requires_grad_() for one in (hidden, weight) if one.numel()]
    key = sd.Key(seed)
    drawn = sd.vocabulary.gumbel_max(
        hidden, weight, bias, tau=tau, mask=mask, sample_shape=samples, key=key, return_log_prob=True
    )
    logits = hidden.detach() @ weight.detach().mT
    logits = (logits if bias is None else logits + bias) * (1 / tau)
    expected = sd.gumbel_max(logits, mask=mask, sample_shape=samples, key=key)
    # integers, but for a product with 1 / tau, so both round alike and only equal logits tie
    noise = sd.random.gumbel(logits.shape, sample_shape=samples, key=key, dtype=logits.dtype)
    assert torch.equal(drawn.index < 0, expected < 0)
    known = expected >= 0
    allowed = logits > -math.inf if mask is None else (logits > -math.inf) & mask
    lower = (logits - logits.masked_fill(~allowed, -math.inf).amax(-1, keepdim=True)).expand(
        noise.shape
    ) + noise
    best, got = (
        lower.gather(-1, one.clamp(min=0).unsqueeze(-1)).squeeze(-1)[known] for one in (expected, drawn.index)
    )
    size = float(logits.abs().nan_to_num(posinf=0.0).max()) if logits.numel() else 0.0
    assert bool((best - got <= 8 * torch.finfo(logits.dtype).eps * (1 + size)).all())
    assert bool(
        allowed.expand(noise.shape)
        .gather(-1, drawn.index.clamp(min=0).unsqueeze(-1))
        .squeeze(-1)[known]
        .all()
    )
    law = logits.double().masked_fill(~allowed, -math.inf).log_softmax(-1)
    log_prob = law.expand(noise.shape).gather(-1, drawn.index.clamp(min=0).unsqueeze(-1)).squeeze(-1)[known]
    tolerance = 1e-8 if logits.dtype == torch.float64 else 1e-4
    torch.testing.assert_close(
        drawn.log_prob[known].double(), log_prob, rtol=tolerance, atol=tolerance * (1 + size)
    )
    assert bool((drawn.log_prob[~known] == 0).all())
    assert bool((drawn.entropy > -tolerance * (1 + size)).all())
    if learned and drawn.log_prob.requires_grad:
        for grad in torch.autograd.grad(drawn.log_prob.sum() + drawn.entropy.sum(), learned):
            assert bool(torch.isfinite(grad).all())
