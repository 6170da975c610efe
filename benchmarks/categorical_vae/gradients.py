"""Bias and variance of an estimator's gradient on the network as it stands, against a sum over all states."""

from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.categorical_vae.model import CategoricalVAE, Draw, joint, lost_by, states_of

__all__ = ["Gradient", "gradient_of"]


@dataclass(frozen=True)
class Gradient:
    """Of the expected cross-entropy with respect to the encoder's logits, over a few images.

    Attributes:
        bias: squared distance of the expected gradient from the exact one, by the latter's squared norm; what
            the draws themselves add is taken off, so it may be just below 0.
        variance: mean squared distance of a gradient from its mean, by the same norm.
        cosine: between the mean gradient and the exact one.
    """

    bias: float
    variance: float
    cosine: float


def gradient_of(model: CategoricalVAE, draw: Draw, images: Tensor, draws: int, seed: int) -> Gradient:
    """Measure ``draws`` gradients of each image; each image's figures count alike before they are divided."""
    with torch.no_grad():
        logits = model.logits(images)
        costs = _costs(model, images)
    exact = _exact(logits, costs)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        found = _estimates(model, draw, images, logits, draws)
    mean = found.mean(0)
    variance = (found - mean).square().sum() / (draws - 1)
    bias = (mean - exact).square().sum() - variance / draws
    norm = exact.square().sum()
    cosine = torch.nn.functional.cosine_similarity(mean.flatten(), exact.flatten(), dim=0)
    return Gradient(float(bias / norm), float(variance / norm), float(cosine))


def _costs(model: CategoricalVAE, images: Tensor) -> Tensor:
    """``[states, B]``."""
    pixels = model.decoder(states_of(model.latents).flatten(1))
    return torch.nn.functional.softplus(pixels).sum(1, keepdim=True) - pixels @ images.t()


def _exact(logits: Tensor, costs: Tensor) -> Tensor:
    """Gradient ``[B, L, C]`` of the expected cost."""
    leaf = logits.double().requires_grad_()
    expected = (joint(leaf.softmax(-1)) * costs.t().double()).sum()
    (gradient,) = torch.autograd.grad(expected, leaf)
    return gradient.float()


def _estimates(model: CategoricalVAE, draw: Draw, images: Tensor, logits: Tensor, draws: int) -> Tensor:
    """``[draws, B, L, C]``."""
    parts = []
    for part in logits.expand(draws, *logits.shape).split(50):
        leaf = part.clone().requires_grad_()
        parts.append(torch.autograd.grad(lost_by(model, draw, leaf, images).sum(), leaf)[0])
    return torch.cat(parts)
