"""ReinMax: second order, and the same as ZGR sample by sample."""

import pytest
import torch

import softdraw as sd

from ...statistics import assert_mean


def quadratic(variables, classes):
    size = variables * classes
    g = torch.Generator().manual_seed(size)
    matrix = torch.randn(size, size, generator=g, dtype=torch.float64)
    linear = torch.randn(size, generator=g, dtype=torch.float64)

    def cost(z, parameter):
        x = z.flatten(-2)
        return torch.einsum("...i,ij,...j->...", x, matrix, x) * parameter + x @ linear

    return cost


@pytest.mark.parametrize(("variables", "classes"), [(1, 2), (1, 7), (2, 3), (3, 2)])
def test_exact_for_quadratic_costs(lab, variables, classes):
    """For one variable ReinMax at tau 1 is unbiased for any quadratic cost; across variables too, since a
    quadratic
    is linear along each other variable."""
    problem = lab.random_problem(variables, classes, seed=15)
    cost = quadratic(variables, classes)
    _, exact, _ = lab.exact_of(problem, cost)
    _, gradients, _ = lab.draws_of(sd.estimators.get("reinmax"), problem, 20_000, sd.Key(1), cost)
    assert_mean(gradients, exact, precise=0.1)


def test_equals_zgr_sample_by_sample():
    """(1/2) [p (g - g_z) - z (p . g - g_z)], Shekhovtsov 2023, to machine precision."""
    g = torch.Generator().manual_seed(0)
    logits = (3 * torch.randn(300, 5, generator=g, dtype=torch.float64)).requires_grad_()
    upstream = torch.randn(300, 5, generator=g, dtype=torch.float64)
    y = sd.estimators.get("reinmax")(logits, key=sd.Key(1))
    (got,) = torch.autograd.grad((y * upstream).sum(), logits)
    p, z = logits.detach().softmax(-1), y.detach()
    won = (z * upstream).sum(-1, keepdim=True)
    zgr = 0.5 * (p * (upstream - won) - z * ((p * upstream).sum(-1, keepdim=True) - won))
    torch.testing.assert_close(got, zgr, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("tau", [1.0, 1.3, 2.0])
def test_formula(tau):
    """2 J(q) g - J(p) g / 2, with the matrices written out; tau = 1 takes the shorter form."""
    g = torch.Generator().manual_seed(0)
    logits = torch.randn(50, 4, generator=g, dtype=torch.float64).requires_grad_()
    upstream = torch.randn(50, 4, generator=g, dtype=torch.float64)
    for spelled in (tau, torch.tensor(tau, dtype=torch.float64)):
        y = sd.estimators.get("reinmax", tau=spelled)(logits, key=sd.Key(1))
        (got,) = torch.autograd.grad((y * upstream).sum(), logits)
        p = logits.detach().softmax(-1)
        q = 0.5 * ((logits.detach() / tau).softmax(-1) + y.detach())

        def jacobian(x):
            return torch.diag_embed(x) - x.unsqueeze(-1) * x.unsqueeze(-2)

        expected = (2 * jacobian(q) - 0.5 * jacobian(p)) @ upstream.unsqueeze(-1)
        torch.testing.assert_close(got, expected.squeeze(-1), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("classes", [2, 5])
def test_mean_gradient_is_the_trapezoid_rule(lab, classes):
    """For any cost: p_j sum over i of p_i (grad f(e_i) + grad f(e_j)) . (e_j - e_i) / 2."""
    problem = lab.random_problem(1, classes, seed=16)
    eye = torch.eye(classes, dtype=torch.float64).unsqueeze(-2).requires_grad_()
    (slope,) = torch.autograd.grad(problem.cost(eye, problem.parameter).sum(), eye)
    slope, p = slope.squeeze(-2), problem.logits[0].softmax(-1)
    mean = torch.zeros(classes, dtype=torch.float64)
    for j in range(classes):
        for i in range(classes):
            both = slope[i] + slope[j]
            mean[j] += p[j] * p[i] * 0.5 * (both[j] - both[i])
    _, gradients, _ = lab.draws_of(sd.estimators.get("reinmax"), problem, 20_000, sd.Key(1))
    assert_mean(gradients, mean, precise=0.1)
