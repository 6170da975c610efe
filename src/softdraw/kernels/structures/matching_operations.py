"""The two operations of matchings: Sinkhorn's iteration to a tolerance, and the best assignment.

Both are operations of graphs, because their loops end where the values say so: ``torch.compile``, exports and
``torch.func`` see one node each.
"""

from typing import Any

import torch
from torch import Tensor

from softdraw._torch import innermost_transform, register_fake
from softdraw.kernels import dispatch
from softdraw.kernels.fast_path import is_plain, kernel_serves
from softdraw.kernels.saved import keep, kept

__all__ = ["assignment", "sinkhorn"]

_LOG_ZERO = -1e300


# Defined by their schemas, as in ``ops``: ``custom_op`` would take longer to import than all of softdraw.
_library = torch.library.Library("softdraw", "FRAGMENT")  # type: ignore[no-untyped-call]
_library.define(  # type: ignore[no-untyped-call]
    "sinkhorn(Tensor x, Tensor masses, int most, float tolerance) -> (Tensor, Tensor, Tensor)"
)
_library.define("assignment(Tensor scores) -> Tensor")  # type: ignore[no-untyped-call]


def _sinkhorn(x: Tensor, masses: Tensor, most: int, tolerance: float) -> tuple[Tensor, Tensor, Tensor]:
    batch, (n, m) = x.shape[:-2], x.shape[-2:]
    flat, mass = x.reshape(-1, n, m), masses.expand(*batch, n).reshape(-1, n)
    loops = dispatch.structure_loops_of(x)
    if loops is None:
        y, error, steps = _iterated_on(flat, mass, most, tolerance)
    else:
        wide = torch.float64
        y, _, _, error, steps = loops.sinkhorn(
            flat.to(wide).contiguous(), mass.to(wide).contiguous(), most, tolerance
        )
    return (
        y.to(x.dtype).reshape(x.shape),
        error.to(x.dtype).reshape(batch),
        steps.to(torch.int64).reshape(batch),
    )


def _iterated_on(x: Tensor, masses: Tensor, most: int, tolerance: float) -> tuple[Tensor, Tensor, Tensor]:
    """By a program on a card that holds a matrix in one block, else in plain PyTorch."""
    programs = dispatch.programs_of(x)
    found = None if programs is None else programs.sinkhorn(x, masses, most, tolerance)
    return _iterated(x, masses, most, tolerance) if found is None else found


def _iterated(x: Tensor, masses: Tensor, most: int, tolerance: float) -> tuple[Tensor, Tensor, Tensor]:
    """The definition: rows, then columns, in log space, each matrix until its own rows fit."""
    bad = (torch.isnan(x) | (x == torch.inf)).flatten(1).any(-1)
    some = (x > -torch.inf) & (masses > 0).unsqueeze(-1) & ~bad[:, None, None]
    x = torch.where(some, x, -torch.inf)
    rows, columns = some.any(-1, keepdim=True), some.any(-2, keepdim=True)
    goal = torch.where(masses > 0, masses, 1.0).log().unsqueeze(-1)
    u, v = torch.zeros_like(goal), torch.zeros_like(x[:, :1])
    error = torch.full_like(masses[:, 0], torch.inf)
    steps = torch.zeros_like(error, dtype=torch.int64)
    for _ in range(most):
        going = (error > tolerance)[:, None, None]
        if not bool(going.any()):
            break
        sums = torch.logsumexp(x + v, -1, keepdim=True)
        u = torch.where(going & rows, goal - torch.where(rows, sums, 0.0), u)
        sums = torch.logsumexp(x + u, -2, keepdim=True)
        v = torch.where(going & columns, -torch.where(columns, sums, 0.0), v)
        steps = steps + going.flatten()
        left = ((x + u + v).exp().sum(-1) - masses).abs().amax(-1)
        error = torch.where(going.flatten(), left, error)
    y = (x + u + v).exp()
    return torch.where(bad[:, None, None], torch.nan, y), torch.where(bad, torch.nan, error), steps


