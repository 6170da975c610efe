"""The operations of k-subsets: log partition, marginals, their derivative, exact draws.

Operations of graphs, because their loops run over the items one by one: in C on the CPU, by
``subset_recursion`` elsewhere. The law is p(S) proportional to the product of exp(x_i) over S, with |S| = k.
"""

import math
from typing import Any, cast

import torch
from torch import Tensor

from softdraw._torch import forward_mode_level, register_fake
from softdraw.kernels.dispatch import structure_loops_of
from softdraw.kernels.fast_path import is_plain
from softdraw.kernels.saved import keep, kept
from softdraw.kernels.structures.subset_recursion import backwards, items_of, plain_sum, sums, walk

__all__ = ["covariance_product", "draws", "log_partition", "marginals"]

# Defined by their schemas, as in ``ops``: ``custom_op`` would take longer to import than all of softdraw.
_library = torch.library.Library("softdraw", "FRAGMENT")  # type: ignore[no-untyped-call]
_library.define("subset_sum(Tensor x, int k) -> Tensor")  # type: ignore[no-untyped-call]
_library.define("subsets(Tensor x, int k) -> (Tensor, Tensor)")  # type: ignore[no-untyped-call]
_library.define("subset_slope(Tensor x, int k, Tensor direction) -> Tensor")  # type: ignore[no-untyped-call]
_library.define("subset_draws(Tensor x, int k, Tensor uniforms) -> Tensor")  # type: ignore[no-untyped-call]


def log_partition(x: Tensor, k: int) -> Tensor:
    """Log of the sum over all k-subsets of exp(sum of x), ``[*batch]`` for ``[*batch, n]``.

    ``-inf`` in x is an item that is never taken; ``-inf`` comes out where fewer than k may be, NaN for NaN or
    ``+inf``. Its gradient is ``marginals``, theirs the covariance, and so on.
    """
    if not is_plain(x) or (x.requires_grad and torch.is_grad_enabled()):
        return marginals(x, k)[0]  # the marginals are its gradient
    value: Tensor = torch.ops.softdraw.subset_sum(x, k)
    return value


def marginals(x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """``log_partition`` and how probable each item is, ``[*batch, n]``: zeros where fewer than k may be."""
    if torch.compiler.is_compiling():
        value, inclusion = torch.ops.softdraw.subsets(x, k)
    else:
        function = _Subsets if forward_mode_level() < 0 else _SubsetsForward
        value, inclusion = function.apply(x, k)  # type: ignore[no-untyped-call]
    return value, inclusion


def covariance_product(x: Tensor, k: int, direction: Tensor) -> Tensor:
    """The covariance matrix of the items times ``direction``: the derivative of ``marginals`` in it."""
    x, direction = torch.broadcast_tensors(x, direction)  # type: ignore[no-untyped-call]
    if torch.compiler.is_compiling():
        slope: Tensor = torch.ops.softdraw.subset_slope(x, k, direction)
    else:
        slope = _Slope.apply(x, k, direction)  # type: ignore[no-untyped-call]
    return slope


def draws(x: Tensor, k: int, uniforms: Tensor) -> Tensor:
    """Exact draws ``[samples, *batch, n]`` of zeros and ones, from uniforms of that shape."""
    with torch.no_grad():
        drawn: Tensor = torch.ops.softdraw.subset_draws(x.detach(), k, uniforms)
        return drawn


def _flat(x: Tensor) -> Tensor:
    return x.detach().to(torch.float64).reshape(-1, x.shape[-1]).contiguous()


def _subset_sum(x: Tensor, k: int) -> Tensor:
    loops, batch = structure_loops_of(x), x.shape[:-1]
    if loops is not None:
        value: Tensor = loops.subsets(_flat(x), k, marginals=False)[0]
        return value.to(x.dtype).reshape(batch)
    return sums(items_of(x, k), k).reshape(batch)


def _subsets(x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    loops, batch = structure_loops_of(x), x.shape[:-1]
    if loops is not None:
        value, inclusion, _ = loops.subsets(_flat(x), k)
        return value.to(x.dtype).reshape(batch), inclusion.to(x.dtype).reshape(x.shape)
    items = items_of(x, k)
    return sums(items, k).reshape(batch), backwards(items, k, None).reshape(x.shape)


def _subset_slope(x: Tensor, k: int, direction: Tensor) -> Tensor:
    loops = structure_loops_of(x)
    if loops is not None:
        slope: Tensor = loops.subsets(_flat(x), k, _flat(direction))[2]
        return slope.to(x.dtype).reshape(x.shape)
    items = items_of(x, k)
    return backwards(items, k, direction.reshape(items.p.shape)).reshape(x.shape)


def _subset_draws(x: Tensor, k: int, uniforms: Tensor) -> Tensor:
    loops, n = structure_loops_of(x), x.shape[-1]
    u = uniforms.reshape(uniforms.shape[0], math.prod(x.shape[:-1]), n)
    if loops is not None:
        drawn: Tensor = loops.subset_draws(_flat(x), k, u.to(torch.float64).contiguous())
    else:
        drawn = walk(items_of(x, k), k, u)
    return drawn.to(x.dtype).reshape(uniforms.shape)


def _third(x: Tensor, k: int, one: Tensor, other: Tensor) -> Tensor:
    """The gradient of ``one . covariance . other``."""
    if is_plain(x):
        # autograd itself, because torch.func takes no hooks on saved tensors
        again = torch.is_grad_enabled()
        with torch.enable_grad():
            y = x if x.requires_grad else x.detach().requires_grad_()
            (first,) = torch.autograd.grad(plain_sum(y, k).sum(), y, create_graph=True)
            (second,) = torch.autograd.grad((first * one).sum(), y, create_graph=True)
            return torch.autograd.grad((second * other).sum(), y, create_graph=again)[0]
    grad = torch.func.grad

    def along(y: Tensor) -> Tensor:
        total: Tensor = (grad(lambda z: plain_sum(z, k).sum())(y) * one).sum()
        return total

    return cast("Tensor", grad(lambda y: (grad(along)(y) * other).sum())(x))


class _Subsets(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, k: int) -> tuple[Tensor, Tensor]:
        value, inclusion = torch.ops.softdraw.subsets(x, k)
        return value, inclusion

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        keep(ctx, *inputs, output[1])
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, value: Tensor | None, inclusion: Tensor | None) -> tuple[Tensor | None, None]:
        x, k, means = kept(ctx)
        grad = None if value is None else value.unsqueeze(-1) * means
        if inclusion is not None:
            slope = covariance_product(x, k, inclusion)
            grad = slope if grad is None else grad + slope
        return grad, None


class _SubsetsForward(_Subsets):
    """With a forward mode, which the compiler takes in no function."""

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        _Subsets.setup_context(ctx, inputs, output)
        ctx.k = inputs[1]
        ctx.save_for_forward(inputs[0], output[1])

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _: None) -> tuple[Tensor, Tensor]:
        x, means = ctx.saved_tensors
        return (means * tangent).sum(-1), covariance_product(x, ctx.k, tangent)


