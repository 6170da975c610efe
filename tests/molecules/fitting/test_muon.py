"""Muon against the singular value decomposition, and on problems whose answer is known."""

import pytest
import torch

from softdraw.molecules.fitting.muon import Muon, orthogonal
from softdraw.molecules.fitting.optimizers import matrices_of, optimizers_of
from softdraw.molecules.model.network import GraphNetwork
from softdraw.molecules.model.sizes import NetworkOptions


@pytest.mark.parametrize("shape", [(8, 8), (24, 5), (5, 24), (1, 7)])
def test_singular_values_become_equal_and_singular_vectors_stay(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    found = u.T @ orthogonal(matrix, 8) @ v.T
    level = found.diagonal()
    assert bool(((level > 0.6) & (level < 1.25))[s > 0.05 * s.max()].all())
    torch.testing.assert_close(found, level.diag(), rtol=0, atol=1e-10)  # no other direction comes in


def test_a_matrix_of_zeros_stays_one():
    assert torch.equal(orthogonal(torch.zeros(3, 4), 4), torch.zeros(3, 4))


def test_the_first_step_is_that_of_its_formula():
    """The momentum starts at 0: the direction is that of the gradient, entries are 0.2 lr large."""
    start = torch.randn(6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    gradient = torch.randn(6, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    weight = torch.nn.Parameter(start.clone())
    weight.grad = gradient.clone()
    Muon([weight], 0.1, weight_decay=0.5, iterations=5).step()
    expected = start * (1 - 0.1 * 0.5) - 0.1 * 0.2 * 6**0.5 * orthogonal(gradient, 5)
    torch.testing.assert_close(weight.detach(), expected)
    assert abs((0.2 * 6**0.5 * orthogonal(gradient, 12)).square().mean().sqrt() - 0.2) < 0.05


def test_a_later_step_looks_ahead_of_the_mean_of_gradients():
    """Nesterov's: the direction is the gradient moved towards the mean that already holds it."""
    first, second = (
        torch.randn(5, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        for seed in (1, 2)
    )
    weight = torch.nn.Parameter(torch.zeros(5, 3, dtype=torch.float64))
    optimizer = Muon([weight], 0.1, momentum=0.9, weight_decay=0.0)
    weight.grad = first.clone()
    optimizer.step()
    before = weight.detach().clone()
    weight.grad = second.clone()
    optimizer.step()
    mean = 0.9 * (0.1 * first) + 0.1 * second
    moved = -0.1 * 0.2 * 5**0.5 * orthogonal(0.1 * second + 0.9 * mean, 4)
    torch.testing.assert_close(weight.detach() - before, moved)


@pytest.mark.parametrize("count", [1, 2, 3, 6, 11])
def test_every_matrix_is_moved_once(count):
    """However many there are to be shared out: each step alone is what it is among others."""
    generator = torch.Generator().manual_seed(0)
    shapes = [(2 + number % 3, 1 + number % 4) for number in range(count)]
    gradients = [torch.randn(shape, generator=generator) for shape in shapes]

    def moved(chosen):
        weights = [torch.nn.Parameter(torch.zeros_like(gradient)) for gradient in chosen]
        for weight, gradient in zip(weights, chosen, strict=True):
            weight.grad = gradient.clone()
        Muon(weights, 0.1).step()
        return [weight.detach() for weight in weights]

    for together, gradient in zip(moved(gradients), gradients, strict=True):
        assert torch.equal(together, moved([gradient])[0])


def test_a_closure_comes_first_and_its_loss_is_given():
    weight, other = (torch.nn.Parameter(torch.full((2, 2), 3.0)) for _ in range(2))

    def closure():
        loss = weight.square().sum()
        weight.grad = None
        loss.backward()
        return loss

    loss = Muon([weight], 0.1).step(closure)
    assert float(loss.detach()) == 36.0
    other.grad = torch.full((2, 2), 6.0)
    assert Muon([other], 0.1).step() is None
    assert torch.equal(weight, other)


def test_it_finds_a_matrix_that_is_badly_conditioned():
    generator = torch.Generator().manual_seed(0)
    target, x = torch.randn(12, 8, generator=generator), torch.randn(200, 8, generator=generator)
    x = x * torch.logspace(0, -2, 8)
    weight = torch.nn.Parameter(torch.zeros(12, 8))
    optimizer = Muon([weight], 0.3, weight_decay=0.0)
    losses = []
    for step in range(300):
        optimizer.param_groups[0]["lr"] = 0.3 * (1 - step / 300)
        loss = (x @ (weight - target).T).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 1e-4 * losses[0]


def test_a_vector_is_refused():
    with pytest.raises(ValueError, match=r"matrices: got a parameter of shape \(3,\), expected \[m, n\]"):
        Muon([torch.nn.Parameter(torch.zeros(3))], 0.1)


def test_a_parameter_without_a_gradient_stays():
    weight, unused = (torch.nn.Parameter(torch.ones(2, 2)) for _ in range(2))
    weight.grad = torch.ones(2, 2)
    Muon([weight, unused], 0.1).step()
    assert torch.equal(unused.detach(), torch.ones(2, 2))
    assert not torch.equal(weight.detach(), torch.ones(2, 2))


def test_its_state_goes_on_from_where_it_was():
    def steps(weight, optimizer, numbers):
        for number in numbers:
            weight.grad = torch.randn(4, 3, generator=torch.Generator().manual_seed(number))
            optimizer.step()

    whole = torch.nn.Parameter(torch.zeros(4, 3))
    steps(whole, Muon([whole], 0.1), range(6))
    part = torch.nn.Parameter(torch.zeros(4, 3))
    before = Muon([part], 0.1)
    steps(part, before, range(3))
    after = Muon([part], 0.1)
    after.load_state_dict(before.state_dict())
    steps(part, after, range(3, 6))
    assert torch.equal(whole.detach(), part.detach())


def test_every_weight_of_a_network_has_one_optimizer():
    network = GraphNetwork([4, 3, 2], 6, NetworkOptions(width=16, layers=2, heads=2))
    for name, count in (("adamw", 1), ("muon", 2)):
        optimizers = optimizers_of(network, name, 1e-3, lambda function, parts: list(map(function, parts)))
        taken = [weight for one in optimizers for group in one.param_groups for weight in group["params"]]
        assert len(optimizers) == count
        assert [group["peak"] for one in optimizers for group in one.param_groups] == [1e-3, 4e-3][:count]
        assert sorted(map(id, taken)) == sorted(map(id, network.parameters()))
    assert all(weight.dim() == 2 for weight in matrices_of(network))
    tables = (network.relation, network.seen, network.start, network.atom.weight)
    assert not {id(weight) for weight in matrices_of(network)} & {id(table) for table in tables}