def _sinkhorn_fake(x: Tensor, masses: Tensor, most: int, tolerance: float) -> tuple[Tensor, Tensor, Tensor]:
    batch = x.shape[:-2]
    return torch.empty_like(x), x.new_empty(batch), x.new_empty(batch, dtype=torch.int64)


def _sinkhorn_vmap(info: Any, in_dims: Any, x: Tensor, masses: Tensor, most: int, tolerance: float) -> Any:
    first, second = (
        value.unsqueeze(0).expand(info.batch_size, *value.shape) if dim is None else value.movedim(dim, 0)
        for value, dim in ((x, in_dims[0]), (masses, in_dims[1]))
    )
    return torch.ops.softdraw.sinkhorn(first, second, most, tolerance), (0, 0, 0)


def _save(ctx: Any, inputs: Any, output: Any) -> None:
    keep(ctx, output[0])


def _backward(ctx: Any, grad: Tensor, *_: Any) -> tuple[Tensor, None, None, None]:
    (y,) = kept(ctx)
    loops = dispatch.structure_loops_of(y) if kernel_serves(grad) and is_plain(y) else None
    if loops is None:
        return implicit_gradient(y, grad), None, None, None
    flat = (-1, *y.shape[-2:])
    upstream, limit = (one.to(torch.float64).reshape(flat).contiguous() for one in (grad, y))
    found: Tensor = loops.sinkhorn_backward(upstream, limit)
    return found.to(y.dtype).reshape(y.shape), None, None, None


def implicit_gradient(y: Tensor, grad: Tensor) -> Tensor:
    """The gradient of x in Sinkhorn's limit y = exp(x + u + v), whose sums over rows and columns are held.

    It is ``y (grad - a_i - b_j)`` with the a and b for which its own sums over rows and columns are zero: a
    linear system of the smaller side, a graph's Laplacian, made from sums that do not cancel. Memory does not
    grow with the iterations.

    Reference:
        Eisenberger, Toker, Leal-Taixé, Bernard, Cremers, "A unified framework for implicit Sinkhorn
        differentiation", CVPR 2022.
    """
    if y.shape[-2] < y.shape[-1]:
        return implicit_gradient(y.mT, grad.mT).mT
    wide = y.double() if y.device.type != "mps" else y
    grad = torch.where(wide > 0, grad.to(wide.dtype), 0.0)
    sums = wide.sum(-1, keepdim=True)
    share = wide / torch.where(sums > 0, sums, 1.0)
    centred = grad - (share * grad).sum(-1, keepdim=True)
    joint = share.mT @ wide
    # What leaves a column for the others; its diagonal is their sum, and not 1 less something.
    joint = joint - torch.diag_embed(joint.diagonal(dim1=-2, dim2=-1))
    laplacian = torch.diag_embed(joint.sum(-1)) - joint
    columns = y.shape[-1]
    # A constant over all columns moves nothing; a column that no other meets has none to share with.
    pinned = laplacian + joint.new_full((columns, columns), 1.0 / columns)
    pinned = pinned + torch.diag_embed(torch.full_like(joint[..., 0], 1e-14))
    b = torch.linalg.solve(pinned, (wide * centred).sum(-2).unsqueeze(-1)).mT
    inner = centred - (b - (share * b).sum(-1, keepdim=True))
    gradient: Tensor = (wide * inner).to(y.dtype)
    return gradient