class _Slope(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, k: int, direction: Tensor) -> Tensor:
        slope: Tensor = torch.ops.softdraw.subset_slope(x, k, direction)
        return slope

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        keep(ctx, *inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None, Tensor | None]:
        x, k, direction = kept(ctx)
        of_x = _third(x, k, direction, grad) if ctx.needs_input_grad[0] else None
        return of_x, None, covariance_product(x, k, grad) if ctx.needs_input_grad[2] else None


def _front(info: Any, value: Tensor, dim: int | None, at: int = 0) -> Tensor:
    """``value`` with its examples in dim ``at``."""
    if dim is None:
        shape = (*value.shape[:at], info.batch_size, *value.shape[at:])
        return value.unsqueeze(at).expand(shape)
    return value.movedim(dim, at)


def _sum_vmap(info: Any, in_dims: Any, x: Tensor, k: int) -> tuple[Tensor, int]:
    return torch.ops.softdraw.subset_sum(_front(info, x, in_dims[0]), k), 0


def _subsets_vmap(info: Any, in_dims: Any, x: Tensor, k: int) -> Any:
    return torch.ops.softdraw.subsets(_front(info, x, in_dims[0]), k), (0, 0)


def _slope_vmap(info: Any, in_dims: Any, x: Tensor, k: int, direction: Tensor) -> tuple[Tensor, int]:
    x, direction = _front(info, x, in_dims[0]), _front(info, direction, in_dims[2])
    return torch.ops.softdraw.subset_slope(x, k, direction), 0


def _draws_vmap(info: Any, in_dims: Any, x: Tensor, k: int, uniforms: Tensor) -> tuple[Tensor, int]:
    x, uniforms = _front(info, x, in_dims[0]), _front(info, uniforms, in_dims[2], 1)
    return torch.ops.softdraw.subset_draws(x, k, uniforms), 1


def _sum_fake(x: Tensor, k: int) -> Tensor:
    return x.new_empty(x.shape[:-1])


def _subsets_fake(x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    return x.new_empty(x.shape[:-1]), x.new_empty(x.shape)


def _slope_fake(x: Tensor, k: int, direction: Tensor) -> Tensor:
    return x.new_empty(x.shape)


def _draws_fake(x: Tensor, k: int, uniforms: Tensor) -> Tensor:
    return x.new_empty(uniforms.shape)


for _name, _body, _fake, _vmap in (
    ("subset_sum", _subset_sum, _sum_fake, _sum_vmap),
    ("subsets", _subsets, _subsets_fake, _subsets_vmap),
    ("subset_slope", _subset_slope, _slope_fake, _slope_vmap),
    ("subset_draws", _subset_draws, _draws_fake, _draws_vmap),
):
    _library.impl(_name, _body, "CompositeExplicitAutograd")  # type: ignore[no-untyped-call]
    register_fake(_library, _name, _fake)
    torch.library.register_vmap(f"softdraw::{_name}", _vmap, lib=_library)
# What the compiler sees; it warns of functions, and torch.func takes no operation that has a derivative.
for _name, _function in (("subsets", _Subsets), ("subset_slope", _Slope)):
    torch.library.register_autograd(
        f"softdraw::{_name}", _function.backward, setup_context=_function.setup_context, lib=_library
    )
