"""Muon: every matrix is moved by its momentum with the singular values made equal.

``torch.optim.Muon`` is younger than the oldest torch that is supported, and computes in bfloat16, which most
processors emulate; this one keeps the dtype of the weights.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor

__all__ = ["Muon", "orthogonal"]

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic x -> a x + b x³ + c x⁵, which lifts small singular values fastest and ends near 1."""
LIKE_ADAM = 0.2
"""Root mean square of the entries of a step at a learning rate of 1, about that of AdamW."""

Share = Callable[[Callable[[Any], object], Iterable[Any]], object]


def _one_by_one(function: Callable[[Any], object], parts: Iterable[Any]) -> None:
    for part in parts:
        function(part)


def orthogonal(matrix: Tensor, iterations: int) -> Tensor:
    """About ``u @ v.T`` of the singular value decomposition ``u @ diag(s) @ v.T``, by products alone.

    Args:
        matrix: ``[m, n]``.
        iterations: of Newton and Schulz; 4 bring singular values above a fiftieth of the norm near 1.

    Example:
        >>> found = orthogonal(torch.tensor([[3.0, 0.0], [0.0, 0.1]]), 5)
        >>> bool(((torch.linalg.svdvals(found) - 1).abs() < 0.35).all())
        True

    Reference:
        Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks",
        https://kellerjordan.github.io/posts/muon.
    """
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.t() if tall else matrix
    x = x / x.norm().clamp(min=1e-12)
    for _ in range(iterations):
        square = x @ x.t()
        x = torch.addmm(x, torch.addmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x.t() if tall else x


class Muon(torch.optim.Optimizer):
    """An optimizer of matrices that are multiplied with features; all else is AdamW's.

    Args:
        matrices: parameters ``[m, n]``, or groups of them.
        lr: how far a step goes: the root mean square of its entries is 0.2 times this.
        momentum: how much of the mean of earlier gradients is kept at each step; the step looks ahead of it,
            as Nesterov's does.
        weight_decay: share of the weights that a step takes off, times ``lr``.
        iterations: of Newton and Schulz.
        share: calls a function with each of some lists of matrices, on threads perhaps; by default one after
            the other.

    Raises:
        ValueError: a parameter is no matrix.

    Reference:
        Jordan et al. 2024 (see ``orthogonal``); the size of a step: Liu et al. 2025, "Muon is scalable for
        LLM training", arXiv:2502.16982, section 2.2.
    """

    def __init__(
        self,
        matrices: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float,
        *,
        momentum: float = 0.95,
        weight_decay: float = 0.01,
        iterations: int = 4,
        share: Share | None = None,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(matrices, defaults)
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.dim() != 2:
                    raise ValueError(
                        f"matrices: got a parameter of shape {tuple(matrix.shape)}, expected [m, n]"
                    )
        self.iterations, self.share = iterations, share or _one_by_one

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every matrix that has a gradient.

        Args:
            closure: computes the gradients anew, and gives the loss.

        Returns:
            What ``closure`` gave; None without one.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            moved = [matrix for matrix in group["params"] if matrix.grad is not None]
            for matrix in moved:
                if "momentum" not in self.state[matrix]:
                    self.state[matrix]["momentum"] = torch.zeros_like(matrix)
            # two lists of about equal cost: the largest to one, the next two to the other, and so on
            moved.sort(key=Tensor.numel, reverse=True)
            parts = [moved[::4] + moved[3::4], moved[1::4] + moved[2::4]]
            self.share(partial(self._move, group), parts)
        return loss

    @torch.no_grad()
    def _move(self, group: dict[str, Any], matrices: Sequence[Tensor]) -> None:
        for matrix in matrices:
            gradient, mean = cast("Tensor", matrix.grad), self.state[matrix]["momentum"]
            mean.lerp_(gradient, 1 - group["momentum"])
            step = orthogonal(gradient.lerp(mean, group["momentum"]), self.iterations)
            matrix.mul_(1 - group["lr"] * group["weight_decay"])
            matrix.add_(step, alpha=-group["lr"] * LIKE_ADAM * math.sqrt(max(matrix.shape)))
