"""ARSM: swap two entries of a Dirichlet vector, for any number of classes."""

import torch
from torch import Tensor

from softdraw.estimators._core.attach import attach
from softdraw.estimators._core.base import Cost, Estimator, call_cost
from softdraw.estimators._core.categorical import allowed_classes, compute_dtype, one_hot
from softdraw.estimators._core.draws import Draws
from softdraw.estimators._core.registry import register

__all__ = ["ARSM"]


@register("arsm")
class ARSM(Estimator):
    """sum_j (f(z^{c<->j}) - mean_c f(z^{c<->j})) (1/C - pi_j) for class c, pi ~ Dirichlet(1).

    z = argmin_c pi_c exp(-logits_c) is a sample of the law, and z^{c<->j} is the same with pi_c and pi_j
    swapped, in all D variables at once. Unbiased without any baseline; C (C - 1) / 2 + 1 evaluations of f for
    each of S vectors, whatever D is. With two classes it is ARM.

    Reference:
        Yin, Yue, Zhou, "ARSM: Augment-REINFORCE-Swap-Merge Estimator for Gradient Backpropagation Through
        Categorical Variables", ICML 2019, theorem 1 and equation 10.

    Args:
        samples: S, 1 unless given.

    Example:
        >>> import torch, softdraw as sd
        >>> sd.estimators.get("arsm").evaluations(variables=8, classes=4)
        7
    """

    family = "score-function"
    unbiased = True
    reference = "Yin, Yue, Zhou (2019), theorem 1"

    def evaluations(self, variables: int, classes: int) -> int:
        """S (C (C - 1) / 2 + 1)."""
        del variables
        return self.samples * (classes * (classes - 1) // 2 + 1)

    def _estimate(self, f: Cost, logits: Tensor, mask: Tensor | None, draws: Draws) -> Tensor:
        allowed = allowed_classes(logits.detach(), mask)
        values = logits.detach().to(compute_dtype(logits.dtype)).masked_fill(~allowed, -torch.inf)
        classes = logits.shape[-1]
        noise = draws.gumbel(logits)
        pi = (-noise).softmax(-1)  # normalised exponentials, each the exponential exp(-G)
        pairs = torch.triu_indices(classes, classes, 1, device=logits.device)
        orders = torch.arange(classes, device=logits.device).repeat(pairs.shape[1] + 1, 1)
        swap = torch.arange(1, pairs.shape[1] + 1, device=logits.device)
        orders[swap, pairs[0]], orders[swap, pairs[1]] = pairs[1], pairs[0]
        # [S, *batch, D, M, C] -> index [M, S, *batch, D]; the first order is no swap
        swapped = noise[..., orders] + values.unsqueeze(-2)
        index = swapped.argmax(-1).movedim(-1, 0)
        z = one_hot(index, classes, logits.dtype).masked_fill(~allowed, 0.0)
        cost = call_cost(f, z.flatten(0, 1), caller=self)
        by_swap = cost.detach().to(pi.dtype).reshape(*z.shape[:2], *cost.shape[1:])
        # table[c, j] = f(z^{c<->j}), symmetric, the plain sample on its diagonal
        number = torch.zeros(classes, classes, dtype=torch.int64, device=logits.device)
        number[pairs[0], pairs[1]] = swap
        number[pairs[1], pairs[0]] = swap
        table = by_swap[number]
        table = table - table.mean(0)
        gradient = torch.einsum("cj...,...dj->...dc", table, 1.0 / classes - pi)
        # with one class left there is nothing to learn, and a class that cannot occur gets no gradient
        free = allowed & (allowed.sum(-1, keepdim=True) > 1)
        return attach(cost.mean(0), logits, gradient.mean(0).masked_fill(~free, 0.0))
