"""The cost f, and what an estimator asks of it."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from softdraw.arguments import described
from softdraw.estimators._core.errors import UnsuitableError

__all__ = ["Cost", "call_cost"]

#: f maps one-hot samples ``[S, *batch, D, C]``, or draws ``[S, *batch, *event]`` of a distribution, to costs
#: ``[S, *batch]``
Cost = Callable[[Tensor], Tensor]


def call_cost(
    f: Cost,
    sample: Tensor,
    *,
    differentiable: bool = False,
    caller: object,
    batch: Sequence[int] | None = None,
) -> Tensor:
    """f(sample), checked: shape ``[S, *batch]`` and, where the estimator needs it, a path back to the
    sample. ``batch`` is what a distribution has for batch shape.
    """
    cost = f(sample)
    expected = sample.shape[:-2] if batch is None else (sample.shape[0], *batch)
    if not isinstance(cost, Tensor):
        raise TypeError(f"f: got costs that are {described(cost)}, expected a tensor [S, *batch]")
    if cost.shape != expected:
        raise ValueError(
            f"f: got costs of shape {tuple(cost.shape)} for samples of shape {tuple(sample.shape)}, expected "
            f"shape {tuple(expected)}"
        )
    # a graph that is being compiled shows no path
    asked = differentiable and torch.is_grad_enabled() and not torch.compiler.is_compiling()
    if asked and sample.requires_grad and not _reaches(cost, sample):
        raise UnsuitableError(
            f"{type(caller).__name__} needs an f that is differentiable in its samples, but the costs that f "
            "returned do not depend on them through autograd; use an estimator whose needs is 'callable', "
            "such as rloo"
        )
    return cost


def _reaches(cost: Tensor, sample: Tensor) -> bool:
    if cost is sample or cost.grad_fn is None:
        return cost is sample
    goal = sample.grad_fn
    pending, seen = [cost.grad_fn], {cost.grad_fn}
    while pending:
        node = pending.pop()
        if node is goal or getattr(node, "variable", None) is sample:
            return True
        for parent, _ in node.next_functions:
            if parent is not None and parent not in seen:
                seen.add(parent)
                pending.append(parent)
    return False
