"""Watch the gradient of a discrete layer while it trains."""

import math
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn

from softdraw.arguments import read_count, read_number, wrong_type
from softdraw.schedules.base import Schedule

__all__ = ["GradientMonitor"]


class GradientMonitor:
    """Record signal-to-noise, dead rows, entropy and perplexity of the logits that enter a layer.

    At every ``every``-th forward pass with gradients it looks at the layer's first floating-point tensor
    argument, and in the backward at the gradient that arrives there: a few reductions, and no values leave
    the device before ``records`` or ``last`` is read.

    Each record holds ``step`` (forward passes seen), ``tau`` (of the schedule, or of the layer if it has
    one), ``entropy`` (mean over rows, nats), ``perplexity`` (exp of the entropy of the mean probabilities:
    how many classes are in use), ``dead_rows`` (share of rows whose gradient is below ``dead`` of the largest
    row), ``gradient_norm`` and ``signal_to_noise``: |m|^2 / v of the batch-mean gradient over passes, m its
    moving mean and v the moving sum of its variances.

    Args:
        layer: the module to watch; its input is taken as logits ``[*batch, C]``.
        schedule: where tau is read, instead of at the layer.
        every: watch one forward pass in so many.
        decay: of the moving averages behind the signal-to-noise ratio.
        dead: below which share of the largest row's gradient a row counts as dead.

    Raises:
        ValueError: ``every`` below 1, ``decay`` outside [0, 1), or ``dead`` below 0.
        TypeError: a layer that is no module, or an argument that is no number.

    Example:
        >>> import torch, softdraw as sd
        >>> layer = sd.estimators.get("st", tau=1.0)
        >>> with sd.diagnostics.GradientMonitor(layer) as monitor:
        ...     y = layer(torch.zeros(8, 4, requires_grad=True), key=sd.Key(0))
        ...     (y * torch.arange(4.0)).sum().backward()
        >>> round(monitor.last["perplexity"], 4), monitor.last["dead_rows"]
        (4.0, 0.0)
    """

    def __init__(
        self,
        layer: nn.Module,
        *,
        schedule: Schedule | None = None,
        every: int = 1,
        decay: float = 0.95,
        dead: float = 1e-6,
    ) -> None:
        if not isinstance(layer, nn.Module):
            raise wrong_type("layer", layer, "a module")
        self.layer, self.schedule = layer, schedule
        self.every = read_count("every", every, least=1)
        self.decay = read_number("decay", decay, least=0.0, below=1.0)
        self.dead = read_number("dead", dead, least=0.0)
        self._seen = 0
        self._weight = 0.0
        self._mean: Tensor | None = None
        self._square: Tensor | None = None
        self._raw: list[dict[str, Any]] = []
        self._hook = layer.register_forward_pre_hook(self._forward, with_kwargs=True)

    @property
    def records(self) -> list[dict[str, float]]:
        """All records so far, as plain floats."""
        self._raw = [{k: float(v) for k, v in record.items()} for record in self._raw]
        return list(self._raw)

    @property
    def last(self) -> dict[str, float]:
        """The newest record; empty before the first backward."""
        return self.records[-1] if self._raw else {}

    @property
    def count(self) -> int:
        """How many records there are."""
        return len(self._raw)

    @property
    def newest(self) -> dict[str, Any]:
        """The newest record as it was made, its tensors still on their device; empty before the first."""
        return dict(self._raw[-1]) if self._raw else {}

    def close(self) -> None:
        """Stop watching; the records stay."""
        self._hook.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _forward(self, layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._seen += 1
        if (self._seen - 1) % self.every:
            return
        for value in (*args, *kwargs.values()):
            if isinstance(value, Tensor) and value.is_floating_point() and value.dim() >= 1:
                if value.requires_grad and torch.is_grad_enabled():
                    value.register_hook(self._recorder(value.detach(), self._seen))  # type: ignore[no-untyped-call]
                return

    def _recorder(self, logits: Tensor, step: int) -> Callable[[Tensor], None]:
        def record(gradient: Tensor) -> None:
            with torch.no_grad():
                self._raw.append(self._describe(logits, gradient.detach(), step))

        return record

    def _describe(self, logits: Tensor, gradient: Tensor, step: int) -> dict[str, Any]:
        classes = logits.shape[-1]
        p = logits.reshape(-1, classes).float().softmax(-1)
        # a padded row has no allowed class, so no law; it is left out of the means
        real = ~p.isnan().any(-1, keepdim=True)
        p = torch.where(real, p, torch.zeros_like(p))
        count = real.sum().clamp_min(1)
        mean_p = p.sum(0) / count
        rows = gradient.reshape(-1, classes).float()
        norms = rows.norm(dim=-1)
        dead = (norms <= self.dead * norms.amax()) & real.squeeze(-1)
        return {
            "step": step,
            "tau": self._tau(),
            "entropy": torch.special.entr(p).sum() / count,
            "perplexity": torch.special.entr(mean_p).sum().exp(),
            "dead_rows": dead.sum() / count,
            "gradient_norm": rows.norm(),
            "signal_to_noise": self._ratio(rows.mean(0)),
        }

    def _ratio(self, gradient: Tensor) -> Tensor:
        if self._mean is None or self._square is None or self._mean.shape != gradient.shape:
            self._mean, self._square = torch.zeros_like(gradient), torch.zeros_like(gradient)
            self._weight = 0.0
        self._mean = self._mean.lerp(gradient, 1.0 - self.decay)
        self._square = self._square.lerp(gradient.square(), 1.0 - self.decay)
        self._weight = 1.0 - self.decay * (1.0 - self._weight)
        mean, square = self._mean / self._weight, self._square / self._weight
        signal = mean.square().sum()
        noise = (square.sum() - signal).clamp_min(0.0)
        return signal / noise.clamp_min(torch.finfo(noise.dtype).tiny)

    def _tau(self) -> Any:
        tau: Any = self.schedule.tau if self.schedule is not None else getattr(self.layer, "tau", math.nan)
        tau = getattr(tau, "tau", tau)  # that of a schedule which the layer holds
        if isinstance(tau, Tensor):
            return tau.detach().float().mean().clone()
        return math.nan if tau is None else float(tau)
