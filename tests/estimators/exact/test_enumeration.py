"""The yardstick itself: against sums written out by hand."""

import itertools

import pytest
import torch

import softdraw as sd


@pytest.mark.parametrize(("variables", "classes"), [(1, 2), (2, 3), (3, 2), (1, 7)])
@pytest.mark.parametrize("chunk", [1, 3, 1 << 14])
def test_sum_over_all_states(lab, variables, classes, chunk):
    problem = lab.random_problem(variables, classes, seed=1)
    logits = problem.logits.clone().requires_grad_()
    value = sd.estimators.get("enumeration", chunk=chunk).expectation(
        lambda z: problem.cost(z, problem.parameter), logits
    )
    by_hand = torch.zeros((), dtype=torch.float64)
    other = problem.logits.clone().requires_grad_()
    for state in itertools.product(range(classes), repeat=variables):
        z = torch.nn.functional.one_hot(torch.tensor(state), classes).double()
        by_hand = by_hand + (other.log_softmax(-1) * z).sum().exp() * problem.cost(z, problem.parameter)
    torch.testing.assert_close(value, by_hand, rtol=1e-12, atol=1e-12)
    (got,) = torch.autograd.grad(value, logits)
    (expected,) = torch.autograd.grad(by_hand, other)
    torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-12)


def test_second_derivatives(lab):
    problem = lab.random_problem(2, 2, seed=3)
    assert torch.autograd.gradgradcheck(
        lambda x: sd.estimators.get("enumeration").expectation(
            lambda z: problem.cost(z, problem.parameter), x
        ),
        problem.logits.clone().requires_grad_(),
    )


def test_batch_elements_are_apart():
    logits = torch.randn(4, 5, 2, 3, generator=torch.Generator().manual_seed(0))
    est = sd.estimators.get("enumeration")
    whole = est.expectation(lambda z: z[..., 0].prod(-1) + z[..., 1, 2], logits)
    assert whole.shape == (4, 5)
    one = est.expectation(lambda z: z[..., 0].prod(-1) + z[..., 1, 2], logits[2, 3])
    torch.testing.assert_close(whole[2, 3], one)


def test_infinite_cost_of_a_forbidden_state_does_not_count():
    mask = torch.tensor([[True, False, True]])
    value = sd.estimators.get("enumeration").expectation(
        lambda z: torch.where(z[..., 0, 1] > 0, torch.inf, 2.0),
        torch.zeros(1, 3, requires_grad=True),
        mask=mask,
    )
    assert value.item() == 2.0


def test_refuses_with_the_count():
    with pytest.raises(ValueError, match=r"10\^9 = 1000000000 states"):
        sd.estimators.get("enumeration").expectation(lambda z: z.sum((-1, -2)), torch.zeros(9, 10))


def test_indecater_is_exact_for_one_variable(lab):
    problem = lab.random_problem(1, 5, seed=2)
    value, gradient, _ = lab.exact_of(problem)
    values, gradients, _ = lab.draws_of(sd.estimators.get("indecater"), problem, 3, sd.Key(0))
    torch.testing.assert_close(gradients, gradient.expand_as(gradients), rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(values, value.expand_as(values), rtol=1e-10, atol=1e-12)
