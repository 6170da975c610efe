"""ReDGE: reparameterize the sample as the end of a short deterministic diffusion."""

from typing import ClassVar

import torch
from torch import Tensor

from softdraw.arguments import read_count, read_number
from softdraw.estimators._core.base import TensorEstimator
from softdraw.estimators._core.categorical import allowed_classes, compute_dtype, one_hot, probabilities
from softdraw.estimators._core.draws import Draws
from softdraw.estimators._core.registry import register
from softdraw.functional import straight_through

__all__ = ["ReDGE"]


@register("redge")
class ReDGE(TensorEstimator):
    """A few DDIM steps from noise with the exact denoiser, a sample of the last prediction, ST through it.

    The noise is Gaussian. For one-hot data of law softmax(logits), x_t = alpha_t z + sigma_t e, the best
    prediction of z is softmax(logits + alpha_t x_t / sigma_t^2), so the whole sampler is a differentiable
    function of the logits:

        x_s = alpha_s zhat + sigma_s (x_t - alpha_t zhat) / sigma_t,    z ~ Categorical(last zhat),

    and the backward runs through the last zhat and all the steps before it. alpha falls linearly from 1 - t1
    to 1e-4 and sigma = 1 - alpha. The law of z is not softmax(logits): the steps discretise an ODE, so
    ``target`` is ``"tempered"`` and the difference shrinks with more steps and with t1 near 1. With
    ``steps=1`` and ``t1=1`` it is ``st``.

    Reference:
        Gourevitch, Durmus, Moulines, Olsson, Janati, "Categorical Reparameterization with Denoising Diffusion
        models", 2026 (arXiv:2601.00781).

    Args:
        steps: how often the denoiser is applied, 4 unless given (the published n = 5 counts time points).
        t1: noise level at the last prediction, in (0, 1], 0.5 unless given.
        samples: S, how many samples ``expectation`` averages over.

    Raises:
        TypeError: ``steps`` is no int, or ``t1`` no number.
        ValueError: ``steps`` below 1 or ``t1`` outside (0, 1].

    Example:
        >>> import torch, softdraw as sd
        >>> sd.estimators.get("redge", steps=8)(torch.zeros(2, 3), key=sd.Key(0)).sum(-1)
        tensor([1., 1.])
    """

    family = "straight-through"
    target = "tempered"
    default_tau: ClassVar[float | None] = None
    reference = "Gourevitch et al. (2026), arXiv:2601.00781"

    def __init__(self, steps: int = 4, t1: float = 0.5, *, samples: int = 1) -> None:
        super().__init__(samples=samples)
        self.steps = read_count("steps", steps, 1)
        self.t1 = read_number("t1", t1, above=0.0, most=1.0)

    def alphas(self) -> list[float]:
        """The signal level at each prediction, the last prediction first."""
        first, last = 1.0 - self.t1, min(1e-4, 1.0 - self.t1)
        if self.steps == 1:
            return [first]
        return [first + (last - first) * i / (self.steps - 1) for i in range(self.steps)]

    def _sample(self, logits: Tensor, mask: Tensor | None, tau: None, draws: Draws) -> Tensor:
        allowed = allowed_classes(logits, mask)
        values = logits.to(compute_dtype(logits.dtype))
        alphas = self.alphas()
        x = draws.normal(logits, stream=1)
        values, allowed = values.expand(x.shape), allowed.expand(x.shape)
        for level in range(self.steps - 1, 0, -1):
            alpha, sigma = alphas[level], 1.0 - alphas[level]
            predicted = probabilities(values + x * (alpha / sigma**2), allowed)
            noise = (x - alpha * predicted) / sigma
            x = alphas[level - 1] * predicted + (1.0 - alphas[level - 1]) * noise
        alpha, sigma = alphas[0], 1.0 - alphas[0]
        last = values + x * (alpha / sigma**2)
        soft = probabilities(last, allowed)
        index = draws.index_of_samples(last.detach().masked_fill(~allowed, -torch.inf))
        hard = one_hot(index, logits.shape[-1], logits.dtype, poison=soft.detach()[..., 0] * 0)
        return straight_through(hard, soft.to(logits.dtype))

    def _options(self) -> dict[str, object]:
        return {"steps": self.steps, "t1": self.t1, "samples": self.samples}
