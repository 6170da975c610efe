"""The distributions in Pyro's models and guides, with validation on."""

import warnings

import pytest
import torch

import softdraw as sd

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pyro = pytest.importorskip("pyro", reason="the extra `pyro` is not installed")

from pyro.infer import SVI, Trace_ELBO, TraceEnum_ELBO

from softdraw.integrations import pyro as here

DTYPES = [torch.float32, torch.float64]


@pytest.fixture(autouse=True)
def clean():
    """An empty parameter store, validation on, and everything restored after."""
    pyro.clear_param_store()
    with pyro.validation_enabled(True), torch.random.fork_rng():
        torch.manual_seed(0)
        yield
    pyro.clear_param_store()


def test_every_distribution_is_offered():
    assert set(here.__all__) == set(sd.distributions.__all__) - {"kl_estimate"}
    for name in here.__all__:
        assert issubclass(getattr(here, name), getattr(sd.distributions, name))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", here.__all__)
def test_sites_have_shapes_and_densities_in_a_plate(name, dtype):
    cls = getattr(here, name)
    head = () if name in ("Categorical", "OneHotCategorical") else (0.1,)
    logits = torch.zeros(5, 3, dtype=dtype)

    def model():
        with pyro.plate("rows", 5):
            d = cls(*head, logits=logits)
            pyro.sample("z", d if len(d.batch_shape) == 1 else d.to_event(1))

    trace = pyro.poutine.trace(model).get_trace()
    trace.compute_log_prob()
    assert trace.nodes["z"]["log_prob"].shape == (5,)
    assert trace.nodes["z"]["log_prob"].isfinite().all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("relaxed", "hard", "probs"),
    [
        ("RelaxedOneHotCategorical", "RelaxedOneHotCategoricalStraightThrough", [0.1, 0.2, 0.3, 0.4]),
        ("RelaxedBernoulli", "RelaxedBernoulliStraightThrough", [0.1, 0.2, 0.3, 0.9]),
    ],
)
def test_straight_through_gives_the_elbo_gradient_of_the_relaxed(relaxed, hard, probs, dtype):
    grads = []
    for name in (relaxed, hard):
        q = torch.tensor(probs, dtype=dtype, requires_grad=True)
        cls = getattr(here, name)

        def guide(cls=cls, q=q):
            with pyro.plate("draws", 50_000):
                d = cls(0.5, probs=q)
                pyro.sample("z", d if d.event_shape else d.to_event(1))

        torch.manual_seed(1)
        trace = pyro.poutine.trace(guide).get_trace()
        grads.append(torch.autograd.grad(trace.log_prob_sum() / 50_000, q)[0])
    torch.testing.assert_close(*grads, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_straight_through_guide_learns_the_discrete_model(dtype):
    # log p is a function of the one-hot row; the guide must learn which class has almost all the mass.
    reward = torch.tensor([0.0, 3.0, -1.0, 0.5], dtype=dtype)

    def model():
        z = pyro.sample("z", here.RelaxedOneHotCategorical(0.5, logits=torch.zeros(4, dtype=dtype)))
        pyro.factor("reward", (4 * z * reward).sum())

    def guide():
        logits = pyro.param("logits", torch.zeros(4, dtype=dtype))
        pyro.sample("z", here.RelaxedOneHotCategoricalStraightThrough(0.5, logits=logits))

    svi = SVI(model, guide, pyro.optim.Adam({"lr": 0.1}), loss=Trace_ELBO(num_particles=2))
    losses = [svi.step() for _ in range(60)]
    assert all(torch.tensor(losses).isfinite())
    assert pyro.param("logits").softmax(-1)[1] > 0.8


def test_replay_and_enumeration():
    def model():
        with pyro.plate("rows", 2):
            return pyro.sample(
                "z", here.RelaxedOneHotCategoricalStraightThrough(0.5, logits=torch.zeros(2, 3))
            )

    first = pyro.poutine.trace(model).get_trace()
    again = pyro.poutine.trace(pyro.poutine.replay(model, first)).get_trace()
    assert torch.equal(first.log_prob_sum(), again.log_prob_sum())

    def discrete():
        logits = pyro.param("logits", torch.tensor([0.0, 1.0]))
        z = pyro.sample("z", here.Categorical(logits=logits), infer={"enumerate": "parallel"})
        pyro.factor("f", torch.tensor([0.0, 2.0])[z])

    loss = TraceEnum_ELBO(max_plate_nesting=0).loss(discrete, lambda: None)
    expected = -torch.logsumexp(torch.tensor([0.0, 1.0]).log_softmax(-1) + torch.tensor([0.0, 2.0]), 0)
    assert loss == pytest.approx(expected.item(), abs=1e-5)
