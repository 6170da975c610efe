"""The logit of a binary Concrete variable."""

import math

import torch
from torch import Tensor
from torch.distributions import constraints

from softdraw.distributions.relaxed.binary_base import RelaxedBinary
from softdraw.kernels.formulas import compute_dtype, wide


class LogitRelaxedBernoulli(RelaxedBinary):
    """The distribution of ``(logits + L) / temperature`` with logistic noise ``L``: log-space twin.

    Reference:
        Maddison, Mnih and Teh, The Concrete Distribution, ICLR 2017, appendix B.

    Args:
        temperature: a number > 0, one value a row, or one an element.
        probs: probability of being above 0, a number or ``[*batch]``.
        logits: log odds, a number or ``[*batch]``; infinite ones make the element certain.
        validate_args: check arguments and values; torch's default.
        mask: boolean, True where an element may be above 0; masked elements are ``-inf``.

    Raises:
        TypeError: ``probs``, ``logits`` or ``temperature`` is no number and no dense tensor of float16,
            bfloat16, float32 or float64, or ``mask`` no tensor of bool.
        ValueError: both or neither of ``probs`` and ``logits``, values out of range, a temperature that is
            not > 0 or does not fit, a mask that does not broadcast or is on another device.

    Shapes:
        ``rsample(s)`` and ``log_prob``: ``[*s, *batch_shape]``.

    Example:
        >>> import torch, softdraw as sd
        >>> d = sd.distributions.LogitRelaxedBernoulli(0.5, logits=torch.tensor([0.0, 2.0]))
        >>> d.mean, d.entropy()
        (tensor([0., 4.]), tensor([2.6931, 2.6931]))
        >>> d.log_prob(d.mean)
        tensor([-2.0794, -2.0794])
    """

    support = constraints.real
    _space = "logit"

    @property
    def mean(self) -> Tensor:
        """``logits / temperature``."""
        return self._as_sample(self._log_space(self._zeros()))

    @property
    def mode(self) -> Tensor:
        """``logits / temperature``, as for every logistic distribution."""
        return self.mean

    @property
    def variance(self) -> Tensor:
        """``π² / (3 temperature²)``; 0 for certain elements."""
        variance = (math.pi**2 / 3) / self.temperature.to(wide(self._scores.device)).square()
        return torch.where(self._allowed, variance, 0.0).to(self._dtype)

    def entropy(self) -> Tensor:
        """``2 - log temperature``; 0 for certain elements."""
        entropy = 2.0 - self.temperature.to(wide(self._scores.device)).log()
        return torch.where(self._allowed, entropy, 0.0).to(compute_dtype(self._dtype))

    def _zeros(self) -> Tensor:
        return torch.zeros(self._scores.shape, dtype=wide(self._scores.device), device=self._scores.device)

    def _is_on(self, value: Tensor) -> Tensor:
        return value > 0.0

    def _as_sample(self, log_space: Tensor) -> Tensor:
        # Half precision ends at 65504, which a logit passes at low temperatures.
        info = torch.finfo(self._dtype)
        return self._certain(log_space.clamp(info.min, info.max)).to(self._dtype)

    def _value(self, noise: Tensor, log_space: Tensor) -> Tensor:
        return self._as_sample(log_space)

    def _density(self, log_space: Tensor) -> Tensor:
        if self._is_plain(log_space):
            return self._logit_density(log_space)
        nothing = torch.full((), -math.inf, dtype=log_space.dtype, device=log_space.device)
        return self._at_infinity(self._logit_density(log_space), log_space, nothing)

    def _invert(self, value: Tensor) -> Tensor:
        return value.to(wide(value.device))
