"""The operations of trees: ``softdraw::trees``, the derivative of its marginals, and
``softdraw::tree_draws``.

Eager mode, ``torch.compile`` and exports see one node each, where PyTorch would see n steps. The transforms
of ``torch.func``, forward mode, and third derivatives go through the formulas.
"""

import math
from typing import Any

import torch
from torch import Tensor

from softdraw._torch import forward_mode_level, innermost_transform, register_fake
from softdraw.kernels.dispatch import structure_loops_of
from softdraw.kernels.saved import keep, kept
from softdraw.kernels.structures import tree_formulas as formulas

__all__ = ["draws", "sums"]

# Defined by their schemas, as in ``kernels.ops``.
_library = torch.library.Library("softdraw", "FRAGMENT")  # type: ignore[no-untyped-call]
_library.define("trees(Tensor logits) -> (Tensor, Tensor)")  # type: ignore[no-untyped-call]
_library.define("tree_curvature(Tensor logits, Tensor direction) -> Tensor")  # type: ignore[no-untyped-call]
_library.define("tree_draws(Tensor logits, Tensor? noise) -> Tensor")  # type: ignore[no-untyped-call]


def _trees(logits: Tensor) -> tuple[Tensor, Tensor]:
    batch, (n, m) = logits.shape[:-2], logits.shape[-2:]
    loops = structure_loops_of(logits) if logits.dtype == torch.float64 else None
    if loops is None:
        value, marginals, _ = formulas.sums(logits)
        return value, marginals
    value, marginals = loops.trees(logits.reshape(-1, n, m).contiguous())
    return value.reshape(batch), marginals.reshape(logits.shape)


def _trees_fake(logits: Tensor) -> tuple[Tensor, Tensor]:
    return logits.new_empty(logits.shape[:-2]), logits.new_empty(logits.shape)


def _trees_vmap(info: Any, in_dims: tuple[int | None, ...], logits: Tensor) -> Any:
    return torch.ops.softdraw.trees(logits.movedim(in_dims[0] or 0, 0)), (0, 0)


