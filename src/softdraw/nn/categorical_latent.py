"""The bottleneck of a discrete VAE."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import kl_divergence

from softdraw.arguments import check_classes, check_floating, read_choice, read_count, read_mask, wrong_value
from softdraw.distributions import Categorical
from softdraw.estimators import Estimator
from softdraw.functional.blocks import read_sizes, read_sizes_alone
from softdraw.kernels.blocks import layout
from softdraw.kernels.fast_path import is_plain
from softdraw.nn.choice import Choice, Evaluation
from softdraw.nn.layer import ChoiceLayer
from softdraw.random import Key
from softdraw.random.ranks import Group
from softdraw.recording import is_symbol, record_module
from softdraw.schedules import Schedule


class CategoricalLatentOutput(NamedTuple):
    """What ``CategoricalLatent`` returns.

    Attributes:
        sample: ``[*batch, variables, classes]``: the drawn rows; ``[*batch, sum of classes]`` where variables
            have classes of their own.
        log_probs: in the shape of the sample: log probabilities, ``-inf`` where masked; float32 or
            wider.
        kl: ``[*batch]``: KL divergence to the prior in nats, summed over the variables.
        perplexity: ``[]``: exp of the entropy of the mean probabilities over the batch, averaged over the
            variables.
    """

    sample: Tensor
    log_probs: Tensor
    kl: Tensor
    perplexity: Tensor


class CategoricalLatent(ChoiceLayer):
    """Draws ``variables`` categorical codes of ``classes`` each, with their KL divergence to a prior.

    ``loss = reconstruction + output.kl.mean()`` is the negative ELBO of Jang, Gu and Poole, Categorical
    Reparameterization with Gumbel-Softmax, ICLR 2017, section 4, with the KL of the categorical distributions
    (not of their relaxations). A perplexity near 1 says that one class is used for everything.

    Args:
        variables: number of latent variables, >= 1.
        classes: classes of each, >= 1; or a number for each variable, whose rows then lie one after the other
            in the last dim.
        tau: a float, a 0-dim tensor or a schedule; None takes the estimator's own default.
        estimator: a name or an object, straight-through Gumbel-Softmax by default.
        evaluation: in eval mode ``"argmax"``, ``"sample"`` or ``"mean"``.
        prior: ``"uniform"``, ``"learned"`` (logits are a parameter), or logits ``[variables, classes]``
            (``[sum of classes]`` where variables have classes of their own).
        group: the ranks that draw apart under ``torch.distributed``, see ``Choice``.
        device: where the parameters are made.
        dtype: that of the parameters.

    Raises:
        TypeError: a size that is no int, or as ``Choice``.
        ValueError: sizes below 1, another number of them than variables, prior logits of another shape, or as
            ``Choice``.

    Shapes:
        logits ``[*batch, variables · classes]`` or ``[*batch, variables, classes]`` to
        ``CategoricalLatentOutput``. The last dim says which; with one variable it is the first. Logits
        ``[*batch, sum of classes]`` where variables have classes of their own.

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
        classes: int | Sequence[int],
        *,
        tau: float | Tensor | Schedule | None = None,
        estimator: str | Estimator = "st-gumbel-softmax",
        evaluation: Evaluation = "argmax",
        prior: str | Tensor = "uniform",
        group: Group = "world",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.variables = read_count("variables", variables, 1)
        self.classes: int | tuple[int, ...]
        if isinstance(classes, Sequence):
            self.classes = read_sizes_alone(classes, "classes")
            if len(self.classes) != self.variables:
                raise wrong_value("classes", self.classes, f"a number, or one for each of {self.variables}")
        else:
            self.classes = read_count("classes", classes, 1)
        self.choice = Choice(estimator, tau, evaluation, group=group)
        self.prior_logits: Tensor
        #: the logits that were given, for ``reset_parameters``
        self._given: Tensor | None = None
        shape = (self.variables, self.classes) if isinstance(self.classes, int) else (sum(self.classes),)
        start = torch.zeros(shape, device=device, dtype=dtype)
        if isinstance(prior, Tensor):
            check_floating("prior", prior)
            if prior.shape != start.shape:
                raise wrong_value("prior", prior, f"shape {tuple(start.shape)}: one row of logits a variable")
            self._given = prior.detach().clone()
            self.register_buffer("prior_logits", self._given.to(device, dtype, copy=True))
        else:
            read_choice("prior", prior, ("uniform", "learned"))
            if prior == "learned":
                self.prior_logits = nn.Parameter(start)
            else:
                self.register_buffer("prior_logits", start)

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
            logits: ``[*batch, variables · classes]`` or, for more than one variable, ``[*batch, variables,
                classes]``.
            mask: boolean, broadcastable to ``[*batch, variables, classes]``, True where a class is allowed; a
                variable without any class is padding: a row of zeros that costs nothing. In the shape of the
                logits where variables have classes of their own.
            key: the noise.
            generator: where to take a fresh key from.

        Raises:
            TypeError: as ``Choice.forward``.
            ValueError: logits of another shape, or as ``Choice.forward``.
        """
        if is_symbol(logits):
            return record_module(self, logits, mask=mask, key=key, generator=generator)  # type: ignore[no-any-return]
        check_classes("logits", logits)
        if isinstance(self.classes, tuple):
            return self._unequal(self.classes, logits, mask, key, generator)
        shape, flat = logits.shape, self.variables * self.classes
        # The last dim alone decides, so that a batch of the size of `variables` is no special case.
        if shape[-1:] == (flat,):
            logits = logits.reshape(*shape[:-1], self.variables, self.classes)
        elif self.variables == 1 or shape[-2:] != (self.variables, self.classes):
            separate = "" if self.variables == 1 else f" or [*batch, {self.variables}, {self.classes}]"
            raise wrong_value("logits", logits, f"shape [*batch, {flat}]{separate}")
        return self._rows(logits, mask, self.prior_logits, None, key, generator)

    def _unequal(
        self,
        classes: tuple[int, ...],
        logits: Tensor,
        mask: Tensor | None,
        key: Key | None,
        generator: torch.Generator | None,
    ) -> CategoricalLatentOutput:
        """Variables with classes of their own, as rows of one length whose ends are masked."""
        read_sizes(classes, logits, name="classes")
        places = layout(classes, logits.device, keep=is_plain(logits))
        allowed = places.mask(read_mask(mask, logits))
        prior = places.pad(self.prior_logits)
        out = self._rows(places.pad(logits), allowed, prior, places.real, key, generator)
        return out._replace(sample=places.unpad(out.sample), log_probs=places.unpad(out.log_probs))

    def _rows(
        self,
        logits: Tensor,
        mask: Tensor | None,
        prior_logits: Tensor,
        prior_mask: Tensor | None,
        key: Key | None,
        generator: torch.Generator | None,
    ) -> CategoricalLatentOutput:
        sample = self.choice(logits, mask=mask, key=key, generator=generator)
        posterior = Categorical(logits=logits, mask=mask, validate_args=False)
        wide = prior_logits.to(posterior.logits.dtype)
        prior = Categorical(logits=wide, mask=prior_mask, validate_args=False)
        kl = kl_divergence(posterior, prior.expand(posterior.batch_shape)).sum(-1)
        return CategoricalLatentOutput(sample, posterior.log_probs, kl, perplexity(posterior.log_probs.exp()))

    def reset_parameters(self) -> None:
        """Reset the prior, a learned one to uniform, and a learned temperature to its start."""
        self.choice.reset_parameters()
        with torch.no_grad():
            self.prior_logits.zero_()
            if self._given is not None:
                self.prior_logits.copy_(self._given)

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
