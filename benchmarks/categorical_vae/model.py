"""The network, its loss with any estimator, and its bound, exactly where the states can be counted."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.categorical_vae.settings import ESTIMATORS, PACKAGE, Latents
from softdraw.estimators import Estimator, TensorEstimator

__all__ = [
    "PIXELS",
    "CategoricalVAE",
    "Draw",
    "drawing",
    "exact_bound",
    "joint",
    "loss_of",
    "lost_by",
    "sampled_bound",
    "states_of",
]

PIXELS = 784
#: a differentiable one-hot ``[..., L, C]`` of logits, or an estimator that asks for the cost as a function
Draw = Callable[[Tensor], Tensor] | Estimator


class CategoricalVAE(nn.Module):
    """784-512-256-(C L), mirrored, ReLU; nothing acts on logits."""

    def __init__(self, latents: Latents) -> None:
        super().__init__()
        self.latents = latents
        code = latents.classes * latents.variables
        self.encoder = nn.Sequential(
            nn.Linear(PIXELS, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, code)
        )
        self.decoder = nn.Sequential(
            nn.Linear(code, 256), nn.ReLU(), nn.Linear(256, 512), nn.ReLU(), nn.Linear(512, PIXELS)
        )

    def logits(self, images: Tensor) -> Tensor:
        """``[B, L, C]``."""
        return self.encoder(images).view(-1, self.latents.variables, self.latents.classes)

    def cost(self, code: Tensor, images: Tensor) -> Tensor:
        """Binary cross-entropy ``[..., B]`` in nats of images ``[B, 784]`` under codes ``[..., B, L, C]``."""
        pixels = self.decoder(code.flatten(-2))
        return (nn.functional.softplus(pixels) - images * pixels).sum(-1)


def divergence(logits: Tensor) -> Tensor:
    """KL ``[B]`` to the uniform prior, in nats."""
    log_q = logits.log_softmax(-1)
    per_choice = (log_q.exp() * log_q).sum(-1) + torch.tensor(float(logits.shape[-1])).log()
    return per_choice.sum(-1)


def drawing(estimator: str, tau: Any) -> Draw:
    """What turns logits into codes."""
    if estimator != PACKAGE:
        return ESTIMATORS[estimator](tau)
    from reinmax import reinmax

    return lambda logits: reinmax(logits.contiguous(), tau)[0]


def lost_by(model: CategoricalVAE, draw: Draw, logits: Tensor, images: Tensor) -> Tensor:
    """Expected cost ``[..., B]`` of images ``[B, 784]`` at logits ``[..., B, L, C]``, estimated."""
    if isinstance(draw, Estimator) and not isinstance(draw, TensorEstimator):
        return draw.expectation(lambda code: model.cost(code, images), logits)
    # the package takes one batch dim
    return model.cost(draw(logits.flatten(0, -3)).view_as(logits), images)


def loss_of(model: CategoricalVAE, draw: Draw, images: Tensor) -> Tensor:
    """-ELBO ``[B]``: the estimate of its first part brings the gradient, the second is exact."""
    logits = model.logits(images)
    return lost_by(model, draw, logits, images) + divergence(logits)


def states_of(latents: Latents) -> Tensor:
    """All codes, one-hot: ``[states, L, C]``."""
    each = torch.arange(latents.classes)
    index = torch.cartesian_prod(*[each] * latents.variables).view(-1, latents.variables)
    return nn.functional.one_hot(index, latents.classes).float()


@torch.no_grad()
def exact_bound(model: CategoricalVAE, images: Tensor, rows: int = 2000) -> float:
    """-ELBO in nats, averaged over images ``[N, 784]``, by a sum over all states.

    Every state is decoded once. The cross-entropy is linear in what is decoded: the expected pixels are one
    product of the probabilities of the states with their pixels.
    """
    pixels = model.decoder(states_of(model.latents).flatten(1))  # [states, 784]
    table = torch.cat((pixels, nn.functional.softplus(pixels).sum(1, keepdim=True)), 1)
    total = 0.0
    for part in images.split(rows):
        logits = model.logits(part)
        probability = joint(logits.softmax(-1))
        expected = probability @ table
        lost = expected[:, -1] - (part * expected[:, :-1]).sum(1)
        total += float((lost + divergence(logits)).double().sum())
    return total / len(images)


@torch.no_grad()
def sampled_bound(model: CategoricalVAE, images: Tensor, seed: int, rows: int = 2000) -> float:
    """The same with one exact draw for each image, where the states are too many."""
    import softdraw as sd

    total, key = 0.0, sd.Key(seed)
    for number, part in enumerate(images.split(rows)):
        logits = model.logits(part)
        code = sd.gumbel_softmax(logits, hard=True, key=key.rows(number * rows * model.latents.variables))
        total += float((model.cost(code, part) + divergence(logits)).double().sum())
    return total / len(images)


def joint(probs: Tensor) -> Tensor:
    """Probability ``[B, states]`` of the codes of ``states_of`` from that of each choice, ``[B, L, C]``."""
    found = probs[:, 0]
    for variable in range(1, probs.shape[1]):
        found = (found.unsqueeze(2) * probs[:, variable].unsqueeze(1)).flatten(1)
    return found
