"""The temperature is an argument of a draw: held as a number, a tensor or a schedule, read at every call."""

import copy
import math

import pytest
import torch

import softdraw as sd
from softdraw.estimators import TemperedEstimator

from ..schedules.examples import EXAMPLES
from ..statistics import assert_same_mean

NAMES = sd.estimators.names()
TENSOR = [name for name in NAMES if sd.estimators.get(name).needs == "tensor"]
TEMPERED = [name for name in TENSOR if isinstance(sd.estimators.get(name), TemperedEstimator)]
#: those whose temperature shapes the sample's gradient through the graph, not only a backward of their own
LEARNABLE = [name for name in TEMPERED if name not in ("gumbel-rao", "reinmax", "reinmax-rao")]
LOGITS = torch.randn(6, 2, generator=torch.Generator().manual_seed(0))
KEY = sd.Key(5)
UPSTREAM = torch.randn(6, 2, generator=torch.Generator().manual_seed(1))
#: one that moves at every step, however the gradients are
ADAPTIVE = {"factor": 0.8, "every": 1, "max_dead": 1.0, "max_variance": None}
SCHEDULES = {**EXAMPLES, "Adaptive": lambda: sd.schedules.Adaptive(1.0, **ADAPTIVE)}


def fast(name, **options):
    if "draws" in sd.estimators.get(name)._options():
        options.setdefault("draws", 3)
    return sd.estimators.get(name, **options)


def value_of(tau):
    return float(tau.detach()) if isinstance(tau, torch.Tensor) else tau


def drawn(est, *, tau=None, step=None, key=KEY):
    """A sample and the gradient of the logits; ``step`` is called between forward and backward."""
    leaf = LOGITS.clone().requires_grad_()
    y = est(leaf, tau=tau, key=key)
    if step is not None:
        step()
    (y * UPSTREAM).sum().backward()
    return torch.stack([y.detach(), leaf.grad])


@pytest.mark.parametrize("kind", SCHEDULES)
@pytest.mark.parametrize("name", TEMPERED)
def test_an_estimator_follows_its_schedule(name, kind):
    """Step after step, backward after backward, it draws as an estimator of that temperature would."""
    schedule = SCHEDULES[kind]()
    start, moves = schedule.value, kind not in ("Constant", "Sequential")  # which stays for 8 steps
    est = fast(name, tau=schedule)
    for step in range(3):
        assert value_of(est.tau) == pytest.approx(schedule.value)
        key = sd.Key(step)
        torch.testing.assert_close(drawn(est, key=key), drawn(fast(name, tau=schedule.value), key=key))
        if kind == "Learned":
            with torch.no_grad():
                schedule.raw.sub_(0.5)
        schedule.step()
    assert (schedule.value != start) == moves
    copy.deepcopy(est)


@pytest.mark.parametrize("kind", [kind for kind in SCHEDULES if kind != "Learned"])
@pytest.mark.parametrize("name", TEMPERED)
def test_a_step_before_backward_changes_no_earlier_draw(name, kind):
    if kind == "Adaptive":
        schedule = sd.schedules.Adaptive(1.0, factor=0.5, every=1, max_dead=1.0)
        schedule.observe(torch.ones(3, 2))
    else:
        schedule = SCHEDULES[kind]()
    expected = drawn(fast(name, tau=schedule.value))
    torch.testing.assert_close(drawn(fast(name, tau=schedule), step=schedule.step), expected)


