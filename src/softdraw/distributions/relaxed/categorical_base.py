"""The density of a relaxed categorical variable, as a function of an unnormalised log-space value."""

import math
from typing import Any

import torch
from torch import Tensor

from softdraw import random
from softdraw.arguments import wrong_type, wrong_value
from softdraw.distributions.one_hot_categorical import OneHotCategorical
from softdraw.distributions.parameters import (
    allowed_classes,
    as_temperature,
    broadcast,
    check_values,
    choose,
    log_of,
    row_temperature,
)
from softdraw.distributions.relaxed.base import Relaxed
from softdraw.kernels.formulas import compute_dtype, wide
from softdraw.random import Key


class RelaxedCategorical(Relaxed):
    """Logits, noise and density that ``RelaxedOneHotCategorical`` and ``ExpRelaxedCategorical`` share.

    With ``w = temperature · u`` for a log-space value ``u`` (``log y`` up to any shift of a row), the density
    of ``log y`` is (Maddison, Mnih and Teh, The Concrete Distribution, ICLR 2017, appendix C.3)

    ``log p = log (n-1)! + (n-1) log τ + Σ (a - w) - n logsumexp(a - w)``.

    A shift of ``u`` cancels, so ``u`` is never normalised: at high temperatures the differences between
    classes would drown in ``-log n``.
    """

    def __init__(
        self,
        temperature: Any,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
        *,
        mask: Tensor | None = None,
    ) -> None:
        given, is_probs = choose(probs, logits)
        validate = self._validate_args if validate_args is None else validate_args
        if validate and is_probs:
            check_values("probs", given, (given >= 0) & (given < math.inf), "finite and >= 0")
        elif validate:
            check_values("logits", given, given < math.inf, "finite or -inf")
        scores = log_of(given) if is_probs else given
        tau = row_temperature(as_temperature(temperature, scores, validate), scores)
        batch_shape = broadcast(tau.shape, scores.shape[:-1])
        allowed = allowed_classes(scores, mask)
        self._initialise(scores, allowed, tau, given.dtype, batch_shape, validate_args)

    @property
    def categorical(self) -> OneHotCategorical:
        """The discrete distribution that is relaxed; its KL divergence to another is a closed form."""
        return OneHotCategorical(logits=self._scores, mask=self._allowed, validate_args=False)

    @property
    def logits(self) -> Tensor:
        """Log probabilities of the classes, ``[*batch_shape, classes]``; ``-inf`` where masked."""
        return self.categorical.logits.to(self._dtype)

    @property
    def probs(self) -> Tensor:
        """Probabilities of the classes, ``[*batch_shape, classes]``."""
        return self.categorical.probs.to(self._dtype)

    def _noise(self, sample_shape: torch.Size, key: Key | None, generator: torch.Generator | None) -> Tensor:
        return random.gumbel(
            tuple(self._scores.shape),
            sample_shape=tuple(sample_shape),
            key=key,
            generator=generator,
            dtype=compute_dtype(self._dtype),
            device=self._scores.device,
        )

    def _log_space(self, noise: Tensor) -> Tensor:
        dtype = wide(noise.device)
        if self._is_full():
            return (self._scores.to(dtype) + noise.to(dtype)) / self._rows(dtype)
        scores = self._scores.to(dtype).masked_fill(~self._allowed, 0.0)
        return ((scores + noise.to(dtype)) / self._rows(dtype)).masked_fill(~self._allowed, -math.inf)

    def _rows(self, dtype: torch.dtype) -> Tensor:
        tau = self.temperature.to(dtype)
        return tau.unsqueeze(-1) if tau.dim() else tau

    def _normalised(self, log_space: Tensor) -> Tensor:
        """``log y`` in the log-space dtype: ``-inf`` where masked, also in rows without any class."""
        some = self._allowed.any(-1, keepdim=True)
        # log_softmax of a row of -inf is NaN, forward and backward.
        return torch.where(some, log_space, 0.0).log_softmax(-1).masked_fill(~self._allowed, -math.inf)

    def _exp_density(self, log_space: Tensor) -> Tensor:
        """Log density of ``log y``; rows without a class have density 1 on the empty row."""
        dtype, allowed = log_space.dtype, self._allowed
        inner = allowed & (log_space != -math.inf)
        w = self._rows(dtype) * log_space.masked_fill(~inner, 0.0)
        t = (self._scores.to(dtype).masked_fill(~inner, 0.0) - w).masked_fill(~inner, -math.inf)
        n = allowed.sum(-1).to(dtype)
        total = torch.logsumexp(torch.where(inner.any(-1, keepdim=True), t, 0.0), -1)
        tau = self.temperature.to(dtype)
        rest = t.masked_fill(~inner, 0.0).sum(-1) - n * total
        return torch.lgamma(n.clamp_min(1.0)) + (n - 1.0).clamp_min(0.0) * tau.log() + rest

    def _plain_exp_density(self, log_space: Tensor) -> Tensor:
        """``_exp_density`` where nothing is masked and all is finite."""
        dtype, n = log_space.dtype, log_space.shape[-1]
        t = self._scores.to(dtype) - self._rows(dtype) * log_space
        tau = self.temperature.to(dtype)
        return math.lgamma(n) + (n - 1) * tau.log() + t.sum(-1) - n * t.logsumexp(-1)

    def _off_support(self, log_space: Tensor) -> tuple[Tensor, Tensor]:
        """Whether a row has weight on a masked class, and its count of allowed classes without weight."""
        outside = (~self._allowed & (log_space != -math.inf)).any(-1)
        zeros = (self._allowed & (log_space == -math.inf)).sum(-1)
        return outside, zeros

    def _conditional_log_space(
        self, index: Tensor, key: Key | None, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        """Log-space values given that the largest class is ``index`` (-1 in rows without a class)."""
        batch = len(self.batch_shape)
        if index.is_floating_point():
            raise wrong_type("index", index, "a tensor of integers")
        if index.shape[max(0, index.dim() - batch) :] != self.batch_shape:
            raise wrong_value("index", index, f"shape [*sample_shape, *{list(self.batch_shape)}]")
        noise = self._noise(index.shape[: index.dim() - batch], key, generator)
        dtype = wide(noise.device)
        some = self._allowed.any(-1, keepdim=True)
        scores = torch.where(some, self._scores.to(dtype).masked_fill(~self._allowed, -math.inf), 0.0)
        chosen = index.clamp_min(0).unsqueeze(-1)
        # The largest of the perturbed logits is Gumbel around their logsumexp, whichever class it is in; the
        # others are Gumbel around their own logit, cut off at that value.
        top = scores.logsumexp(-1, keepdim=True) + noise.to(dtype).gather(-1, chosen)
        own = scores.masked_fill(~self._allowed, 0.0) + noise.to(dtype)
        below = -torch.logaddexp(-top, -own)
        picked = torch.zeros_like(below, dtype=torch.bool).scatter(-1, chosen, True)
        perturbed = torch.where(picked, top, below)
        log_space = (perturbed / self._rows(dtype)).masked_fill(~self._allowed, -math.inf)
        return log_space, picked & self._allowed
