"""What every schedule promises: one shared tensor, ``step``, exact resume, ``plot``."""

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def check_number(
    name: str, value: float, *, above: float = 0.0, strict: bool = True, below: float = math.inf
) -> float:
    """Return ``value`` as a finite float between the limits, or raise a ValueError that names it."""
    number = float(value)
    low = number > above if strict else number >= above
    if not (math.isfinite(number) and low and number <= below):
        limit = f"{'>' if strict else '>='} {above:g}" + (
            f" and <= {below:g}" if math.isfinite(below) else ""
        )
        raise ValueError(f"{name} must be a finite number {limit}, got {value!r}")
    return number


def check_count(name: str, value: int, *, least: int = 1) -> int:
    """Return ``value`` if it is an int of at least ``least``, or raise an error that names it."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    return value


class Schedule:
    """A temperature that changes over training.

    ``tau`` is a float32 tensor of shape ``[]``. It is one object for the life of the schedule and ``step``
    writes into it, so layers (and graphs of ``torch.compile``) that hold it see the change and recompile
    nothing. Call ``step`` once after each optimizer step, when ``backward`` has run.

    A schedule is a pure function of what it was given and of its count of steps, in Python floats, so it is
    the same on every rank and after a resume.
    """

    @property
    def tau(self) -> Tensor:
        """The temperature, shape ``[]``, float32."""
        raise NotImplementedError

    @property
    def step_count(self) -> int:
        """How many steps have been taken."""
        raise NotImplementedError

    @property
    def value(self) -> float:
        """The temperature as a Python float (for logs)."""
        return float(self.tau.detach())

    def step(self, count: int = 1) -> None:
        """Move on by ``count`` steps."""
        raise NotImplementedError

    def config(self) -> dict[str, Any]:
        """The arguments that make this schedule again; part of ``state_dict`` and of ``repr``."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """Everything that an exact resume needs, in plain Python types (safe to load without pickle)."""
        raise NotImplementedError

    def load_state_dict(self, state: dict[str, Any], strict: bool = True) -> Any:
        """Go on from ``state``.

        Raises:
            ValueError: ``state`` was saved by a schedule with other arguments. ``strict=False`` accepts it:
                the arguments of this schedule hold, and only the position is taken over.
        """
        raise NotImplementedError

    def curve(self, steps: int | None = None) -> tuple[list[int], list[float]]:
        """Steps and temperatures to draw: the plan for a formula, the past for a measured temperature."""
        raise NotImplementedError

    def plot(self, steps: int | None = None, ax: "Axes | None" = None) -> "Axes":
        """Draw temperature against step with matplotlib (extra ``plot``) and return the axes.

        Args:
            steps: how far to draw, for schedules that are a formula.
            ax: axes to draw into; without it a new figure is made, outside pyplot's global list.

        Raises:
            ImportError: matplotlib is not installed.
        """
        if ax is None:
            try:
                from matplotlib.figure import Figure
            except ImportError as error:
                raise ImportError("Schedule.plot needs matplotlib: pip install 'softdraw[plot]'") from error
            ax = Figure(figsize=(5, 3), layout="constrained").add_subplot()
        x, y = self.curve(steps)
        ax.plot(x, y, drawstyle="steps-post" if len(x) < 50 else "default")
        ax.set_xlabel("step")
        ax.set_ylabel("temperature")
        ax.set_title(repr(self), fontsize="small")
        return ax

    def _check_config(self, state: dict[str, Any], strict: bool) -> None:
        missing = sorted({"schedule", "step_count", "config"} - set(state))
        if missing:
            raise ValueError(
                f"state of {type(self).__name__} lacks {missing}; it has {sorted(map(str, state))}"
            )
        name, mine, theirs = type(self).__name__, self.config(), state["config"]
        if state["schedule"] != name:
            raise ValueError(f"state was saved by the schedule {state['schedule']}, not by {name}")
        if strict and mine != theirs:
            changed = {k: (theirs.get(k), v) for k, v in mine.items() if theirs.get(k) != v}
            listed = ", ".join(f"{k} was {old!r} and is {new!r}" for k, (old, new) in changed.items())
            raise ValueError(
                f"state was saved by a {name} with other arguments: {listed}; strict=False allows it"
            )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.config().items())})"


class ClosedForm(Schedule):
    """A schedule that is a formula of the step count: subclasses implement ``at`` and ``config``.

    Example:
        >>> from softdraw.schedules import ClosedForm
        >>> class Halving(ClosedForm):
        ...     def at(self, step):
        ...         return 2.0 ** -(step // 10)
        ...     def config(self):
        ...         return {}
        >>> s = Halving()
        >>> s.step(20); s.tau
        tensor(0.2500)
    """

    def __init__(self, *, device: torch.device | str | None = None) -> None:
        self._step_count = 0
        self._tau = torch.tensor(self.at(0), dtype=torch.float32, device=device)

    @property
    def tau(self) -> Tensor:
        """The temperature, shape ``[]``, float32: one tensor for the life of the schedule."""
        return self._tau

    @property
    def step_count(self) -> int:
        """How many steps have been taken."""
        return self._step_count

    def at(self, step: int) -> float:
        """The temperature after ``step`` steps, as a Python float."""
        raise NotImplementedError

    @property
    def value(self) -> float:
        """The temperature as a Python float, in double precision and without a device synchronisation."""
        return self.at(self.step_count)

    def step(self, count: int = 1) -> None:
        """Move on by ``count`` steps and write the new temperature into ``tau``.

        Raises:
            ValueError: ``count`` is negative.
        """
        self._step_count += check_count("count", count, least=0)
        self._write()

    def state_dict(self) -> dict[str, Any]:
        """Name, arguments and count of steps, in plain Python types."""
        return {"schedule": type(self).__name__, "step_count": self.step_count, "config": self.config()}

    def load_state_dict(self, state: dict[str, Any], strict: bool = True) -> None:
        """Go on from ``state``; see ``Schedule.load_state_dict``."""
        self._check_config(state, strict)
        self._step_count = int(state["step_count"])
        self._write()

    def horizon(self) -> int:
        """How many steps ``plot`` draws when it is not told: until the formula has come to rest."""
        return 1000

    def curve(self, steps: int | None = None) -> tuple[list[int], list[float]]:
        """At most 501 points of the formula from step 0 to ``steps``."""
        last = self.horizon() if steps is None else check_count("steps", steps)
        x = sorted({round(i * last / 500) for i in range(501)})
        return x, [self.at(step) for step in x]

    def _write(self) -> None:
        with torch.no_grad():
            self._tau.fill_(self.at(self._step_count))