def _save(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.set_materialize_grads(False)
    keep(ctx, inputs[0], output[1])


def _backward(ctx: Any, value: Tensor | None, marginals: Tensor | None) -> Tensor | None:
    logits, p = kept(ctx)
    grad = None if value is None else value[..., None, None] * p
    if marginals is not None:
        curved = torch.ops.softdraw.tree_curvature(logits, marginals)
        grad = curved if grad is None else grad + curved
    return grad


def _curvature(logits: Tensor, direction: Tensor) -> Tensor:
    n, m = logits.shape[-2:]
    loops = structure_loops_of(logits) if logits.dtype == torch.float64 else None
    if loops is None:
        return formulas.sums(logits, direction)[2]
    flat = logits.reshape(-1, n, m).contiguous(), direction.reshape(-1, n, m).contiguous()
    curved: Tensor = loops.tree_curvature(*flat)
    return curved.reshape(logits.shape)


def _curvature_fake(logits: Tensor, direction: Tensor) -> Tensor:
    return torch.empty_like(logits)


def _curvature_vmap(info: Any, in_dims: tuple[int | None, ...], logits: Tensor, direction: Tensor) -> Any:
    first, second = (
        value.unsqueeze(0).expand(info.batch_size, *value.shape) if dim is None else value.movedim(dim, 0)
        for value, dim in ((logits, in_dims[0]), (direction, in_dims[1]))
    )
    return torch.ops.softdraw.tree_curvature(first, second), 0


def _save_curvature(ctx: Any, inputs: Any, output: Any) -> None:
    keep(ctx, *inputs)


def _curvature_backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
    logits, direction = kept(ctx)
    pull = torch.func.vjp(lambda x, d: formulas.sums(x, d)[2], logits, direction)[1]
    first, second = pull(grad)
    return first, second


def _draws(logits: Tensor, noise: Tensor | None) -> Tensor:
    loops = structure_loops_of(logits) if logits.dtype == torch.float64 else None
    if loops is None:
        return formulas.draws(logits, noise)
    wide = None if noise is None else noise.to(torch.float64).contiguous()
    parents: Tensor = loops.tree_draws(logits.contiguous(), wide)
    return parents.to(torch.int64)


def _draws_fake(logits: Tensor, noise: Tensor | None) -> Tensor:
    samples = 1 if noise is None else noise.shape[0]
    return logits.new_empty((samples, *logits.shape[:-1]), dtype=torch.int64)


def _draws_vmap(info: Any, in_dims: tuple[int | None, ...], logits: Tensor, noise: Tensor | None) -> Any:
    size = info.batch_size
    x = logits.expand(size, *logits.shape) if in_dims[0] is None else logits.movedim(in_dims[0], 0)
    if noise is not None:
        shape = (noise.shape[0], size, *noise.shape[1:])
        noise = noise.unsqueeze(1).expand(shape) if in_dims[1] is None else noise.movedim(in_dims[1], 1)
        noise = noise.flatten(1, 2)
    parents = torch.ops.softdraw.tree_draws(x.flatten(0, 1), noise)
    return parents.reshape(parents.shape[0], size, -1, parents.shape[-1]), 1


_key = "CompositeExplicitAutograd"
_library.impl("trees", _trees, _key)  # type: ignore[no-untyped-call]
_library.impl("tree_curvature", _curvature, _key)  # type: ignore[no-untyped-call]
_library.impl("tree_draws", _draws, _key)  # type: ignore[no-untyped-call]
register_fake(_library, "trees", _trees_fake)
register_fake(_library, "tree_curvature", _curvature_fake)
register_fake(_library, "tree_draws", _draws_fake)
torch.library.register_vmap("softdraw::trees", _trees_vmap, lib=_library)
torch.library.register_vmap("softdraw::tree_curvature", _curvature_vmap, lib=_library)
torch.library.register_vmap("softdraw::tree_draws", _draws_vmap, lib=_library)
torch.library.register_autograd("softdraw::trees", _backward, setup_context=_save, lib=_library)
torch.library.register_autograd(
    "softdraw::tree_curvature", _curvature_backward, setup_context=_save_curvature, lib=_library
)


def sums(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Log of the sum over arborescences rooted at vertex 0, ``[*batch]``, and the marginals of the edges.

    Args:
        logits: ``[*batch, n, n]`` in float64 (float32 where a device has nothing wider), the edge i -> j at
            ``[i, j]``, ``-inf`` where there is none; the diagonal and the edges into the root are not read.

    Returns:
        Both differentiable. ``-inf`` and zeros without an arborescence, NaN for NaN or ``+inf``.
    """
    # torch.func cannot differentiate an operation of Python
    eager = not torch.compiler.is_compiling()
    if eager and (innermost_transform() is not None or forward_mode_level() >= 0):
        value, marginals, _ = formulas.sums(logits)
        return value, marginals
    value, marginals = torch.ops.softdraw.trees(logits)
    return value, marginals


def draws(logits: Tensor, noise: Tensor | None) -> Tensor:
    """The parents ``[samples, *batch, n]`` of the vertices in exact draws, -1 where there is none.

    Args:
        logits: ``[*batch, n, n]``, as for ``sums``.
        noise: Gumbel noise ``[samples, *batch, n, n]``, or None for the best arborescence.
    """
    n = logits.shape[-1]
    count = math.prod(logits.shape[:-2])  # which -1 cannot say where there are none
    rows = logits.detach().reshape(count, n, n)
    flat = None if noise is None else noise.detach().reshape(noise.shape[0], count, n, n)
    parents: Tensor = torch.ops.softdraw.tree_draws(rows, flat)
    return parents.reshape(parents.shape[0], *logits.shape[:-1])
