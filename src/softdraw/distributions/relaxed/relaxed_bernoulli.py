"""The binary Concrete distribution on the unit interval."""

import math

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.nn.functional import logsigmoid

from softdraw._torch import is_readable
from softdraw.distributions.parameters import log_of
from softdraw.distributions.relaxed.binary_base import RelaxedBinary
from softdraw.distributions.relaxed.log_space_sample import HOW_TO_KEEP
from softdraw.functional import straight_through
from softdraw.kernels.formulas import wide


class RelaxedBernoulli(RelaxedBinary):
    """The distribution of ``y = sigmoid((logits + L) / temperature)`` with logistic noise ``L``.

    The density is taken from the logit that a sample carries, so ``log_prob(rsample())`` is right where ``y``
    has been rounded to 0 or 1.

    Reference:
        Maddison, Mnih and Teh, The Concrete Distribution, ICLR 2017, appendix B.

    Args:
        temperature: a number > 0, one value a row, or one an element.
        probs: probability of being above 1/2, a number or ``[*batch]``.
        logits: log odds, a number or ``[*batch]``; infinite ones make the element certain.
        validate_args: check arguments and values; torch's default.
        mask: boolean, True where an element may be on; masked elements are exactly 0 with log density 0.

    Raises:
        TypeError: ``probs``, ``logits`` or ``temperature`` is no number and no dense tensor of float16,
            bfloat16, float32 or float64, or ``mask`` no tensor of bool.
        ValueError: both or neither of ``probs`` and ``logits``, values out of range, a temperature that is
            not > 0 or does not fit, a mask that does not broadcast or is on another device.

    Shapes:
        ``rsample(s)`` and ``log_prob``: ``[*s, *batch_shape]``.

    Example:
        >>> import torch, softdraw as sd
        >>> d = sd.distributions.RelaxedBernoulli(0.01, logits=torch.zeros(1000))
        >>> y = d.rsample(key=sd.Key(0))
        >>> (y == 1).any(), d.log_prob(y).isfinite().all()
        (tensor(True), tensor(True))
    """

    support = constraints.unit_interval
    _space = "unit interval"

    @property
    def mean(self) -> Tensor:
        """No closed form."""
        raise self._absent("mean", "it is that of a sigmoid of a logistic variable; average draws")

    @property
    def variance(self) -> Tensor:
        """No closed form."""
        raise self._absent("variance", "it is that of a sigmoid of a logistic variable; use draws")

    @property
    def mode(self) -> Tensor:
        """No closed form."""
        raise self._absent("mode", "the density is unbounded at 0 and 1 below temperature 1")

    def entropy(self) -> Tensor:
        """No closed form: ``LogitRelaxedBernoulli`` has one."""
        raise self._absent("entropy", "that of its logit is LogitRelaxedBernoulli.entropy")

    def _value(self, noise: Tensor, log_space: Tensor) -> Tensor:
        soft = torch.sigmoid(log_space).to(self._dtype)
        if self._straight_through:
            return straight_through((log_space > 0).to(self._dtype), soft)
        return soft

    def _density(self, log_space: Tensor) -> Tensor:
        if self._is_plain(log_space):
            return self._logit_density(log_space) - logsigmoid(log_space) - logsigmoid(-log_space)
        finite = log_space.masked_fill(log_space.isinf(), 0.0)
        density = self._logit_density(log_space) - logsigmoid(finite) - logsigmoid(-finite)
        # At an end p(y) goes as a power of the distance to it, τ - 1, times exp(±logits).
        tau = self.temperature.to(log_space.dtype)
        finite_limit = tau.log() + torch.sign(log_space) * self._finite_scores(log_space.dtype)
        infinite = torch.where(tau < 1.0, math.inf, -math.inf).to(log_space.dtype)
        return self._at_infinity(density, log_space, torch.where(tau == 1.0, finite_limit, infinite))

    def _invert(self, value: Tensor) -> Tensor:
        value = value.to(wide(value.device))
        return log_of(value) - log_of(1.0 - value)

    def _check_interior(self, value: Tensor) -> None:
        if not is_readable(value, self._scores):
            return
        edge = ((value == 0) | (value == 1)) & self._allowed
        if edge.any():
            raise ValueError(
                f"value: got {int(edge.sum())} of {edge.numel()} entries that are 0 or 1, where the density "
                "is 0 or infinite, expected entries between, or a sample with its log-space value. "
                f"{HOW_TO_KEEP}"
            )
