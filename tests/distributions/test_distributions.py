"""What every distribution promises, over the list of all of them."""

import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import softdraw as sd
from softdraw import distributions as D

from .examples import DISCRETE, EXAMPLES, LOGITS, RELAXED, TAU

NAMES = list(EXAMPLES)
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def test_the_list_is_complete():
    assert set(NAMES) == set(D.__all__) - {"kl_estimate"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_own_samples_pass_validation_and_have_a_density(name, dtype):
    d = EXAMPLES[name](dtype)
    assert isinstance(d, torch.distributions.Distribution)
    assert d._validate_args
    draws = d.sample((200,), key=sd.Key(1))
    assert draws.dtype == (torch.int64 if name == "Categorical" else dtype)
    assert draws.shape == (200, *d.batch_shape, *d.event_shape)
    log_prob = d.log_prob(draws)
    assert log_prob.shape == (200, *d.batch_shape)
    assert log_prob.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert log_prob.isfinite().all()
    if name != "Categorical":
        assert draws.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_a_key_repeats_a_draw_and_samples_differ(name):
    d = EXAMPLES[name](torch.float32)
    first, again = d.sample((50,), key=sd.Key(7)), d.sample((50,), key=sd.Key(7))
    assert torch.equal(first, again)
    assert not torch.equal(first, d.sample((50,), key=sd.Key(8)))
    assert not torch.equal(first[:25], first[25:])


@pytest.mark.parametrize("name", NAMES)
def test_generators_and_manual_seed_repeat_a_draw(name):
    d = EXAMPLES[name](torch.float32)
    draws = [d.sample((20,), generator=torch.Generator().manual_seed(s)) for s in (3, 3, 4)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    with torch.random.fork_rng():
        draws = [(torch.manual_seed(5), d.sample((20,)))[1] for _ in range(2)]
    assert torch.equal(draws[0], draws[1])
    with pytest.raises(ValueError, match="key and generator: got both"):
        d.sample(key=sd.Key(0), generator=torch.Generator())


@pytest.mark.parametrize("name", NAMES)
def test_expand_keeps_law_and_noise_of_its_shape(name):
    d = EXAMPLES[name](torch.float32)
    wide = d.expand((5, *d.batch_shape))
    assert type(wide) is type(d)
    assert wide.batch_shape == (5, *d.batch_shape)
    draws = wide.sample((2,), key=sd.Key(3))
    assert draws.shape == (2, 5, *d.batch_shape, *d.event_shape)
    assert not torch.equal(draws[:, 0], draws[:, 1])
    plain = draws if name in DISCRETE else draws.detach()
    torch.testing.assert_close(d.log_prob(plain), wide.log_prob(plain))
    same = d.expand(d.batch_shape)
    assert torch.equal(same.sample(key=sd.Key(3)), d.sample(key=sd.Key(3)))


@pytest.mark.parametrize("name", NAMES)
def test_copies_draw_the_same(name):
    d = EXAMPLES[name](torch.float32)
    for other in (copy.deepcopy(d), pickle.loads(pickle.dumps(d))):
        assert torch.equal(other.sample((3,), key=sd.Key(2)), d.sample((3,), key=sd.Key(2)))


@pytest.mark.parametrize("name", RELAXED)
def test_rsample_and_log_prob_is_rsample_and_log_prob(name):
    d = EXAMPLES[name](torch.float64)
    logits = LOGITS.double().requires_grad_()
    tau = TAU.double().requires_grad_()
    results = []
    for how in ("one", "two"):
        d = type(d)(tau, logits=logits)
        if how == "one":
            value, log_prob = d.rsample_and_log_prob((7,), key=sd.Key(4))
        else:
            value = d.rsample((7,), key=sd.Key(4))
            log_prob = d.log_prob(value)
        weight = torch.linspace(-1, 1, value.numel(), dtype=torch.float64).reshape(value.shape)
        grads = torch.autograd.grad((value * weight).sum() + log_prob.sum(), (logits, tau))
        results.append((torch.Tensor(value), log_prob, *grads))
    for one, two in zip(*results, strict=True):
        assert torch.equal(one, two)
        assert one.isfinite().all()


@pytest.mark.parametrize("name", RELAXED)
def test_total_gradient_against_finite_differences(name):
    cls = getattr(D, name)

    def total(logits, tau):
        value, log_prob = cls(tau, logits=logits).rsample_and_log_prob((3,), key=sd.Key(9))
        # The value of a straight-through sample is a step function: only its density has a slope to compare.
        return log_prob.sum() + (0.0 if "StraightThrough" in name else value.square().sum())

    inputs = (LOGITS.double().requires_grad_(), TAU.double().requires_grad_())
    assert torch.autograd.gradcheck(total, inputs)


@pytest.mark.parametrize("name", NAMES)
def test_constructor_errors_name_the_argument(name):
    cls = getattr(D, name)
    head = () if name in DISCRETE else (0.5,)
    with pytest.raises(ValueError, match="probs and logits: got both, expected exactly one"):
        cls(*head, probs=torch.ones(3) / 3, logits=torch.zeros(3))
    with pytest.raises(ValueError, match="probs and logits: got neither, expected exactly one"):
        cls(*head)
    with pytest.raises(ValueError, match=r"logits: got values such as \[nan\], expected"):
        cls(*head, logits=torch.tensor([0.0, torch.nan]))
    with pytest.raises(ValueError, match=r"probs: got values such as \[-0\.5\], expected"):
        cls(*head, probs=torch.tensor([0.5, -0.5]))
    with pytest.raises(TypeError, match=r"logits: got a tensor of shape \(2,\) of int64, expected"):
        cls(*head, logits=torch.tensor([0, 1]))
    with pytest.raises(TypeError, match=r"mask: got a tensor .* of float32, expected a tensor of bool"):
        cls(*head, logits=torch.zeros(3), mask=torch.ones(3))
    with pytest.raises(ValueError, match=r"mask: got a tensor of shape \(4,\) .* broadcasts to \(3,\)"):
        cls(*head, logits=torch.zeros(3), mask=torch.ones(4, dtype=torch.bool))


@pytest.mark.parametrize("name", RELAXED)
@pytest.mark.parametrize("tau", [0.0, -1.0, float("nan"), torch.tensor([1.0, 0.0, 1.0])])
def test_temperature_must_be_positive(name, tau):
    with pytest.raises(ValueError, match=r"temperature: got .*, expected (a number >= 0|all > 0)"):
        getattr(D, name)(tau, logits=LOGITS)


@pytest.mark.parametrize("name", RELAXED)
def test_temperature_must_fit(name):
    with pytest.raises(ValueError, match=r"temperature: got a tensor of shape \(2,\).*expected a number"):
        getattr(D, name)(torch.ones(2), logits=LOGITS)


@pytest.mark.parametrize("name", RELAXED)
def test_a_temperature_a_row_with_and_without_the_last_dimension(name):
    cls = getattr(D, name)
    bare, kept = cls(TAU, logits=LOGITS), cls(TAU[:, None], logits=LOGITS)
    rows = [cls(float(t), logits=row) for t, row in zip(TAU, LOGITS, strict=True)]
    value = bare.sample((6,), key=sd.Key(5))
    assert torch.equal(value, kept.sample((6,), key=sd.Key(5)))
    log_prob = bare.log_prob(value)
    assert log_prob.shape == (6, *bare.batch_shape)
    assert torch.equal(log_prob, kept.log_prob(value))
    for i, d in enumerate(rows):
        torch.testing.assert_close(log_prob[:, i], d.log_prob(value[:, i]))


@pytest.mark.parametrize("name", RELAXED)
def test_a_schedule_that_steps_changes_no_drawn_sample(name):
    s = sd.schedules.Linear(1.0, 0.1, steps=3)
    logits = LOGITS.clone().requires_grad_()
    d = getattr(D, name)(s.tau, logits=logits)
    value = d.rsample(key=sd.Key(0))
    before = d.log_prob(value).detach()
    s.step()
    assert torch.equal(d.log_prob(value).detach(), before)
    value.sum().backward()


@settings(max_examples=40, deadline=None)
@given(
    batch=st.lists(st.integers(0, 3), max_size=2),
    sample=st.lists(st.integers(0, 3), max_size=2),
    classes=st.integers(1, 5),
    dtype=st.sampled_from(DTYPES),
    tau=st.sampled_from([0.01, 0.5, 1.0, 1e10]),
    seed=st.integers(0, 2**32),
)
def test_any_shape_dtype_and_mask(batch, sample, classes, dtype, tau, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(*batch, classes, generator=generator).to(dtype)
    mask = torch.rand(*batch, classes, generator=generator) > 0.3
    for name in NAMES:
        cls = getattr(D, name)
        d = cls(*(() if name in DISCRETE else (tau,)), logits=logits, mask=mask)
        value = d.sample(sample, key=sd.Key(seed))
        assert value.shape == (*sample, *d.batch_shape, *d.event_shape)
        log_prob = d.log_prob(value)
        assert log_prob.shape == (*sample, *d.batch_shape)
        assert log_prob.isfinite().all()
        if name in ("RelaxedOneHotCategorical", "OneHotCategorical") or "StraightThrough" in name:
            assert (value[..., ~mask] == 0).all()
        empty = ~mask.any(-1)
        if d.event_shape or name == "Categorical":
            assert (log_prob[..., empty] == 0).all()
        else:
            assert (log_prob[..., ~mask] == 0).all()


@pytest.mark.parametrize("name", RELAXED)
def test_transforms(name):
    cls, key = getattr(D, name), sd.Key(3)
    logits = LOGITS[:, None].expand(3, 2, 4)

    def total(logits):
        d = cls(0.5, logits=logits)
        return d.log_prob(d.rsample(key=key)).sum()

    whole = logits.clone().requires_grad_()
    (expected,) = torch.autograd.grad(sum(total(row) for row in whole), whole)
    torch.testing.assert_close(torch.func.vmap(torch.func.grad(total))(logits), expected)
    torch.testing.assert_close(torch.func.grad(total)(logits[1]), expected[1])


@pytest.mark.parametrize("name", RELAXED)
def test_vmap_without_a_key_follows_its_randomness(name):
    def draw(logits):
        return getattr(D, name)(0.5, logits=logits).rsample_and_log_prob()[1]

    same = torch.func.vmap(draw, randomness="same")(torch.zeros(4, 30, 5))
    assert torch.equal(same[0], same[1])
    different = torch.func.vmap(draw, randomness="different")(torch.zeros(4, 30, 5))
    assert not torch.equal(different[0], different[1])
    with pytest.raises(RuntimeError, match="randomness"):
        torch.func.vmap(draw)(torch.zeros(4, 30, 5))


def test_compiled_draws_without_a_key_differ_from_call_to_call():
    @torch.compile(fullgraph=True, backend="aot_eager")
    def draw(logits):
        return D.RelaxedOneHotCategorical(0.5, logits=logits).rsample()

    assert not torch.equal(draw(LOGITS), draw(LOGITS))
