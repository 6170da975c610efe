"""The Concrete distribution in log space."""

import math

import torch
from torch import Tensor
from torch.distributions import constraints

from softdraw._torch import is_readable
from softdraw.distributions.relaxed.categorical_base import RelaxedCategorical
from softdraw.kernels.formulas import compute_dtype, wide


class ExpRelaxedCategorical(RelaxedCategorical):
    """The distribution of ``log y`` for ``y`` of ``RelaxedOneHotCategorical``: log-space twin, no underflow.

    Reference:
        Maddison, Mnih and Teh, The Concrete Distribution, ICLR 2017, appendix C.3.

    Args:
        temperature: a number > 0, or one value a row, as for ``RelaxedOneHotCategorical``.
        probs: class probabilities ``[*batch, classes]``.
        logits: unnormalised log probabilities ``[*batch, classes]``.
        validate_args: check arguments and values; torch's default.
        mask: boolean, True where a class is allowed; masked classes are ``-inf``.

    Raises:
        TypeError, ValueError: as ``RelaxedOneHotCategorical``.

    Shapes:
        ``rsample(s)``: ``[*s, *batch_shape, classes]``; ``log_prob``: ``[*s, *batch_shape]``.

    Example:
        >>> import torch, softdraw as sd
        >>> d = sd.distributions.ExpRelaxedCategorical(0.1, logits=torch.zeros(20))
        >>> v = d.rsample(key=sd.Key(0))
        >>> v.shape, d.log_prob(v).isfinite()
        (torch.Size([20]), tensor(True))
        >>> d.entropy()
        tensor(75.3640)
    """

    _space = "log simplex"
    # The true support is the surface where exp(v) sums to one; torch's class says real_vector too.
    support = constraints.real_vector

    @property
    def mean(self) -> Tensor:
        """No closed form."""
        raise self._absent("mean", "the mean of a logsumexp of scaled Gumbel variables has none")

    @property
    def variance(self) -> Tensor:
        """No closed form."""
        raise self._absent("variance", "the variance of a logsumexp of Gumbel variables has none")

    @property
    def mode(self) -> Tensor:
        """``log_softmax(logits / temperature)``, ``[*batch_shape, classes]``."""
        device = self._scores.device
        nothing = torch.zeros(self._scores.shape, dtype=wide(device), device=device)
        return self._as_sample(self._log_space(nothing))

    def entropy(self) -> Tensor:
        """``n (γ + ψ(n)) - log Γ(n) - (n - 1) log τ`` for ``n`` allowed classes, whatever the logits."""
        dtype = wide(self._scores.device)
        n = self._allowed.sum(-1).to(dtype)
        some = n.clamp_min(1.0)
        gamma = -torch.digamma(torch.ones((), dtype=dtype, device=n.device))
        tau = self.temperature.to(dtype)
        value = some * (gamma + torch.digamma(some)) - torch.lgamma(some) - (some - 1.0) * tau.log()
        return torch.where(n > 0, value, 0.0).to(compute_dtype(self._dtype))

    def _as_sample(self, log_space: Tensor) -> Tensor:
        # Half precision ends at -65504: an entry below it is still one of an allowed class.
        normal = self._normalised(log_space).clamp_min(torch.finfo(self._dtype).min)
        return normal.to(self._dtype).masked_fill(~self._allowed, -math.inf)

    def _value(self, noise: Tensor, log_space: Tensor) -> Tensor:
        return self._as_sample(log_space)

    def _density(self, log_space: Tensor) -> Tensor:
        if self._is_plain(log_space):
            return self._plain_exp_density(log_space)
        outside, zeros = self._off_support(log_space)
        some = self._allowed.any(-1)
        density = torch.where(some, self._exp_density(log_space), 0.0)
        return torch.where(outside | (zeros > 0), -math.inf, density)

    def _invert(self, value: Tensor) -> Tensor:
        return value.to(wide(value.device))

    def _check_interior(self, value: Tensor) -> None:
        if not is_readable(value, self._scores):
            return
        if ((value > -math.inf) & ~self._allowed).any():
            raise ValueError("value: got weight on a masked class, expected -inf there")
        if ((value == -math.inf) & self._allowed).any():
            raise ValueError("value: got -inf at an allowed class (a density of 0), expected finite numbers")
