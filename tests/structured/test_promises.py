"""What every law promises, against enumeration of all its structures."""

import copy
import math
import pickle

import pytest
import torch
from torch.distributions import kl_divergence

import softdraw as sd

from ..statistics import assert_frequencies
from .laws import LAWS, WIDE, normal

TOLERANCE = {torch.float64: 1e-8, torch.float32: 1e-4}
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


@pytest.fixture(params=LAWS)
def law(request):
    return LAWS[request.param]


def having(*what):
    return pytest.mark.parametrize("law", [k for k, v in LAWS.items() if not v.without & set(what)])


@pytest.fixture
def named(law):
    return LAWS[law] if isinstance(law, str) else law


def made(law, dtype=WIDE, seed=0):
    """Parameters in ``dtype`` with a gradient, and the law of them."""
    parameters = tuple(value.to(dtype).requires_grad_() for value in law.parameters(seed))
    return parameters, law.make(*parameters)


def oracle(law, seed=0, dtype=WIDE):
    """Float64 parameters, the log probabilities [count, 3] and the log partition [3]."""
    parameters = tuple(value.to(dtype).to(WIDE).requires_grad_() for value in law.parameters(seed))
    scores = law.score(law.structures, *parameters)
    return parameters, scores - scores.logsumexp(0), scores.logsumexp(0)


def close(got, wanted, dtype=WIDE):
    torch.testing.assert_close(
        got.to(WIDE), wanted.to(WIDE), rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype], check_stride=False
    )


