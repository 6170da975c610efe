"""The bottleneck of a discrete VAE."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import kl_divergence

from softdraw.distributions import Categorical
from softdraw.estimators import Estimator
from softdraw.nn.choice import Choice, Evaluation
from softdraw.random import Key
from softdraw.schedules import Schedule


class CategoricalLatentOutput(NamedTuple):
    """What ``CategoricalLatent`` returns.

    Attributes:
        sample: ``[*batch, variables, classes]``: the drawn rows.
        log_probs: ``[*batch, variables, classes]``: log probabilities, ``-inf`` where masked; float32 or
            wider.
        kl: ``[*batch]``: KL divergence to the prior in nats, summed over the variables.
        perplexity: ``[]``: exp of the entropy of the mean probabilities over the batch, averaged over the
            variables.
    """

    sample: Tensor
    log_probs: Tensor
    kl: Tensor
    perplexity: Tensor


class CategoricalLatent(nn.Module):
    """Draws ``variables`` categorical codes of ``classes`` each, with their KL divergence to a prior.

    ``loss = reconstruction + output.kl.mean()`` is the negative ELBO of Jang, Gu and Poole, Categorical
    Reparameterization with Gumbel-Softmax, ICLR 2017, section 4, with the KL of the categorical distributions
    (not of their relaxations). A perplexity near 1 says that one class is used for everything.

    Args:
        variables: number of latent variables, >= 1.
        classes: classes of each, >= 1.
        tau: a float, a 0-dim tensor or a schedule; None takes the estimator's own default.
        estimator: a name or an object, straight-through Gumbel-Softmax by default.
        evaluation: in eval mode ``"argmax"``, ``"sample"`` or ``"mean"``.
        prior: ``"uniform"``, ``"learned"`` (logits are a parameter), or logits ``[variables, classes]``.

    Raises:
        ValueError: sizes below 1, prior logits of another shape, or as ``Choice``.

    Shapes:
        logits ``[*batch, variables · classes]`` or ``[*batch, variables, classes]`` to
        ``CategoricalLatentOutput``.

    Example:
        A VAE of one code learns three symbols:

        >>> import torch, softdraw as sd
        >>> _ = torch.manual_seed(0)
        >>> x = torch.eye(3)[torch.arange(90) % 3]
        >>> latent = sd.nn.CategoricalLatent(variables=2, classes=3)
        >>> encoder, decoder = torch.nn.Linear(3, 6), torch.nn.Linear(6, 3)
        >>> optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=0.05)
        >>> for step in range(200):
        ...     out = latent(encoder(x), key=sd.Key(0).fold_in(step))
        ...     lost = torch.nn.functional.cross_entropy(decoder(out.sample.flatten(1)), x.argmax(-1))
        ...     optimizer.zero_grad(); (lost + 0.01 * out.kl.mean()).backward(); optimizer.step()
        >>> out = latent.eval()(encoder(x))
        >>> (decoder(out.sample.flatten(1)).argmax(-1) == x.argmax(-1)).float().mean()
        tensor(1.)
    """

    def __init__(
        self,
        variables: int,
        classes: int,
        *,
        tau: float | Tensor | Schedule | None = None,
        estimator: str | Estimator = "st-gumbel-softmax",
        evaluation: Evaluation = "argmax",
        prior: str | Tensor = "uniform",
    ) -> None:
        super().__init__()
        for name, size in (("variables", variables), ("classes", classes)):
            if size < 1:
                raise ValueError(f"{name} must be at least 1, got {size}")
        self.variables, self.classes = variables, classes
        self.choice = Choice(estimator, tau, evaluation)
        self.prior_logits: Tensor
        start = torch.zeros(variables, classes)
        if isinstance(prior, Tensor):
            if prior.shape != (variables, classes):
                raise ValueError(
                    f"prior must have shape ({variables}, {classes}), one row of logits a variable, "
                    f"got {tuple(prior.shape)}"
                )
            self.register_buffer("prior_logits", prior.detach().clone())
        elif prior == "learned":
            self.prior_logits = nn.Parameter(start)
        elif prior == "uniform":
            self.register_buffer("prior_logits", start)
        else:
            raise ValueError(f"prior must be 'uniform', 'learned' or a tensor of logits, got {prior!r}")

    @property
    def tau(self) -> float | Tensor | None:
        """The temperature of the next training draw."""
        return self.choice.tau

    def forward(
        self,
        logits: Tensor,
        *,
        mask: Tensor | None = None,
        key: Key | None = None,
        generator: torch.Generator | None = None,
    ) -> CategoricalLatentOutput:
        """Draw the codes of a batch.

        Args:
            logits: ``[*batch, variables · classes]`` or ``[*batch, variables, classes]``.
            mask: boolean, broadcastable to ``[*batch, variables, classes]``, True where a class is allowed; a
                variable without any class is padding: a row of zeros that costs nothing.
            key: the noise.
            generator: where to take a fresh key from.

        Raises:
            ValueError: logits of another shape.
        """
        if logits.shape[-2:] != (self.variables, self.classes):
            if logits.shape[-1:] != (self.variables * self.classes,):
                raise ValueError(
                    f"logits must have shape [*batch, {self.variables * self.classes}] or "
                    f"[*batch, {self.variables}, {self.classes}], got {tuple(logits.shape)}"
                )
            logits = logits.reshape(*logits.shape[:-1], self.variables, self.classes)
        sample = self.choice(logits, mask=mask, key=key, generator=generator)
        posterior = Categorical(logits=logits, mask=mask, validate_args=False)
        prior = Categorical(logits=self.prior_logits.to(posterior.logits.dtype), validate_args=False)
        kl = kl_divergence(posterior, prior.expand(posterior.batch_shape)).sum(-1)
        return CategoricalLatentOutput(sample, posterior.log_probs, kl, perplexity(posterior.log_probs.exp()))

    def reset_parameters(self) -> None:
        """Reset a learned prior to uniform, and a learned temperature to its start."""
        self.choice.reset_parameters()
        if isinstance(self.prior_logits, nn.Parameter):
            nn.init.zeros_(self.prior_logits)

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        learned = isinstance(self.prior_logits, nn.Parameter)
        return f"variables={self.variables}, classes={self.classes}, learned_prior={learned}"


def perplexity(probs: Tensor) -> Tensor:
    """Exp of the entropy of the mean row, averaged over the variables; rows of zeros are padding.

    Args:
        probs: ``[*batch, variables, classes]``.

    Returns:
        ``[]``, between 1 and the number of classes.
    """
    return group_perplexity(probs).mean()


def group_perplexity(probs: Tensor) -> Tensor:
    """Exp of the entropy of the mean row, for each variable: ``[variables]``."""
    rows = probs.reshape(-1, *probs.shape[-2:])
    weight = rows.sum((0, -1)).clamp_min(math.ulp(1.0))
    mean = rows.sum(0) / weight.unsqueeze(-1)
    # xlogy has the gradient -inf at 0: unused classes would poison the mean's gradient.
    return torch.exp(-(mean * mean.clamp_min(torch.finfo(mean.dtype).tiny).log()).sum(-1))