@pytest.mark.parametrize("name", LEARNABLE)
def test_the_gradient_reaches_a_learned_temperature(name):
    est = fast(name, tau=sd.schedules.Learned(0.8, 0.1, 10.0))
    (raw,) = est.parameters()
    optimizer = torch.optim.SGD(est.parameters(), lr=0.1)
    for step in range(3):
        before = value_of(est.tau)
        optimizer.zero_grad()
        (est(LOGITS, key=sd.Key(step)) * UPSTREAM).sum().backward()
        assert raw.grad.abs() > 0
        optimizer.step()
        assert value_of(est.tau) != before
    # The derivative of the soft sample, by finite differences of tau; a hard one passes it on.
    tau = est.tau.detach().double().requires_grad_()
    soft = fast(name)(LOGITS.double(), tau=tau, key=sd.Key(9))
    (got,) = torch.autograd.grad((soft * UPSTREAM).sum(), tau)
    if name in ("gumbel-softmax", "binary-concrete"):
        ends = [fast(name)(LOGITS.double(), tau=tau.item() + h, key=sd.Key(9)) for h in (1e-6, -1e-6)]
        slope = ((ends[0] - ends[1]) * UPSTREAM).sum() / 2e-6
        torch.testing.assert_close(got, slope, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("name", TEMPERED)
def test_a_temperature_of_the_call_leaves_nothing_behind(name, samples):
    def cost(z):
        return (z * UPSTREAM.reshape(3, 2, 2)).sum((-1, -2))

    est, other = fast(name, tau=1.2, samples=samples), fast(name, tau=0.4, samples=samples)
    before = drawn(est)
    for tau in (0.4, torch.tensor(0.4), torch.full((6, 1), 0.4)):
        torch.testing.assert_close(drawn(est, tau=tau), drawn(other))
        assert est.tau == 1.2
    logits = LOGITS.reshape(3, 2, 2)
    value = est.expectation(cost, logits, tau=0.4, key=sd.Key(1))
    torch.testing.assert_close(value, other.expectation(cost, logits, key=sd.Key(1)))
    odds = LOGITS[:, 0]
    value = est.binary_sample(odds, tau=0.4, key=sd.Key(1))
    torch.testing.assert_close(value, other.binary_sample(odds, key=sd.Key(1)))
    torch.testing.assert_close(drawn(est), before)


@pytest.mark.parametrize("name", TENSOR)
def test_a_binary_sample_is_the_first_of_two_classes(name):
    """In law: 100,000 draws of each have the same mean."""
    est = fast(name)
    odds = torch.tensor([-2.0, 0.0, 1.0]).expand(100_000, 3)
    mask = torch.tensor([True, True, False])
    value = est.binary_sample(odds, mask=mask, key=sd.Key(3))
    assert value.shape == odds.shape
    assert bool((value[:, 2] == 0).all())
    pairs = est(torch.stack([odds, torch.zeros_like(odds)], -1), key=sd.Key(4))[..., 0]
    assert_same_mean(value[:, :2], pairs[:, :2])
    assert est.binary_sample(torch.zeros(()), key=sd.Key(0)).shape == ()


@pytest.mark.parametrize("name", TENSOR)
def test_binary_samples_name_what_is_wrong(name):
    est = fast(name)
    with pytest.raises(TypeError, match="logits"):
        est.binary_sample(torch.zeros(3, dtype=torch.int64))
    with pytest.raises(TypeError, match="mask"):
        est.binary_sample(torch.zeros(3), mask=torch.ones(3))
    with pytest.raises(ValueError, match="mask"):
        est.binary_sample(torch.zeros(3), mask=torch.ones(4, dtype=torch.bool))


@pytest.mark.parametrize("name", [name for name in TENSOR if name not in TEMPERED])
def test_estimators_without_a_temperature_refuse_one(name):
    with pytest.raises(ValueError, match=r"tau: got 0\.5, expected None: .* has no temperature"):
        fast(name)(LOGITS, tau=0.5)
    with pytest.raises(ValueError, match=r"tau: got 0\.5, expected None"):
        sd.nn.Choice(name, tau=0.5)


@pytest.mark.parametrize("name", TEMPERED)
def test_temperatures_are_checked(name):
    """At construction, at assignment and at the call, in the same words."""
    est = fast(name)

    def assign(tau):
        est.tau = tau

    for use in (lambda tau: sd.estimators.get(name, tau=tau), assign, lambda tau: est(LOGITS, tau=tau)):
        for wrong in (-1.0, math.nan):
            with pytest.raises(ValueError, match=r"tau: got .*, expected a number >= 0"):
                use(wrong)
        for wrong in ("1", True, [1.0]):
            with pytest.raises(TypeError, match=r"tau: got .*, expected a number >= 0"):
                use(wrong)
        if name in ("gumbel-rao", "reinmax-rao"):
            with pytest.raises(ValueError, match=r"tau: got 0\.0, expected a temperature > 0.*reinmax"):
                use(0.0)
    with pytest.raises(TypeError, match=r"schedule's \.tau"):
        est(LOGITS, tau=sd.schedules.Constant(1.0))
    with pytest.raises(TypeError, match="tau: got None"):
        assign(None)


class Unsaved(sd.schedules.Schedule):
    """A schedule that is no module and has no state."""

    tau, step_count = torch.ones(()), 0

    def step(self, count=1):
        pass

    def config(self):
        return {}

    def curve(self, steps=None):
        return [0], [1.0]


def test_a_schedule_that_nothing_can_save_is_refused():
    for hold in (
        sd.estimators.STGumbelSoftmax,
        sd.nn.GumbelSoftmax,
        lambda s: sd.nn.HardConcreteGate(3, tau=s),
    ):
        with pytest.raises(TypeError, match=r"tau: got Unsaved\(\).*, expected a schedule that can be saved"):
            hold(Unsaved())


@pytest.mark.parametrize("name", TEMPERED)
def test_tau_may_be_assigned(name):
    est = fast(name)
    for tau in (0.3, torch.tensor(0.3), sd.schedules.Constant(0.3), torch.nn.Parameter(torch.tensor(0.3))):
        est.tau = tau
        assert value_of(est.tau) == pytest.approx(0.3)
        torch.testing.assert_close(drawn(est), drawn(fast(name, tau=0.3)))
    assert [p.shape for p in est.parameters()] == [()]
    est.tau = sd.schedules.Learned(0.4)
    assert [p.shape for p in est.parameters()] == [(1,)]
    est.tau = 0.5
    assert not list(est.parameters())


@pytest.mark.parametrize("kind", SCHEDULES)
@pytest.mark.parametrize("name", TEMPERED)
def test_state_dict_brings_the_temperature_back(name, kind):
    saved, fresh = (fast(name, tau=SCHEDULES[kind]()) for _ in range(2))
    for step in range(3):
        drawn(saved, key=sd.Key(step))
        saved.temperature.schedule.step()
        if kind == "Learned":
            with torch.no_grad():
                saved.temperature.schedule.raw.sub_(0.3)
    fresh.load_state_dict(saved.state_dict())
    assert fresh.temperature.schedule.step_count == 3
    assert value_of(fresh.tau) == value_of(saved.tau)


@pytest.mark.parametrize("name", TEMPERED)
def test_adaptive_in_an_estimator_sees_the_gradients(name):
    schedule = sd.schedules.Adaptive(1.0, factor=0.5, every=1, max_dead=1.0)
    est = fast(name, tau=schedule)
    drawn(est)
    schedule.step()
    assert (schedule.measured.rows, schedule.value) == (6, 0.5)


def test_the_forward_temperature_is_read_at_every_call():
    schedule = sd.schedules.Linear(2.0, 0.5, steps=2)
    est = sd.estimators.DecoupledSTGumbelSoftmax(1.0, schedule)
    for _ in range(3):
        expected = sd.estimators.DecoupledSTGumbelSoftmax(1.0, schedule.value)
        torch.testing.assert_close(drawn(est), drawn(expected))
        schedule.step()
    assert float(est.forward_tau) == 0.5
    learned = sd.estimators.DecoupledSTGumbelSoftmax(1.0, sd.schedules.Learned(1.0))
    for step in range(2):
        (learned(LOGITS, key=sd.Key(step)) * UPSTREAM).sum().backward()
    assert all(p.grad.abs() > 0 for p in learned.parameters())
    with pytest.raises(ValueError, match=r"forward_tau: got 0\.0, expected a temperature > 0"):
        est.forward_tau = 0.0
    with pytest.raises(ValueError, match=r"forward_tau: got -1\.0"):
        sd.estimators.DecoupledSTGumbelSoftmax(1.0, -1.0)


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's own tracer
@pytest.mark.parametrize("name", TEMPERED)
def test_a_compiled_estimator_follows_its_schedule_without_recompiling(name):
    torch._dynamo.reset()
    schedule = sd.schedules.Linear(2.0, 0.5, steps=2)
    est = fast(name, tau=schedule)
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    compiled = torch.compile(lambda x: est(x, key=sd.Key(1)), fullgraph=True, backend=backend)
    for _ in range(3):
        torch.testing.assert_close(compiled(LOGITS), est(LOGITS, key=sd.Key(1)))
        schedule.step()
    assert len(graphs) == 1
