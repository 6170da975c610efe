"""The density of a relaxed binary variable, as a function of its logit."""

import math
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from softdraw import random
from softdraw.arguments import wrong_value
from softdraw.distributions.parameters import (
    allowed_classes,
    as_temperature,
    broadcast,
    check_values,
    choose,
    element_temperature,
    log_of,
)
from softdraw.distributions.relaxed.base import Relaxed
from softdraw.distributions.relaxed.log_space_sample import carry
from softdraw.kernels.formulas import compute_dtype, wide
from softdraw.random import Key


class RelaxedBinary(Relaxed):
    """Logits, noise and density that the relaxed Bernoulli distributions share.

    The logit ``l = (logits + L) / temperature``, with logistic noise ``L``, is logistic around
    ``logits / temperature`` with scale ``1 / temperature`` (Maddison, Mnih and Teh, The Concrete
    Distribution, ICLR 2017, appendix B). A masked element and one with an infinite logit is certain: it has
    one value, with log density 0.
    """

    _event_dims: ClassVar[int] = 0

    def __init__(
        self,
        temperature: Any,
        probs: Any = None,
        logits: Any = None,
        validate_args: bool | None = None,
        *,
        mask: Tensor | None = None,
    ) -> None:
        given, is_probs = choose(probs, logits, numbers=True)
        validate = self._validate_args if validate_args is None else validate_args
        if validate and is_probs:
            check_values("probs", given, (given >= 0) & (given <= 1), "between 0 and 1")
        elif validate:
            check_values("logits", given, ~given.isnan(), "no NaN")
        scores = log_of(given) - log_of(1.0 - given) if is_probs else given
        # An element of logit -inf is off with certainty, so its value is what a mask makes of it.
        scores = scores.masked_fill(~allowed_classes(scores, mask), -math.inf)
        tau = element_temperature(as_temperature(temperature, scores, validate), scores)
        batch_shape = broadcast(tau.shape, scores.shape)
        self._initialise(scores, ~scores.isinf(), tau, given.dtype, batch_shape, validate_args)

    @property
    def logits(self) -> Tensor:
        """Log odds, ``[*batch_shape]``; ``-inf`` where masked."""
        return self._scores.to(self._dtype)

    @property
    def probs(self) -> Tensor:
        """Probability that the logit is above 0, ``[*batch_shape]``."""
        return torch.sigmoid(self._scores.to(compute_dtype(self._dtype))).to(self._dtype)

    def conditional_rsample(
        self, index: Tensor, *, key: Key | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """Draw samples given on which side of 1/2 they lie, differentiable in the logits.

        Reference:
            Tucker et al., REBAR, NeurIPS 2017, appendix A.

        Args:
            index: ``[*sample_shape, *batch_shape]``: 1 (or True) for samples above 1/2, 0 for those below.
            key: the noise.
            generator: where to take a fresh key from.

        Returns:
            ``[*sample_shape, *batch_shape]``.

        Raises:
            ValueError: the index has another shape.
        """
        batch = len(self.batch_shape)
        if index.shape[max(0, index.dim() - batch) :] != self.batch_shape:
            raise wrong_value("index", index, f"shape [*sample_shape, *{list(self.batch_shape)}]")
        noise = self._noise(index.shape[: index.dim() - batch], key, generator)
        dtype = wide(noise.device)
        scores, noise, on = self._finite_scores(dtype), noise.to(dtype), index.to(torch.bool)
        # softplus(x) = -logsigmoid(-x), without softplus's switch to x beyond 20.
        above = -logsigmoid(-(noise - logsigmoid(-scores)))
        below = logsigmoid(-(noise - logsigmoid(scores)))
        log_space = self._certain(torch.where(on, above, below) / self.temperature.to(dtype))
        value = self._value(noise, log_space)
        return carry(value, log_space, self._space)

    def conditional_log_prob(self, value: Tensor, index: Tensor) -> Tensor:
        """Log density ``[*batch]`` of a value given its side of 1/2; ``-inf`` if it lies on the other."""
        log_prob = self.log_prob(value)
        scores = self._scores.to(log_prob.dtype)
        on = index.to(torch.bool)
        side = torch.where(self._is_on(value) == on, 0.0, -math.inf)
        at_side = torch.where(on, logsigmoid(scores), logsigmoid(-scores))
        return torch.where(side == 0.0, log_prob - torch.where(side == 0.0, at_side, 0.0), side)

    def _is_on(self, value: Tensor) -> Tensor:
        return value > 0.5

    def _finite_scores(self, dtype: torch.dtype) -> Tensor:
        scores = self._scores.to(dtype)
        return scores if self._is_full() else scores.masked_fill(~self._allowed, 0.0)

    def _certain(self, log_space: Tensor) -> Tensor:
        """``log_space`` with the infinite logits of certain elements in their place."""
        if self._is_full():
            return log_space
        return torch.where(self._allowed, log_space, self._scores.detach().to(log_space.dtype))

    def _noise(self, sample_shape: torch.Size, key: Key | None, generator: torch.Generator | None) -> Tensor:
        return random.logistic(
            tuple(self._scores.shape),
            sample_shape=tuple(sample_shape),
            key=key,
            generator=generator,
            dtype=compute_dtype(self._dtype),
            device=self._scores.device,
        )

    def _log_space(self, noise: Tensor) -> Tensor:
        dtype = wide(noise.device)
        return self._certain((self._finite_scores(dtype) + noise.to(dtype)) / self.temperature.to(dtype))

    def _logit_density(self, log_space: Tensor) -> Tensor:
        """Log density of the logit; infinite logits count as 0 and are the caller's business."""
        dtype = log_space.dtype
        tau = self.temperature.to(dtype)
        finite = log_space.masked_fill(log_space.isinf(), 0.0)
        t = self._finite_scores(dtype) - tau * finite
        return tau.log() + logsigmoid(t) + logsigmoid(-t)

    def _at_infinity(self, density: Tensor, log_space: Tensor, limit: Tensor) -> Tensor:
        """``density``, but ``limit`` at infinite logits, and 0 or ``-inf`` for certain elements."""
        met = torch.where(log_space == self._scores.to(log_space.dtype), 0.0, -math.inf)
        return torch.where(self._allowed, torch.where(log_space.isinf(), limit, density), met)
