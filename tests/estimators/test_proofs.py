"""Every registered estimator has a proof. One that is registered without an entry here fails.

Means are compared with exact values at the false-alarm rate of ``tests/statistics.py``; keys are fixed, so a
pass is a pass for good.
"""

import pytest
import torch

import softdraw as sd
from softdraw.diagnostics.exact import target_of

from ..statistics import assert_mean

#: value and gradient unbiased for E[f(z)] or for their bound: proved by enumeration below
UNBIASED = {
    "enumeration": {},
    "indecater": {"samples": 2},
    "reinforce": {"baseline": "none"},
    "rloo": {},
    "unordered-set": {},
    "arm": {},
    "disarm": {},
    "arsm": {},
    "vimco": {"samples": 2},
    "rodeo": {},
    "rebar": {},
    "relax": {},
}

#: every other estimator, and the tests that say what theory says of it
THEORY = {
    "gumbel-softmax": ("test_gumbel_softmax.py", "test_relaxed_target_by_quadrature"),
    "binary-concrete": ("test_binary_concrete.py", "test_relaxed_target_by_quadrature"),
    "st": ("test_st.py", "test_mean_gradient_by_enumeration"),
    "st-gumbel-softmax": ("test_st_gumbel_softmax.py", "test_gradient_is_that_of_the_soft_sample"),
    "decoupled-st-gumbel-softmax": (
        "test_decoupled_st_gumbel_softmax.py",
        "test_value_is_that_of_the_tempered_law",
    ),
    "gapped-st": ("test_gapped_st.py", "test_mean_gradient_by_enumeration"),
    "gumbel-rao": ("test_gumbel_rao.py", "test_mean_of_st_gumbel_softmax_and_no_more_variance"),
    "reinmax": ("test_reinmax.py", "test_exact_for_quadratic_costs"),
    "reinmax-rao": ("test_reinmax_rao.py", "test_conditional_jacobian_by_rejection"),
    "redge": ("test_redge.py", "test_value_and_gradient_by_quadrature"),
    "relaxed": ("test_laws.py", "test_relaxed_is_autograd_at_the_same_noise"),
    "st-relaxed": ("test_laws.py", "test_relaxed_is_autograd_at_the_same_noise"),
    "marginal": ("test_laws.py", "test_marginal_is_exact_for_linear_costs"),
    "imle": ("test_imle.py", "test_mean_gradient_for_linear_costs"),
    "perturbed-argmax": ("test_perturbed_argmax.py", "test_mean_gradient_is_that_of_st"),
}


def test_every_estimator_has_a_proof(request):
    assert set(sd.estimators.names()) - {"test-only"} == set(UNBIASED) | set(THEORY)
    here = request.path.parent
    for name, (file, test) in THEORY.items():
        (proof,) = here.rglob(file)
        assert f"def {test}(" in proof.read_text(), f"the proof of {name} is gone"


@pytest.mark.parametrize("name", UNBIASED)
def test_unbiased_says_so(name):
    est = sd.estimators.get(name)
    assert est.unbiased
    assert est.target == ("bound" if name == "vimco" else "expectation")


def cases():
    """C = 2, 3, 7 and D = 1, 2, 3, with and without a mask. Enumeration is the yardstick and has its own
    file."""
    for name in UNBIASED.keys() - {"enumeration"}:
        binary = sd.estimators.get(name).binary
        for variables in (1, 2, 3):
            for classes in (2, 3, 7):
                if binary and classes != 2:
                    continue
                if name == "vimco" and classes**variables > 30:
                    continue  # the bound of two samples has the square of that many states
                yield pytest.param(name, variables, classes, False, id=f"{name}-{variables}x{classes}")
                if classes > 2 or variables > 1:
                    yield pytest.param(
                        name, variables, classes, True, id=f"{name}-{variables}x{classes}-masked"
                    )


@pytest.mark.parametrize(
    ("name", "variables", "classes", "masked"), sorted(cases(), key=lambda case: case.id)
)
def test_unbiased(lab, name, variables, classes, masked):
    est = sd.estimators.get(name, **UNBIASED[name])
    for parameter in est.parameters():
        if not isinstance(parameter, torch.nn.parameter.UninitializedParameter):
            # control variates that start at zero would prove nothing
            torch.nn.init.constant_(parameter, 0.4)
    problem = lab.random_problem(variables, classes, masked=masked)
    if name == "vimco":
        value, to_logits, to_parameter = exact_bound(lab, est, problem)
    else:
        value, to_logits, to_parameter = lab.exact_of(problem)
    values, gradients, own = lab.draws_of(est, problem, 12_000, sd.Key(7))
    assert_mean(gradients, to_logits, precise=0.35)
    assert_mean(values, value)
    assert_mean(own, to_parameter)
    if masked:
        assert bool((gradients[:, ~problem.mask] == 0).all())


def exact_bound(lab, est, problem):
    logits = problem.logits.clone().requires_grad_()
    parameter = problem.parameter.clone().requires_grad_()
    bound, wide = target_of(est, lambda z: problem.cost(z, parameter), logits)
    mask = None if problem.mask is None else problem.mask.repeat(est.samples, 1)
    value = sd.estimators.get("enumeration").expectation(bound, wide, mask=mask)
    return value.detach(), *torch.autograd.grad(value, [logits, parameter])


@pytest.mark.parametrize("name", [n for n in UNBIASED if n not in ("enumeration", "arm", "disarm")])
def test_unbiased_with_padding(lab, name):
    """A variable without any allowed class is the zero vector; the others are estimated as if it were not
    there."""
    est = sd.estimators.get(name, **UNBIASED[name])
    problem = lab.random_problem(2, 3, seed=4, masked=True, padded=True)
    if name == "vimco":
        value, to_logits, _ = exact_bound(lab, est, problem)
    else:
        value, to_logits, _ = lab.exact_of(problem)
    values, gradients, _ = lab.draws_of(est, problem, 12_000, sd.Key(3))
    assert_mean(gradients, to_logits)
    assert_mean(values, value)
    assert bool((gradients[:, 1] == 0).all())


@pytest.mark.parametrize("name", [n for n in THEORY if sd.estimators.get(n).target == "expectation"])
@pytest.mark.parametrize("masked", [False, True])
def test_value_of_biased_estimators_is_unbiased(lab, name, masked):
    """A hard forward draws from the law itself, so E[f(z)] and the gradient to f's parameter are right."""
    problem = lab.random_problem(2, 3, seed=2, masked=masked)
    value, _, to_parameter = lab.exact_of(problem)
    options = {"draws": 2} if "draws" in sd.estimators.get(name)._options() else {}
    values, _, own = lab.draws_of(sd.estimators.get(name, **options), problem, 12_000, sd.Key(9))
    assert_mean(values, value)
    assert_mean(own, to_parameter)


@pytest.mark.parametrize("name", ["reinforce", "rodeo", "rebar", "relax"])
def test_learning_keeps_it_unbiased(lab, name):
    """After its baseline or control variate was trained on the problem, the estimator is still unbiased."""
    from softdraw.diagnostics.compare import prepared

    problem = lab.random_problem(2, 3, seed=6)
    options = {"baseline": "learned"} if name == "reinforce" else {}
    est = sd.estimators.get(name, **options)
    trained = prepared(
        est, lambda z: problem.cost(z, problem.parameter), problem.logits, None, 150, sd.Key(0)
    )
    assert all(not p.requires_grad for p in trained.parameters())
    _, to_logits, _ = lab.exact_of(problem)
    _, gradients, _ = lab.draws_of(trained, problem, 12_000, sd.Key(1))
    assert_mean(gradients, to_logits, precise=0.35)
