"""A temperature that falls as far as the gradient can bear."""

from dataclasses import KW_ONLY, dataclass
from typing import Any

import torch
from torch import Tensor

from softdraw.arguments import read_count, wrong_value
from softdraw.schedules.base import Resumable, shared_tensor
from softdraw.schedules.fields import count, number, plain, read_fields
from softdraw.schedules.trace import Trace
from softdraw.schedules.window import Measured, Window

__all__ = ["Adaptive"]


@dataclass(eq=False, repr=False)
class Adaptive(Resumable):
    """Lower tau while the gradient of the logits stays alive and calm; back off a notch when it does not.

    A low temperature brings the relaxation close to the discrete problem and kills the gradient of ever more
    rows (with straight-through Gumbel-softmax and 10 classes, rows with a norm below 1e-6 are 0 % at tau 1,
    26 % at 0.1 and 87 % at 0.01) while the rows that live get ever larger ones. Both are measured here. At
    the end of each window of ``every`` steps:

    - share of dead rows <= ``max_dead`` and variance <= ``max_variance``: ``tau = max(floor, tau · factor)``
    - otherwise: ``tau = min(start, tau / factor)``

    The variance is the mean squared distance of a row of the gradient from the window's mean row, divided by
    that of the first window (taken at ``start``), so the limit has no unit.

    Layers of ``softdraw.nn`` that hold an ``Adaptive`` show it their gradients. In other code call
    ``s.watch(logits)`` before ``backward``, or ``s.observe(logits.grad)`` after it. With a loss scaled for
    half precision, scale ``threshold`` too. Under ``torch.distributed`` the windows are summed over the
    ranks, and every rank decides the same.

    Args:
        start: highest temperature and the one at step 0, > 0.
        floor: lowest temperature, > 0 and <= ``start``.
        factor: notch, in (0, 1).
        every: steps in a window, >= 1.
        max_dead: largest share of dead rows, in [0, 1].
        max_variance: largest variance relative to the first window, > 0; None sets no limit.
        threshold: a row is dead when the norm of its gradient is below this, > 0.
        device: where ``tau`` is stored.

    Raises:
        TypeError: an argument is no number, or ``every`` no int.
        ValueError: a number is out of its range.
        RuntimeError: a window ended without any gradient, on any rank.

    Example:
        >>> import torch, softdraw as sd
        >>> s = sd.schedules.Adaptive(start=1.0, factor=0.9, every=1)
        >>> s.observe(torch.randn(64, 10, generator=torch.Generator().manual_seed(0))); s.step(); s.tau
        tensor(0.9000)
        >>> s.observe(torch.zeros(64, 10)); s.step(); s.tau
        tensor(1.)
    """

    start: float = number(1.0, above=0.0)
    floor: float = number(0.1, above=0.0, most="start")
    factor: float = number(0.98, above=0.0, below=1.0)
    every: int = count(100)
    max_dead: float = number(0.05, least=0.0, most=1.0)
    max_variance: float | None = number(10.0, above=0.0, optional=True)
    threshold: float = number(1e-6, above=0.0)
    _: KW_ONLY
    device: torch.device | str | None = None

    def __post_init__(self) -> None:
        read_fields(self)
        self.measured: Measured | None = None
        self._first_variance: float | None = None
        self._window = Window(self.threshold)
        self._trace = Trace()
        self._step_count = 0
        self._value = self.start
        self._tau = shared_tensor(self.start, self.device)
        self._trace.add(0, self.start)

    @property
    def tau(self) -> Tensor:
        """The temperature, shape ``[]``, float32: one tensor for the life of the schedule."""
        return self._tau

    @property
    def value(self) -> float:
        """The temperature as a Python float, without a device synchronisation."""
        return self._value

    @property
    def step_count(self) -> int:
        """How many steps have been taken."""
        return self._step_count

    def observe(self, grad: Tensor, valid: Tensor | None = None) -> None:
        """Take in a gradient of the logits; nothing is read back from its device.

        Args:
            grad: ``[*batch, classes]``; rows that are not finite are left out.
            valid: boolean, broadcastable to ``[*batch]``; False for padding, which is left out.

        Raises:
            ValueError: ``grad`` has no dimension of classes.
        """
        if grad.dim() == 0:
            raise wrong_value("grad", grad, "a last dimension of classes")
        self._window.add(grad, valid)

    def watch(self, logits: Tensor, valid: Tensor | None = None) -> None:
        """Observe the gradient of ``logits`` when ``backward`` reaches them; nothing if they need none."""
        if logits.requires_grad:
            logits.register_hook(lambda grad: self.observe(grad, valid))  # type: ignore[no-untyped-call]

    def step(self, count: int = 1) -> None:
        """Count ``count`` steps, and decide at the end of each window.

        Raises:
            TypeError: ``count`` is no int.
            ValueError: ``count`` is negative.
            RuntimeError: no gradient was observed in the window.
        """
        for _ in range(read_count("count", count)):
            self._step_count += 1
            if self._step_count % self.every == 0:
                self._decide()
            self._trace.add(self._step_count, self._value)

    def config(self) -> dict[str, Any]:
        """The arguments that make this schedule again."""
        return plain(self)

    def state_dict(self) -> dict[str, Any]:
        """Arguments, count, temperature, the open window and the past, in plain Python types."""
        return {
            "schedule": type(self).__name__,
            "step_count": self._step_count,
            "config": self.config(),
            "tau": self._value,
            "first_variance": self._first_variance,
            "window": self._window.state(),
            "trace": self._trace.state(),
        }

    def position(self) -> dict[str, Any]:
        """The state without the past temperatures."""
        state = self.state_dict()
        del state["trace"]
        return state

    def load_state_dict(self, state: dict[str, Any], strict: bool = True) -> None:
        """Go on from ``state``, in the middle of a window too; see ``Resumable.load_state_dict``."""
        self._step_count = self._check_state(state, strict)
        self._first_variance = state["first_variance"]
        self._window.load(state["window"])
        self._set(float(state["tau"]))
        self._trace = Trace()
        if "trace" in state:
            self._trace.load(**state["trace"])

    def curve(self, steps: int | None = None) -> tuple[list[int], list[float]]:
        """The past and the present."""
        return self._trace.until(self._step_count, self._value)

    def _decide(self) -> None:
        measured = self._window.measure()
        self._window = Window(self.threshold)
        if measured.rows == 0:
            raise RuntimeError(
                f"Adaptive saw no gradient in the last {self.every} steps: "
                "call watch(logits) before backward or observe(grad) after it"
            )
        if self._first_variance is None and measured.variance > 0.0:
            self._first_variance = measured.variance
        relative = measured.variance / self._first_variance if self._first_variance else 0.0
        self.measured = measured._replace(variance=relative)
        calm = self.max_variance is None or relative <= self.max_variance
        if measured.dead <= self.max_dead and calm:
            self._set(max(self.floor, self._value * self.factor))
        else:
            self._set(min(self.start, self._value / self.factor))

    def _set(self, value: float) -> None:
        self._value = value
        with torch.no_grad():
            self._tau.fill_(value)
