from contextlib import nullcontext

import pytest
import torch

from softdraw.molecules.fitting.gradients import GradientThreads


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_parts_of_a_batch_add_up_to_its_gradient(threads):
    torch.manual_seed(0)
    layer, unused = torch.nn.Linear(3, 2).double(), torch.nn.Parameter(torch.zeros(1))
    x, y = torch.randn(5, 3).double(), torch.randn(5, 2).double()

    def loss(x, y):
        return ((layer(x) - y) ** 2).sum()

    whole = loss(x, y)
    expected = torch.autograd.grad(whole, list(layer.parameters()))
    parameters = [*layer.parameters(), unused]
    gradients = GradientThreads(threads, nullcontext)
    for _ in range(2):  # nothing is left over from the step before
        value = gradients(loss, parameters, (x, y))
    gradients.close()
    torch.testing.assert_close(value, whole.detach())
    for parameter, other in zip(layer.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, other)
    assert unused.grad is None


def test_every_thread_enters_the_context():
    seen = []
    layer = torch.nn.Linear(4, 4)

    def loss(x):
        out = layer(x)
        seen.append(out.dtype)
        return out.float().sum()

    gradients = GradientThreads(2, lambda: torch.autocast("cpu", torch.bfloat16))
    gradients(loss, list(layer.parameters()), (torch.ones(4, 4),))
    gradients.close()
    assert seen == [torch.bfloat16] * 2


def test_an_error_in_a_part_is_raised():
    def loss(x):
        raise ArithmeticError("a part failed")

    gradients = GradientThreads(2, nullcontext)
    with pytest.raises(ArithmeticError, match="a part failed"):
        gradients(loss, [], (torch.ones(4),))
    gradients.close()