def same_gradient(ours, theirs, parameters, exact, dtype):
    """Value, and gradients of a weighted sum."""
    close(ours, theirs, dtype)
    weight = normal(*theirs.shape, seed=9)
    ours = torch.autograd.grad((ours.to(WIDE) * weight).sum(), parameters, allow_unused=True)
    theirs = torch.autograd.grad((theirs * weight).sum(), exact, allow_unused=True)
    for one, other in zip(ours, theirs, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            close(one, other, dtype)


def values(law, dtype):
    """All structures with a dim for the batch."""
    structures = law.structures.unsqueeze(1)
    return structures if structures.dtype == torch.int64 else structures.to(dtype)


def test_the_list_is_complete():
    used = {type(law.make(*law.parameters(0))).__name__ for law in LAWS.values()}
    assert used == set(sd.structured.__all__) - {"Structured"}


def test_all_structures_are_listed(law):
    d = law.make(*law.parameters(0))
    found = {tuple(one.flatten().tolist()) for one in d.enumerate_support()[:, 0]}
    assert found == {tuple(one.flatten().tolist()) for one in law.structures}
    assert len(d.enumerate_support()) == len(law.structures)
    assert d.enumerate_support().shape == (len(law.structures), 3, *d.event_shape)
    assert d.enumerate_support(expand=False).shape == (len(law.structures), 1, *d.event_shape)
    assert bool(d.support.check(d.enumerate_support()).all())


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_log_probabilities(law, dtype):
    parameters, d = made(law, dtype)
    exact, log_p, _ = oracle(law, dtype=dtype)
    ours = d.log_prob(values(law, dtype))
    assert ours.dtype == dtype
    same_gradient(ours, log_p, parameters, exact, dtype)
    close(ours.exp().sum(0), torch.ones(3), dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
@having("log_partition")
def test_log_partition(named, dtype):
    parameters, d = made(named, dtype)
    exact, _, total = oracle(named, dtype=dtype)
    same_gradient(d.log_partition, total, parameters, exact, dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
@having("marginals")
def test_marginals(named, dtype):
    parameters, d = made(named, dtype)
    exact, log_p, _ = oracle(named, dtype=dtype)
    indicators = named.structures if named.indicators is None else named.indicators
    means = torch.tensordot(log_p.exp().T, indicators, 1)
    assert d.marginals.dtype == dtype
    same_gradient(d.marginals, means, parameters, exact, dtype)
    if named.indicators is None:
        close(d.mean, means, dtype)
        close(d.variance, means * (1 - means), dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
@having("entropy")
def test_entropy(named, dtype):
    parameters, d = made(named, dtype)
    exact, log_p, _ = oracle(named, dtype=dtype)
    same_gradient(d.entropy(), -(log_p.exp() * log_p).sum(0), parameters, exact, dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
@having("kl")
def test_divergence(named, dtype):
    (one, p), (two, q) = made(named, dtype), made(named, dtype, seed=5)
    (exact, log_p, _), (other, log_q, _) = oracle(named, dtype=dtype), oracle(named, 5, dtype)
    wanted = (log_p.exp() * (log_p - log_q)).sum(0)
    same_gradient(kl_divergence(p, q), wanted, one + two, exact + other, dtype)
    close(kl_divergence(p, p), torch.zeros(3), dtype)


def test_what_has_no_closed_form_says_so(law):
    d = law.make(*law.parameters(0))
    for name, ask in (
        ("marginals", lambda: d.marginals),
        ("log_partition", lambda: d.log_partition),
        ("entropy", d.entropy),
    ):
        if name in law.without:
            with pytest.raises(NotImplementedError, match="closed form"):
                ask()


def test_mode(law):
    d = law.make(*law.parameters(0))
    best = law.structures[oracle(law)[1].argmax(0)]
    assert torch.equal(d.mode.to(best.dtype), best)


@pytest.mark.parametrize("dtype", [torch.float32, WIDE])
def test_draws_follow_the_law(law, dtype):
    _, d = made(law, dtype)
    if len(law.structures) == 1:
        assert bool((d.sample((10,), key=sd.Key(0)) == law.structures[0]).all())
        return
    drawn = d.sample((30_000,), key=sd.Key(0))
    same = (drawn.flatten(2).unsqueeze(2) == law.structures.flatten(1)).all(-1)
    assert bool((same.sum(-1) == 1).all())
    for row in range(3):
        assert_frequencies(same[:, row].sum(0), oracle(law, dtype=dtype)[1][:, row].exp(), comparisons=3)


def test_keys_name_draws(law):
    d = law.make(*law.parameters(0))
    draws = [d.sample((40,), key=sd.Key(s)) for s in (1, 1, 2)]
    assert draws[0].shape == (40, 3, *d.event_shape)
    assert torch.equal(draws[0], draws[1])
    if len(law.structures) > 1:
        assert not torch.equal(draws[0], draws[2])
        assert not torch.equal(draws[0][:20], draws[0][20:])
        assert not torch.equal(draws[0][:, 0], draws[0][:, 1])
    draws = [d.sample((2, 5), generator=torch.Generator().manual_seed(3)) for _ in range(2)]
    assert draws[0].shape == (2, 5, 3, *d.event_shape)
    assert torch.equal(*draws)
    with torch.random.fork_rng():
        draws = [(torch.manual_seed(5), d.sample((20,)))[1] for _ in range(2)]
    assert torch.equal(*draws)


def test_a_batch_in_parts_draws_the_same(law):
    parameters = law.parameters(0)
    whole = law.make(*parameters)
    parts = [law.make(*(value[i:j] for value in parameters)) for i, j in ((0, 1), (1, 3))]
    for draw in (
        lambda d, key: d.sample((9,), key=key),
        lambda d, key: d.relax(0.5, sample_shape=(4,), key=key),
    ):
        split = [draw(part, sd.Key(4).rows(start)) for part, start in zip(parts, (0, 1), strict=True)]
        torch.testing.assert_close(torch.cat(split, 1), draw(whole, sd.Key(4)), rtol=0, atol=1e-12)


def test_a_differentiable_draw_is_a_draw(law):
    (value, *_), d = made(law)
    drawn = d.rsample((6,), key=sd.Key(2))
    assert d.has_rsample
    if "marginals" in law.without or law.indicators is not None:
        hard = d.relax(1.0, hard=True, sample_shape=(6,), key=sd.Key(2))
        assert torch.equal(drawn, hard)
        return
    assert torch.equal(drawn.detach(), d.sample((6,), key=sd.Key(2)))
    weight = normal(*drawn.shape, seed=1)
    ours = torch.autograd.grad((drawn * weight).sum(), value)[0]
    theirs = torch.autograd.grad((d.marginals * weight.sum(0)).sum(), value)[0]
    close(ours, theirs)


@pytest.mark.parametrize("tau", [0.3, 1.0, torch.tensor([0.1, 1.0, 4.0], dtype=WIDE)])
def test_relaxations(law, tau):
    parameters, d = made(law)
    soft = d.relax(tau, sample_shape=(7,), key=sd.Key(1))
    hard = d.relax(tau, hard=True, sample_shape=(7,), key=sd.Key(1))
    assert soft.shape == hard.shape
    assert bool(((hard == 0) | (hard == 1)).all())
    assert bool(((soft >= -1e-9) & (soft <= 1 + 1e-9)).all())
    weight = normal(*soft.shape, seed=1)
    gradients = [torch.autograd.grad((y * weight).sum(), parameters, allow_unused=True) for y in (soft, hard)]
    for one, other in zip(*gradients, strict=True):
        if one is not None:
            assert bool(one.isfinite().all())
            close(one, other)
    cold = d.relax(law.coldest, sample_shape=(7,), key=sd.Key(1))
    torch.testing.assert_close(cold, d.relax(0.5, hard=True, sample_shape=(7,), key=sd.Key(1)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes_come_out_as_they_go_in(law, dtype):
    parameters, d = made(law, dtype)
    drawn = d.sample((5,), key=sd.Key(0))
    assert drawn.dtype == (torch.int64 if law.structures.dtype == torch.int64 else dtype)
    assert d.relax(0.7, key=sd.Key(0)).dtype == dtype
    log_prob = d.log_prob(drawn)
    assert log_prob.dtype == (WIDE if dtype == WIDE else torch.float32)
    # computed in float32 from what half precision holds
    _, log_p, _ = oracle(law, dtype=dtype)
    torch.testing.assert_close(d.log_prob(values(law, dtype)).to(WIDE), log_p, rtol=0, atol=1e-4)
    for gradient in torch.autograd.grad(log_prob.sum(), parameters, allow_unused=True):
        assert gradient is None or bool(gradient.isfinite().all())
    if "marginals" not in law.without:
        assert d.marginals.dtype == dtype


def test_expand(law):
    _, d = made(law)
    wide = d.expand((2, 3))
    assert type(wide) is type(d)
    assert wide.batch_shape == (2, 3)
    assert wide.event_shape == d.event_shape
    drawn = wide.sample((20,), key=sd.Key(3))
    assert drawn.shape == (20, 2, 3, *d.event_shape)
    if len(law.structures) > 1:
        assert not torch.equal(drawn[:, 0], drawn[:, 1])
    torch.testing.assert_close(wide.log_prob(drawn), d.log_prob(drawn))
    assert torch.equal(d.expand((3,)).sample(key=sd.Key(3)), d.sample(key=sd.Key(3)))
    assert torch.equal(wide.mode[1], d.mode)


def test_copies_draw_the_same(law):
    d = law.make(*law.parameters(0))
    for other in (copy.deepcopy(d), pickle.loads(pickle.dumps(d))):
        assert torch.equal(other.sample((4,), key=sd.Key(0)), d.sample((4,), key=sd.Key(0)))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, WIDE])
def test_padding(law, dtype):
    d = law.padded(dtype)
    drawn = d.sample((6,), key=sd.Key(0))
    assert bool((d.log_prob(drawn)[:, 1] == 0).all())
    assert bool((d.log_prob(drawn)[:, 0] > -math.inf).all())
    none = -1 if drawn.dtype == torch.int64 else 0
    assert bool((drawn[:, 1] == none).all())
    assert bool((d.mode[1] == none).all())
    assert not d.relax(0.5, key=sd.Key(0))[1].any()
    for name in {"marginals", "log_partition", "entropy"} - law.without:
        value = getattr(d, name)
        value = value() if name == "entropy" else value
        assert not value[1].any()
        assert bool(value.isfinite().all())
    if "kl" not in law.without:
        assert kl_divergence(d, d).abs().max() < 1e-5


def test_errors(law):
    d = law.make(*law.parameters(0))
    for draw in (d.sample, d.rsample, lambda shape=(), **given: d.relax(0.5, sample_shape=shape, **given)):
        with pytest.raises(ValueError, match="key and generator: got both"):
            draw(key=sd.Key(0), generator=torch.Generator())
        with pytest.raises(TypeError, match="key: got 3"):
            draw(key=3)
        with pytest.raises(TypeError, match="sample_shape: got"):
            draw(2.5)
        with pytest.raises(ValueError, match="sample_shape: got"):
            draw((-1,))
    with pytest.raises(ValueError, match="tau: got -1"):
        d.relax(-1.0)
    with pytest.raises(TypeError, match="value: got"):
        d.log_prob([0.0])
    value = d.sample((2,), key=sd.Key(0))
    with pytest.raises(ValueError, match=r"value: got a tensor of shape .* expected the event shape"):
        d.log_prob(value[..., :-1])
    wrong = value + 7
    with pytest.raises(ValueError, match="value: got 6 of 6 that are no"):
        d.log_prob(wrong)


def test_unvalidated_values_that_are_none_are_impossible(law):
    d = law.make(*law.parameters(0))
    d._validate_args = False
    wrong = d.sample((2,), key=sd.Key(0)) + 7
    assert bool((d.log_prob(wrong) == -math.inf).all())


@pytest.mark.parametrize("name", LAWS)
def test_a_constant_changes_nothing(name):
    """Multiples of 1/32 are exact in float32 beside 2^18, to whose steps noise would be rounded."""
    law = LAWS[name]
    first, *others = ((p * 32).round().float() / 32 for p in law.parameters(0))
    one, other = law.make(first, *others), law.make(first + 2.0**18, *others)
    assert torch.equal(one.sample((50,), key=sd.Key(0)), other.sample((50,), key=sd.Key(0)))
    for hard in (False, True):
        ours, theirs = (d.relax(0.5, hard=hard, sample_shape=(4,), key=sd.Key(1)) for d in (one, other))
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "name", {type(v.make(*v.parameters(0))): k for k, v in reversed(LAWS.items())}.values()
)
def test_compiled(name):
    law = LAWS[name]
    parameters, _ = made(law)

    def all_of_it(*parameters):
        d = law.make(*parameters)
        drawn = d.sample((4,), key=sd.Key(1))
        soft = d.relax(0.5, sample_shape=(2,), key=sd.Key(2))
        means = drawn if "marginals" in law.without else d.marginals
        return drawn, soft, d.log_prob(drawn), means

    torch.compiler.reset()
    compiled = torch.compile(all_of_it, fullgraph=True, backend="aot_eager")
    ours, wanted = compiled(*parameters), all_of_it(*parameters)
    for one, other in zip(ours, wanted, strict=True):
        torch.testing.assert_close(one, other)
    gradients = [torch.autograd.grad((y[1].sum() + y[2].sum()), parameters) for y in (ours, wanted)]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_vmap(law):
    parameters = law.parameters(0)
    d = law.make(*parameters)
    value = d.sample(key=sd.Key(0))
    ours = torch.vmap(lambda v, *p: law.make(*p).log_prob(v))(value, *parameters)
    torch.testing.assert_close(ours, d.log_prob(value))
    if "marginals" not in law.without:
        torch.testing.assert_close(torch.vmap(lambda *p: law.make(*p).marginals)(*parameters), d.marginals)
    drawn = torch.vmap(lambda *p: law.make(*p).sample((5,), key=sd.Key(1)))(*parameters)
    alone = law.make(*(value[1] for value in parameters)).sample((5,), key=sd.Key(1))
    assert torch.equal(drawn[1], alone)
    drawn = torch.vmap(lambda *p: law.make(*p).sample((50,)), randomness="different")(*parameters)
    assert bool((d.log_prob(drawn.movedim(0, 1)) > -math.inf).all())
    gradient = torch.func.grad(lambda *p: law.make(*p).log_prob(value).sum())(*parameters)
    exact, *_ = made(law)
    wanted = torch.autograd.grad(law.make(*exact).log_prob(value).sum(), exact[:1])[0]
    torch.testing.assert_close(gradient, wanted)
