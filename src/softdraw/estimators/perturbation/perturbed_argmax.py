"""Perturbed argmax: differentiate the mean of argmax(logits + noise) through the noise's density."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from softdraw.arguments import read_count
from softdraw.estimators._core.base import TensorEstimator
from softdraw.estimators._core.categorical import allowed_classes, compute_dtype, one_hot, probabilities
from softdraw.estimators._core.draws import Draws
from softdraw.estimators._core.registry import register
from softdraw.kernels.saved import keep, kept

__all__ = ["PerturbedArgmax"]


class _PerturbedArgmax(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(logits: Tensor, hard: Tensor, index: Tensor, score: Tensor) -> Tensor:
        return hard.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        logits, _, index, score = inputs
        keep(ctx, index, score)
        ctx.dtype = logits.dtype

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        index, score = kept(ctx)
        g = upstream.to(score.dtype)
        draws = index.shape[0]
        # g at each perturbed winner, less the mean of the other draws': a baseline that costs nothing
        won = g.expand(score.shape).gather(-1, index.clamp_min(0).unsqueeze(-1))
        won = (won - won.mean(0)) / (draws - 1)
        return (won * score).sum(0).to(ctx.dtype), None, None, None


@register("perturbed-argmax")
class PerturbedArgmax(TensorEstimator):
    """Forward a sample z = argmax(logits + G), backward a Monte Carlo Jacobian of E[argmax(logits + G)].

    The Jacobian is that of a smoothed maximum, E[z (1 - exp(-G))^T] for Gumbel noise (the density's score,
    minus d log p(G) / dG), estimated from K further draws with their mean as a baseline. With Gumbel noise
    E[argmax] is softmax(logits), so the mean of the gradient is that of ``st`` at tau = 1 for every f.
    It needs no softmax: the recipe serves any linear maximiser.

    Reference:
        Berthet et al., "Learning with Differentiable Perturbed Optimizers", NeurIPS 2020, proposition 3.1;
        Abernethy et al., "Perturbation Techniques in Online Learning and Optimization", 2016.

    Args:
        draws: K, at least 2; 16 unless given.
        samples: S, how many samples ``expectation`` averages over.

    Raises:
        TypeError: ``draws`` or ``samples`` is no int.
        ValueError: ``draws`` below 2.

    Example:
        >>> import torch, softdraw as sd
        >>> sd.estimators.get("perturbed-argmax")(torch.zeros(2, 3), key=sd.Key(0)).sum(-1)
        tensor([1., 1.])
    """

    family = "perturbation"
    default_tau: ClassVar[float | None] = None
    reference = "Berthet et al. (2020), proposition 3.1"
    remark = "mean as `st` at tau 1"

    def __init__(self, draws: int = 16, *, samples: int = 1) -> None:
        super().__init__(samples=samples)
        self.draws = read_count("draws", draws, 2)

    def _sample(self, logits: Tensor, mask: Tensor | None, tau: None, draws: Draws) -> Tensor:
        allowed = allowed_classes(logits, mask)
        values = logits.detach().to(compute_dtype(logits.dtype))
        index = draws.index(logits, mask)
        poison = probabilities(values, allowed)[..., 0] * 0
        hard = one_hot(index, logits.shape[-1], logits.dtype, poison=poison)
        noise = draws.gumbel(logits, stream=1, extra=self.draws)
        noisy = (values + noise).masked_fill(~allowed, -torch.inf)
        # the score has mean zero; a class that cannot win gets no gradient at all
        score = (1.0 - torch.exp(-noise)).masked_fill(~allowed, 0.0)
        score = score.masked_fill(allowed.sum(-1, keepdim=True) < 2, 0.0)
        return _PerturbedArgmax.apply(logits.expand(hard.shape), hard, noisy.argmax(-1), score)  # type: ignore[no-any-return, no-untyped-call]

    def _options(self) -> dict[str, object]:
        return {"draws": self.draws, "samples": self.samples}
