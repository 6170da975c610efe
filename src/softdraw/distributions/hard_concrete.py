"""Gates that are exactly 0 or 1 with positive probability, and differentiable."""

import math
from typing import Any, Self

import torch
from torch import Tensor
from torch.distributions import Bernoulli, constraints
from torch.nn.functional import logsigmoid

from softdraw.arguments import read_number
from softdraw.distributions.parameters import log_of
from softdraw.distributions.relaxed.binary_base import RelaxedBinary
from softdraw.kernels.formulas import compute_dtype, wide


class HardConcrete(RelaxedBinary):
    """A binary Concrete variable, stretched to ``(gamma, zeta)`` and clipped to [0, 1].

    ``z = clip(sigmoid((logits + L) / temperature) · (zeta - gamma) + gamma, 0, 1)``. Its law has an atom at
    0, an atom at 1, and a density between; ``log_prob`` is the log probability on the atoms and the log
    density between.

    Reference:
        Louizos, Welling and Kingma, Learning Sparse Neural Networks through L0 Regularization, ICLR 2018,
        equations 10 to 12 and appendix B (whose defaults are temperature 2/3, gamma -0.1, zeta 1.1).

    Args:
        temperature: a number > 0, one value a row, or one an element.
        probs: probability that the Concrete variable is above 1/2, a number or ``[*batch]``.
        logits: its log odds (log α in the paper), a number or ``[*batch]``.
        validate_args: check arguments and values; torch's default.
        mask: boolean, True where a gate may be open; masked gates are exactly 0.
        gamma: lower end of the stretch, < 0.
        zeta: upper end of the stretch, > 1.

    Raises:
        TypeError: as ``RelaxedBernoulli``, or ``gamma`` or ``zeta`` is no number.
        ValueError: as ``RelaxedBernoulli``, or not ``gamma < 0 < 1 < zeta``.

    Shapes:
        ``rsample(s)`` and ``log_prob``: ``[*s, *batch_shape]``.

    Example:
        >>> import torch, softdraw as sd
        >>> d = sd.distributions.HardConcrete(2 / 3, logits=torch.tensor([-3.0, 0.0, 3.0]))
        >>> d.l0_probability
        tensor([0.1976, 0.8318, 0.9900])
        >>> (d.rsample((100_000,), key=sd.Key(0)) != 0).float().mean(0)
        tensor([0.19..., 0.83..., 0.9...])
    """

    support = constraints.unit_interval

    def __init__(
        self,
        temperature: Any,
        probs: Any = None,
        logits: Any = None,
        validate_args: bool | None = None,
        *,
        mask: Tensor | None = None,
        gamma: float = -0.1,
        zeta: float = 1.1,
    ) -> None:
        self.gamma = read_number("gamma", gamma, above=-math.inf, below=0.0)
        self.zeta = read_number("zeta", zeta, above=1.0, below=math.inf)
        super().__init__(temperature, probs, logits, validate_args, mask=mask)

    def _copy_options(self, other: Self) -> None:
        self.gamma, self.zeta = other.gamma, other.zeta

    @property
    def _space(self) -> str:
        return f"hard concrete {self.gamma} {self.zeta}"

    @property
    def _ends(self) -> tuple[float, float]:
        """Logits of the Concrete variable at which ``z`` reaches 0 and 1."""
        return math.log(-self.gamma / self.zeta), math.log((1.0 - self.gamma) / (self.zeta - 1.0))

    @property
    def l0_probability(self) -> Tensor:
        """``P(z != 0) = sigmoid(logits - temperature · log(-gamma / zeta))``: equation 12."""
        dtype = wide(self._scores.device)
        at = self._scores.to(dtype) - self.temperature.to(dtype) * self._ends[0]
        return torch.sigmoid(at).to(compute_dtype(self._dtype))

    @property
    def gate(self) -> Bernoulli:
        """Whether the gate is open (``z != 0``), as a Bernoulli distribution."""
        dtype = wide(self._scores.device)
        at = self._scores.to(dtype) - self.temperature.to(dtype) * self._ends[0]
        return Bernoulli(logits=at.to(compute_dtype(self._dtype)), validate_args=False)

    @property
    def median(self) -> Tensor:
        """The median: the gate at noise 0, ``[*batch_shape]``."""
        dtype = wide(self._scores.device)
        noise = torch.zeros(self._scores.shape, dtype=dtype, device=self._scores.device)
        return self._value(noise, self._log_space(noise))

    @property
    def mean(self) -> Tensor:
        """No closed form."""
        raise self._absent("mean", "the part between 0 and 1 is an incomplete integral; use median or draws")

    @property
    def variance(self) -> Tensor:
        """No closed form."""
        raise self._absent("variance", "the part between 0 and 1 is an incomplete integral; use draws")

    @property
    def mode(self) -> Tensor:
        """No closed form."""
        raise self._absent("mode", "an atom and a density cannot be compared; use median or l0_probability")

    def entropy(self) -> Tensor:
        """No closed form."""
        raise self._absent("entropy", "the part between 0 and 1 is an incomplete integral; use draws")

    def _value(self, noise: Tensor, log_space: Tensor) -> Tensor:
        stretched = torch.sigmoid(log_space) * (self.zeta - self.gamma) + self.gamma
        return stretched.clamp(0.0, 1.0).to(self._dtype)

    def _is_on(self, value: Tensor) -> Tensor:
        return value > (0.5 * (self.zeta + self.gamma))

    def _density(self, log_space: Tensor) -> Tensor:
        dtype = log_space.dtype
        low, high = self._ends
        tau, scores = self.temperature.to(dtype), self._finite_scores(dtype)
        inner = (log_space > low) & (log_space < high)
        finite = torch.where(inner, log_space, 0.0)
        log_stretch = math.log(self.zeta - self.gamma)
        density = self._logit_density(finite) - logsigmoid(finite) - logsigmoid(-finite) - log_stretch
        closed = logsigmoid(tau * low - scores)
        opened = logsigmoid(scores - tau * high)
        value = torch.where(inner, density, torch.where(log_space <= low, closed, opened))
        sure = torch.where(self._scores > 0, log_space >= high, log_space <= low)
        return torch.where(self._allowed, value, torch.where(sure, 0.0, -math.inf).to(dtype))

    def _invert(self, value: Tensor) -> Tensor:
        value = value.to(wide(value.device))
        # The atoms are told by the value itself: rounding in the stretch must not move them inside.
        inner = (value > 0.0) & (value < 1.0)
        share = torch.where(inner, (value - self.gamma) / (self.zeta - self.gamma), 0.5)
        ends = torch.where(value <= 0.0, -math.inf, math.inf).to(value.dtype)
        return torch.where(inner, log_of(share) - log_of(1.0 - share), ends)
