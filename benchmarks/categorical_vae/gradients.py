"""Bias and variance of an estimator's gradient on the network as it stands, against a sum over all states."""

from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.categorical_vae.model import CategoricalVAE, Draw, states_of
from softdraw.estimators import Estimator, TensorEstimator

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
    classes = states_of_index(logits.shape[1], logits.shape[2])
    leaf = logits.double().requires_grad_()
    log_q = leaf.log_softmax(-1)
    joint = sum(log_q[:, variable, classes[:, variable]] for variable in range(logits.shape[1]))
    (gradient,) = torch.autograd.grad((joint.exp() * costs.t().double()).sum(), leaf)
    return gradient.float()


def states_of_index(variables: int, classes: int) -> Tensor:
    """The classes ``[states, L]`` of every code, in the order of ``states_of``."""
    return torch.cartesian_prod(*[torch.arange(classes)] * variables).view(-1, variables)


def _estimates(model: CategoricalVAE, draw: Draw, images: Tensor, logits: Tensor, draws: int) -> Tensor:
    """``[draws, B, L, C]``."""
    parts = []
    for count in torch.full((max(1, draws // 50),), 50).tolist():
        leaf = logits.expand(count, *logits.shape).clone().requires_grad_()
        if isinstance(draw, Estimator) and not isinstance(draw, TensorEstimator):
            lost = draw.expectation(lambda code: model.cost(code, images), leaf)
        else:
            flat = leaf.flatten(0, 1)  # the package takes one batch dim
            lost = model.cost(draw(flat).view_as(leaf), images)
        parts.append(torch.autograd.grad(lost.sum(), leaf)[0])
    return torch.cat(parts)
