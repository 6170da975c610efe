"""Gates that learn to close: L0 regularisation."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from softdraw.arguments import check_floating, check_temperatures, read_count, read_number, wrong_value
from softdraw.distributions import HardConcrete
from softdraw.distributions.parameters import element_temperature
from softdraw.estimators import Estimator
from softdraw.nn.gumbel_sigmoid import GumbelSigmoid
from softdraw.random import Key
from softdraw.random.ranks import Group, Ranks
from softdraw.random.source import layer_key, one_source
from softdraw.recording import is_symbol, record_module
from softdraw.schedules import Learned, Schedule
from softdraw.schedules.temperature import Temperature, moved_schedule


class HardConcreteGate(nn.Module):
    """Multiplies its input by learned gates; ``penalty`` is the expected number of open ones.

    ``loss = task + weight * gate.penalty()`` prunes what the task does not need. In eval mode a gate is
    ``clip(sigmoid(logits) · (zeta - gamma) + gamma, 0, 1)``, as in the paper, and many are exactly 0.

    Reference:
        Louizos, Welling and Kingma, Learning Sparse Neural Networks through L0 Regularization, ICLR 2018,
        equations 10 to 13.

    Args:
        shape: shape of the gates, broadcast against the last dimensions of the input: ``(channels, 1, 1)``
            has one gate for each channel of a convolution.
        tau: temperature: a float, a 0-dim tensor or a schedule; None gives the paper's 2/3, or the default of
            the estimator.
        estimator: ``"hard-concrete"``, or a name or an object of ``softdraw.estimators`` for gates that are 0
            or 1 (open with probability ``sigmoid(logits)``).
        gamma: lower end of the stretch, < 0.
        zeta: upper end of the stretch, > 1.
        initial: probability ``sigmoid(logits)`` at the start, in (0, 1).
        per_example: draw other gates for every example of the batch instead of one set a forward pass.
        group: the ranks that draw apart under ``torch.distributed``, see ``Choice``.
        device: where the parameters are made.
        dtype: that of the parameters.

    Raises:
        TypeError: a size that is no int, or a number that is none.
        ValueError: a size below 1, ``initial`` outside (0, 1), not ``gamma < 0 < 1 < zeta``, or as
            ``Choice``.

    Shapes:
        ``[*batch, *shape]`` to the same, where a size of 1 in ``shape`` stands for any.

    Example:
        Two of three features matter:

        >>> import torch, softdraw as sd
        >>> x = torch.randn(256, 3, generator=torch.Generator().manual_seed(0))
        >>> gate, weight = sd.nn.HardConcreteGate(3), torch.tensor([2.0, 1.0, -1.0])
        >>> optimizer = torch.optim.Adam(gate.parameters(), lr=0.05)
        >>> for step in range(200):
        ...     missing = gate(x, key=sd.Key(0).fold_in(step)) @ weight - (2 * x[:, 0] - x[:, 2])
        ...     loss = missing.square().mean() + 0.1 * gate.penalty()
        ...     optimizer.zero_grad(); loss.backward(); optimizer.step()
        >>> gate.eval()(torch.ones(3)) > 0
        tensor([ True, False,  True])
    """

    def __init__(
        self,
        shape: int | tuple[int, ...],
        *,
        tau: float | Tensor | Schedule | None = None,
        estimator: str | Estimator = "hard-concrete",
        gamma: float = -0.1,
        zeta: float = 1.1,
        initial: float = 0.5,
        per_example: bool = False,
        group: Group = "world",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        sizes = shape if isinstance(shape, Sequence) else (shape,)
        self.shape = tuple(read_count("shape", size, 1) for size in sizes)
        self.gamma = read_number("gamma", gamma, above=-math.inf, below=0.0)
        self.zeta = read_number("zeta", zeta, above=1.0, below=math.inf)
        self.initial = read_number("initial", initial, above=0.0, below=1.0)
        self.per_example = per_example
        self.ranks = Ranks(group)
        self.logits = nn.Parameter(torch.empty(self.shape, device=device, dtype=dtype))
        self.binary: GumbelSigmoid | None = None
        if estimator == "hard-concrete":
            self.temperature = Temperature("tau", 2.0 / 3.0 if tau is None else tau)
            if not isinstance(tau, Tensor) and self.temperature.fixed == 0.0:
                raise wrong_value("tau", 0.0, "a temperature > 0")
        else:
            self.binary = GumbelSigmoid(tau, estimator=estimator, group=group)
        self.reset_parameters()

    @property
    def group(self) -> Group:
        """The ranks that draw apart under ``torch.distributed``; may be set."""
        return self.ranks.group

    @group.setter
    def group(self, group: Group) -> None:
        self.ranks = Ranks(group)
        if self.binary is not None:
            self.binary.group = group

    @property
    def tau(self) -> float | Tensor | None:
        """The temperature of the next draw."""
        return self.temperature.shown if self.binary is None else self.binary.tau

    @property
    def schedule(self) -> Schedule | None:
        """The schedule that moves the temperature, if there is one."""
        return self.temperature.schedule if self.binary is None else self.binary.schedule

    def distribution(self) -> HardConcrete:
        """The gates' distribution; only for the hard Concrete ones.

        Raises:
            ValueError: the gates are drawn by another estimator.
        """
        return self._distribution(self.logits)

    def forward(
        self, x: Tensor, *, key: Key | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """``x`` times the gates.

        Args:
            x: ``[*batch, *shape]``; a size of 1 in ``shape`` fits any.
            key: the noise.
            generator: where to take a fresh key from.

        Raises:
            TypeError: ``x`` is no dense tensor of float16, bfloat16, float32 or float64, or ``key`` or
                ``generator`` of another type.
            ValueError: the last dimensions of ``x`` are not those of the gates, or both ``key`` and
                ``generator``.
        """
        if is_symbol(x):
            return record_module(self, x, key=key, generator=generator)  # type: ignore[no-any-return]
        check_floating("x", x)
        if key is not None or generator is not None:
            one_source(key, generator)
        dims = len(self.shape)
        last = x.shape[x.dim() - dims :]
        if x.dim() < dims or any(own not in (1, size) for own, size in zip(self.shape, last, strict=True)):
            raise wrong_value("x", x, f"shape [*batch, {', '.join(map(str, self.shape))}]")
        if not self.training:
            return x * self.gates().to(x.dtype)
        batch = x.shape[: x.dim() - dims] if self.per_example else ()
        return x * self._draw(batch, key, generator).to(x.dtype)

    def gates(self) -> Tensor:
        """The gates of eval mode, ``shape``."""
        if self.binary is not None:
            return (self.logits > 0).to(self.logits.dtype)
        return (torch.sigmoid(self.logits) * (self.zeta - self.gamma) + self.gamma).clamp(0.0, 1.0)

    def open_probability(self) -> Tensor:
        """Probability that a gate is not 0 in training, ``shape``."""
        return torch.sigmoid(self.logits) if self.binary is not None else self.distribution().l0_probability

    def penalty(self) -> Tensor:
        """Expected number of open gates, ``[]``: equation 12 summed."""
        return self.open_probability().sum()

    def reset_parameters(self) -> None:
        """Set the logits so that ``sigmoid(logits)`` is ``initial``; reset a learned temperature."""
        nn.init.constant_(self.logits, math.log(self.initial) - math.log1p(-self.initial))
        if self.binary is not None:
            self.binary.reset_parameters()
        elif isinstance(self.schedule, Learned):
            self.schedule.reset_parameters()

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        own = f", gamma={self.gamma}, zeta={self.zeta}"
        return f"{self.shape}{own if self.binary is None else ''}, per_example={self.per_example}"

    def _draw(
        self, batch: torch.Size | tuple[()], key: Key | None, generator: torch.Generator | None
    ) -> Tensor:
        if self.binary is not None:
            return self.binary(self.logits.expand((*batch, *self.shape)), key=key, generator=generator)  # type: ignore[no-any-return]
        key, generator = layer_key(key, generator, self.ranks)
        # A row of one class for each gate: what Adaptive counts.
        logits = self.temperature.watched(self.logits.unsqueeze(-1)).squeeze(-1)
        return self._distribution(logits).rsample(batch, key=key, generator=generator)

    def _distribution(self, logits: Tensor) -> HardConcrete:
        if self.binary is not None:
            raise ValueError(
                f"gates drawn by {self.binary.choice.estimator!r} have no HardConcrete distribution"
            )
        tau = self.temperature.now()
        if isinstance(tau, Tensor):
            check_temperatures("tau", tau)
            tau = element_temperature(tau, logits, "tau")
        return HardConcrete(tau, logits=logits, gamma=self.gamma, zeta=self.zeta, validate_args=False)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        moved_schedule(state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *args)
