"""REBAR and RELAX: what they learn, and that it helps."""

import pytest
import torch

import softdraw as sd
from softdraw.diagnostics.compare import prepared

from ...statistics import assert_mean


def own_gradients(est, problem, key):
    logits = problem.logits.clone().requires_grad_()
    est.expectation(lambda z: problem.cost(z, problem.parameter), logits, key=key).backward()
    return {name: p.grad.clone() for name, p in est.named_parameters()}, logits.grad


@pytest.mark.parametrize("name", ["rebar", "relax", "rodeo"])
def test_parameters_get_the_gradient_of_the_squared_norm(lab, name):
    """Against finite differences of |estimate|^2 at a fixed key."""
    problem = lab.random_problem(2, 3, seed=50)

    def make():
        torch.manual_seed(0)
        est = sd.estimators.get(name).double()
        est.expectation(lambda z: problem.cost(z, problem.parameter), problem.logits, key=sd.Key(0))
        with torch.no_grad():
            for p in est.parameters():
                p.add_(0.3 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())))
        return est.double()

    est = make()
    got, _ = own_gradients(est, problem, sd.Key(4))
    for parameter_name, gradient in got.items():
        base = make()
        where = dict(base.named_parameters())[parameter_name].view(-1)
        norms = []
        for shift in (1e-5, -2e-5):
            with torch.no_grad():
                where[0] += shift
            norms.append(own_gradients(base, problem, sd.Key(4))[1].square().sum())
            base.zero_grad()
        numeric = (norms[0] - norms[1]) / 2e-5
        torch.testing.assert_close(gradient.view(-1)[0], numeric, rtol=1e-4, atol=1e-6)


def test_ascent_on_the_value_still_descends_on_the_variance(lab):
    problem = lab.random_problem(2, 3, seed=50)
    found = []
    for sign in (1, -1):
        est = sd.estimators.get("rebar")
        logits = problem.logits.clone().requires_grad_()
        (
            sign * est.expectation(lambda z: problem.cost(z, problem.parameter), logits, key=sd.Key(0))
        ).backward()
        found.append((est.eta.grad.item(), logits.grad))
    assert found[0][0] == found[1][0] != 0
    torch.testing.assert_close(found[0][1], -found[1][1])


def test_f_gets_its_gradient_from_the_samples_alone(lab):
    """The relaxed cost is a control variate; it must not leak into the gradient of f's parameters."""
    problem = lab.random_problem(2, 3, seed=51)
    gradients = []
    for name in ("rebar", "relax", "reinforce"):
        parameter = problem.parameter.clone().requires_grad_()
        logits = problem.logits.clone().requires_grad_()
        value = sd.estimators.get(name).expectation(
            lambda z, p=parameter: problem.cost(z, p), logits, key=sd.Key(0)
        )
        value.backward()
        gradients.append(parameter.grad)
    assert gradients[0] == gradients[1] == gradients[2] != 0


@pytest.mark.parametrize("name", ["rebar", "relax", "rodeo"])
def test_training_lowers_the_variance(lab, name):
    problem = lab.random_problem(3, 3, seed=52)

    def cost(z):
        return problem.cost(z, problem.parameter)

    spread = []
    for warmup in (0, 400):
        torch.manual_seed(0)
        est = prepared(sd.estimators.get(name), cost, problem.logits, None, warmup, sd.Key(1))
        _, gradients, _ = lab.draws_of(est, problem, 10_000, sd.Key(2))
        spread.append(float(gradients.var(0).sum()))
    assert spread[1] < 0.95 * spread[0]


def test_less_variance_than_reinforce(lab):
    problem = lab.random_problem(2, 3, seed=52)
    spread = {}
    for name in ("rebar", "reinforce"):
        options = {"baseline": "none"} if name == "reinforce" else {}
        _, gradients, _ = lab.draws_of(sd.estimators.get(name, **options), problem, 10_000, sd.Key(2))
        spread[name] = float(gradients.var(0).sum())
    assert spread["rebar"] < spread["reinforce"]


def test_relax_starts_as_rebar(lab):
    problem = lab.random_problem(2, 3, seed=53)
    rebar = lab.draws_of(sd.estimators.get("rebar"), problem, 50, sd.Key(1))
    relax = lab.draws_of(sd.estimators.get("relax"), problem, 50, sd.Key(1))
    torch.testing.assert_close(rebar, relax)


def test_relax_serves_a_black_box(lab):
    """c = r alone: one evaluation of a cost that autograd cannot see, unbiased with a trained r."""
    problem = lab.random_problem(2, 3, seed=54)
    _, exact, _ = lab.exact_of(problem)
    est = sd.estimators.get("relax", relaxed_f=False)
    assert est.evaluations(2, 3) == 1

    def black_box(z, parameter=problem.parameter):
        return problem.cost(z.detach(), parameter.detach())

    trained = prepared(est, black_box, problem.logits, None, 200, sd.Key(0))
    _, gradients, _ = lab.draws_of(trained, problem, 12_000, sd.Key(1), black_box)
    assert_mean(gradients, exact, precise=0.35)


@pytest.mark.parametrize("name", ["rebar", "relax"])
def test_temperature_is_checked(name):
    for wrong in (0.0, -1.0, float("inf")):
        with pytest.raises(ValueError, match="tau: got"):
            sd.estimators.get(name, tau=wrong)
    assert sd.estimators.get(name, tau=0.25).tau.item() == pytest.approx(0.25)
