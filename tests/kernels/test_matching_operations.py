import math

import pytest
import torch

from softdraw.kernels import dispatch
from softdraw.kernels.structures import matching_operations

from .backends import INSTRUCTIONS, instructions

WIDE = torch.float64


def normal(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=WIDE)


@pytest.mark.parametrize("dtype", [torch.float32, WIDE])
def test_plain_pytorch_and_the_kernel_agree(dtype, monkeypatch):
    """What runs without the native extension, and on other devices."""
    x = normal(6, 4, 5).to(dtype)
    x[0, 1, 2] = -math.inf
    x[1, 3], x[1, :, 4] = -math.inf, -math.inf
    x[2, 0, 0] = math.nan
    masses = torch.tensor([1.0, 1.0, 1.0, 2.0], dtype=dtype).repeat(6, 1)
    masses[1, 3] = 0.0
    for most, tolerance in ((7, 1e-12), (500, 1e-3)):
        fused = matching_operations.sinkhorn(x, masses, most, tolerance)
        with monkeypatch.context() as patch:
            patch.setattr(dispatch, "structure_loops_of", lambda tensor: None)
            plain = matching_operations.sinkhorn(x, masses, most, tolerance)
        for one, two in zip(fused[:2], plain[:2], strict=True):
            torch.testing.assert_close(
                one, two, rtol=0, atol=1e-5 if dtype == torch.float32 else 1e-12, equal_nan=True
            )


def test_operators_keep_the_rules_of_torch():
    x, masses = normal(2, 3, 3).requires_grad_(), torch.ones(2, 3, dtype=WIDE)
    torch.library.opcheck(torch.ops.softdraw.sinkhorn.default, (x, masses, 1000, 1e-9))
    torch.library.opcheck(torch.ops.softdraw.assignment.default, (x.detach(),))


def test_assignment_takes_as_many_allowed_pairs_as_there_are():
    nothing = -math.inf
    scores = torch.tensor([[5.0, 4.0, nothing], [5.0, nothing, nothing], [nothing, nothing, nothing]])
    assert matching_operations.assignment(scores).tolist() == [
        [0.0, 1.0, 0.0],
        [1.0, 0.0, 0.0],
        [0.0, 0.0, 0.0],
    ]
    assert matching_operations.assignment(torch.full((2, 2), nothing)).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def limits():
    """(name, y): limits of Sinkhorn's iteration of all shapes, some with zeros, padding and parts."""
    for n, m in ((1, 1), (1, 4), (4, 1), (3, 3), (5, 9), (9, 5), (17, 17)):
        x = normal(6, n, m) * 2
        x = x.masked_fill((torch.arange(n * m).view(n, m) % 5 == 3) & (torch.tensor(n * m > 8)), -math.inf)
        masses = torch.ones(6, n, dtype=WIDE) * (m / n)
        yield f"{n} x {m}", matching_operations.sinkhorn(x, masses, 100_000, 1e-12)[0]
    parts = torch.block_diag(*normal(2, 3, 3).softmax(-1))
    yield (
        "two parts",
        matching_operations.sinkhorn(
            parts.log().expand(2, 6, 6).contiguous(), torch.ones(2, 6, dtype=WIDE), 100_000, 1e-12
        )[0],
    )
    empty = torch.zeros(2, 5, 5, dtype=WIDE)
    empty[:, :3, :3] = torch.eye(3, dtype=WIDE) * 0.7 + 0.1
    yield "padding", empty
    nothing = torch.zeros(2, 3, 4, dtype=WIDE)
    nothing[1] = math.nan
    yield "nothing, and NaN", nothing


@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_the_gradient_in_c_is_that_of_the_formula(name):
    with instructions(name) as module:
        for said, y in limits():
            grad = torch.randn(y.shape, generator=torch.Generator().manual_seed(1), dtype=WIDE)
            found = module.structures.sinkhorn_backward(grad, y)
            expected = matching_operations.implicit_gradient(y, grad)
            torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-11, equal_nan=True, msg=said)
            if not y.isnan().any():
                sums = found.sum(-1).abs().max(), found.sum(-2).abs().max()
                assert max(sums) < 1e-12, said