class _Limit(torch.autograd.Function):
    """The same operation and gradient for ``torch.func``, which cannot differentiate one of Python."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, masses: Tensor, most: int, tolerance: float) -> tuple[Tensor, Tensor, Tensor]:
        y, error, steps = torch.ops.softdraw.sinkhorn(x, masses, most, tolerance)
        return y, error, steps

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.mark_non_differentiable(*output[1:])
        _save(ctx, inputs, output)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor, None, None, None]:
        return _backward(ctx, *grads)


def sinkhorn(x: Tensor, masses: Tensor, most: int, tolerance: float) -> tuple[Tensor, Tensor, Tensor]:
    """exp(x_ij + u_i + v_j) whose columns sum to 1 and whose rows do to ``masses``, within ``tolerance``.

    Args:
        x: ``[*batch, n, m]``, ``-inf`` where an entry is 0; a column with nothing else is padding.
        masses: ``[*batch, n]``, 0 for a row of padding.
        most: the number of iterations at the most.
        tolerance: the largest error of a row's sum at which a matrix is left.

    Returns:
        The matrices, with the gradient of their limit; the errors ``[*batch]`` and the numbers of iterations.
    """
    if not torch.compiler.is_compiling() and innermost_transform() is not None:
        y, error, steps = _Limit.apply(x, masses, most, tolerance)  # type: ignore[no-untyped-call]
    else:
        y, error, steps = torch.ops.softdraw.sinkhorn(x, masses, most, tolerance)
    return y, error, steps


def _assignment(scores: Tensor) -> Tensor:
    try:
        from scipy.optimize import linear_sum_assignment
    except ImportError:
        raise ImportError("the best assignment is found by SciPy: pip install scipy") from None
    n, m = scores.shape[-2:]
    values = scores.detach().to("cpu", torch.float64).reshape(-1, n, m)
    out = torch.zeros(values.shape, dtype=scores.dtype, device="cpu")
    for one, result in zip(values, out, strict=True):
        if not bool((one < torch.inf).all()):
            result.fill_(torch.nan)
            continue
        allowed = one > _LOG_ZERO
        rows, columns = allowed.any(1).nonzero().flatten(), allowed.any(0).nonzero().flatten()
        part = one[rows][:, columns]
        if part.numel() == 0:
            continue
        # Forbidden pairs cost more than any sum of allowed ones, so that as few as possible are taken.
        finite = part[part > _LOG_ZERO]
        worst = float(finite.min()) - (float(finite.max() - finite.min()) + 1.0) * (max(part.shape) + 1)
        i, j = linear_sum_assignment(part.clamp(min=worst).numpy(), maximize=True)
        taken = torch.as_tensor(i), torch.as_tensor(j)
        result[rows[taken[0]], columns[taken[1]]] = (part[taken] > _LOG_ZERO).to(scores.dtype)
    return out.reshape(scores.shape).to(scores.device)


def _assignment_fake(scores: Tensor) -> Tensor:
    return torch.empty_like(scores)


def _assignment_vmap(info: Any, in_dims: tuple[int | None, ...], scores: Tensor) -> tuple[Tensor, int]:
    return torch.ops.softdraw.assignment(scores.movedim(in_dims[0] or 0, 0)), 0


_key = "CompositeExplicitAutograd"
_library.impl("sinkhorn", _sinkhorn, _key)  # type: ignore[no-untyped-call]
_library.impl("assignment", _assignment, _key)  # type: ignore[no-untyped-call]
register_fake(_library, "sinkhorn", _sinkhorn_fake)
register_fake(_library, "assignment", _assignment_fake)
torch.library.register_vmap("softdraw::sinkhorn", _sinkhorn_vmap, lib=_library)
torch.library.register_vmap("softdraw::assignment", _assignment_vmap, lib=_library)
torch.library.register_autograd("softdraw::sinkhorn", _backward, setup_context=_save, lib=_library)


def assignment(scores: Tensor) -> Tensor:
    """The matching ``[*batch, n, m]`` of zeros and ones with the largest sum of scores, without a gradient.

    Every row is matched, or every column where there are fewer of them. ``-inf`` is a pair that is not
    allowed; rows and columns with nothing else stay empty, as does what has no allowed partner left. NaN or
    ``+inf`` makes a matrix NaN.

    Raises:
        ImportError: SciPy is not installed.
    """
    with torch.no_grad():
        best: Tensor = torch.ops.softdraw.assignment(scores.detach())
        return best
