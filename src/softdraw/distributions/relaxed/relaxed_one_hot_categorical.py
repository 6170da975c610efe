"""The Concrete (Gumbel-Softmax) distribution on the simplex."""

import math

import torch
from torch import Tensor
from torch.distributions import constraints

from softdraw._torch import is_readable
from softdraw.distributions.constraints import ClosedSimplex
from softdraw.distributions.parameters import log_of
from softdraw.distributions.relaxed.categorical_base import RelaxedCategorical
from softdraw.distributions.relaxed.log_space_sample import HOW_TO_KEEP, carry
from softdraw.functional import gumbel_softmax, straight_through
from softdraw.kernels.formulas import wide
from softdraw.random import Key


class RelaxedOneHotCategorical(RelaxedCategorical):
    """The distribution of ``y = softmax((logits + G) / temperature)`` with Gumbel noise ``G``.

    The density is taken from the log-space value that a sample carries, so ``log_prob(rsample())`` is right
    at every temperature, where ``log y`` has underflowed or drowned in rounding.

    Reference:
        Maddison, Mnih and Teh, The Concrete Distribution, ICLR 2017, equation 10; Jang, Gu and Poole,
        Categorical Reparameterization with Gumbel-Softmax, ICLR 2017.

    Args:
        temperature: a number > 0, or one value a row: a tensor that broadcasts against ``batch_shape``, with
            or without a last dimension of size 1.
        probs: class probabilities ``[*batch, classes]``, normalised here; a class of probability 0 is masked.
        logits: unnormalised log probabilities ``[*batch, classes]``; ``-inf`` masks a class.
        validate_args: check arguments and values; torch's default.
        mask: boolean, broadcastable to the logits, True where a class is allowed. Masked classes are exactly
            0 and the density is that of the smaller simplex. A row without any class is a row of zeros of log
            density 0.

    Raises:
        TypeError: ``probs`` or ``logits`` is no dense tensor of float16, bfloat16, float32 or float64,
            ``temperature`` no number and no such tensor, or ``mask`` none of bool.
        ValueError: both or neither of ``probs`` and ``logits``, no classes, a temperature that is not > 0 or
            not one value a row, a mask that does not broadcast or is on another device, values that are NaN
            or ``+inf``.

    Shapes:
        ``rsample(s)``: ``[*s, *batch_shape, classes]``; ``log_prob``: ``[*s, *batch_shape]``.

    Example:
        >>> import torch, softdraw as sd
        >>> d = sd.distributions.RelaxedOneHotCategorical(0.05, logits=torch.zeros(3, 20))
        >>> y = d.rsample((1000,), key=sd.Key(0))
        >>> y.shape, d.log_prob(y).isfinite().all()
        (torch.Size([1000, 3, 20]), tensor(True))
        >>> d.log_prob(y[7].clone()).shape
        torch.Size([3])
    """

    _space = "simplex"

    @constraints.dependent_property(is_discrete=False, event_dim=1)
    def support(self) -> constraints.Constraint:
        """The closed simplex, in the precision of the dtype."""
        return ClosedSimplex(~self._allowed.any(-1))

    def conditional_rsample(
        self, index: Tensor, *, key: Key | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """Draw samples given that their largest entry is at ``index``, differentiable in the logits.

        ``index ~ Categorical`` and then ``conditional_rsample(index)`` has the law of ``rsample``: this is
        the conditional sample of REBAR (Tucker et al., NeurIPS 2017, appendix A).

        Args:
            index: integer ``[*sample_shape, *batch_shape]``; -1 for rows without an allowed class.
            key: the noise.
            generator: where to take a fresh key from.

        Returns:
            ``[*sample_shape, *batch_shape, classes]``.

        Raises:
            TypeError: the index is no tensor of integers.
            ValueError: the index has another shape.

        Example:
            >>> import torch, softdraw as sd
            >>> d = sd.distributions.RelaxedOneHotCategorical(0.5, logits=torch.zeros(2, 3))
            >>> d.conditional_rsample(torch.tensor([0, 2]), key=sd.Key(0)).argmax(-1)
            tensor([0, 2])
        """
        log_space, picked = self._conditional_log_space(index, key, generator)
        soft = self._normalised(log_space).exp().to(self._dtype)
        if self._straight_through:
            return carry(straight_through(picked.to(soft.dtype), soft), log_space, self._space)
        return carry(soft, log_space, self._space)

    def conditional_log_prob(self, value: Tensor, index: Tensor) -> Tensor:
        """Log density of a value given the place of its largest entry: ``log p(y) - log p(index)``.

        Args:
            value: ``[*batch, classes]``, as for ``log_prob``.
            index: integer ``[*batch]``.

        Returns:
            ``[*batch]``; ``-inf`` where the largest entry of the value is elsewhere.
        """
        log_prob = self.log_prob(value)
        at_index = self.categorical.log_prob_of_index(index).to(log_prob.dtype)
        agrees = (value.argmax(-1) == index) | ~self._allowed.any(-1)
        return torch.where(agrees, log_prob - torch.where(agrees, at_index, 0.0), -math.inf)

    @property
    def mean(self) -> Tensor:
        """No closed form."""
        raise self._absent("mean", "it is that of a softmax of Gumbel variables; average draws")

    @property
    def variance(self) -> Tensor:
        """No closed form."""
        raise self._absent("variance", "it is that of a softmax of Gumbel variables; use draws")

    @property
    def mode(self) -> Tensor:
        """No closed form."""
        raise self._absent("mode", "the density is unbounded at corners at low temperatures")

    def entropy(self) -> Tensor:
        """No closed form: ``ExpRelaxedCategorical`` has one."""
        raise self._absent("entropy", "the mean of log y has none; see ExpRelaxedCategorical.entropy")

    def _value(self, noise: Tensor, log_space: Tensor) -> Tensor:
        scores = self._scores.expand(noise.shape)
        allowed = None if self._is_full() else self._allowed.expand(noise.shape)
        y = gumbel_softmax(scores, self.temperature, self._straight_through, mask=allowed, noise=noise)
        return y.to(self._dtype)

    def _density(self, log_space: Tensor) -> Tensor:
        if self._is_plain(log_space):
            n_lse = log_space.shape[-1] * log_space.logsumexp(-1)
            return self._plain_exp_density(log_space) + n_lse - log_space.sum(-1)
        dtype = log_space.dtype
        outside, zeros = self._off_support(log_space)
        inner = self._allowed & (log_space != -math.inf)
        some = inner.any(-1, keepdim=True)
        finite = torch.where(some, log_space.masked_fill(~inner, -math.inf), 0.0)
        jacobian = (finite.log_softmax(-1).masked_fill(~inner, 0.0)).sum(-1)
        n = self._allowed.sum(-1).to(dtype)
        density = torch.where(n > 0, self._exp_density(log_space) - jacobian, 0.0)
        return self._at_boundary(density, log_space, n, zeros.to(dtype), outside | ((zeros == n) & (n > 0)))

    def _at_boundary(
        self, density: Tensor, log_space: Tensor, n: Tensor, m: Tensor, outside: Tensor
    ) -> Tensor:
        """The limit of the density where ``m`` of ``n`` entries vanish at one rate: a power of that rate."""
        tau = self.temperature.to(log_space.dtype)
        power = m - (n - m) * tau
        edge = (m > 0) & ~outside
        scores = self._scores.to(log_space.dtype).masked_fill(~self._allowed, 0.0)
        gone = self._allowed & (log_space == -math.inf)
        left = self._allowed & ~gone
        inner = log_space.masked_fill(~left, 0.0)
        normal = torch.where(left.any(-1, keepdim=True), log_space.masked_fill(~left, -math.inf), 0.0)
        shift = normal.logsumexp(-1)
        gone_scores = torch.where(gone.any(-1, keepdim=True), scores.masked_fill(~gone, -math.inf), 0.0)
        at_edge = gone_scores.logsumexp(-1)
        v_sum = inner.sum(-1) - (n - m) * shift
        constant = torch.lgamma(n.clamp_min(1.0)) + (n - 1.0) * tau.log() + scores.sum(-1)
        finite = constant - (tau + 1.0) * v_sum - n * at_edge
        infinite = torch.where(power > 0, math.inf, -math.inf).to(log_space.dtype)
        limit = torch.where(power == 0, finite, infinite)
        return torch.where(outside, -math.inf, torch.where(edge, limit, density))

    def _invert(self, value: Tensor) -> Tensor:
        return log_of(value.to(wide(value.device)))

    def _check_interior(self, value: Tensor) -> None:
        if not is_readable(value, self._scores):
            return
        if ((value > 0) & ~self._allowed).any():
            raise ValueError("value: got weight on a masked class, expected 0 there")
        edge = ((value == 0) & self._allowed).any(-1)
        if edge.any():
            raise ValueError(
                f"value: got {int(edge.sum())} of {edge.numel()} rows on the boundary of the simplex, where "
                "the density is 0 or infinite, expected rows inside, or a sample with its log-space value. "
                f"{HOW_TO_KEEP}"
            )
