"""What every schedule promises: one temperature, ``step``, a curve; and exact resume where it is plain."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from softdraw.arguments import read_count
from softdraw.schedules.fields import plain, read_fields

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ClosedForm", "Resumable", "Schedule", "shared_tensor"]


class Schedule(ABC):
    """A temperature that changes over training.

    ``tau`` is a float32 tensor of shape ``[]``. Call ``step`` once after each optimizer step, when
    ``backward`` has run. How a schedule is saved depends on what it is: a ``Resumable`` one is a formula or a
    record and has a plain ``state_dict``; ``Learned`` is a module, saved with the model.
    """

    @property
    @abstractmethod
    def tau(self) -> Tensor:
        """The temperature, shape ``[]``, float32."""

    @property
    @abstractmethod
    def step_count(self) -> int:
        """How many steps have been taken."""

    @property
    def value(self) -> float:
        """The temperature as a Python float (for logs)."""
        return float(self.tau.detach())

    @abstractmethod
    def step(self, count: int = 1) -> None:
        """Move on by ``count`` steps.

        Raises:
            TypeError: ``count`` is no int.
            ValueError: ``count`` is negative.
        """

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """The arguments that make this schedule again, in plain Python types."""

    @abstractmethod
    def curve(self, steps: int | None = None) -> tuple[list[int], list[float]]:
        """Steps and temperatures to draw: the plan for a formula, the past for a measured temperature."""

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

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.config().items())})"


class Resumable(Schedule):
    """A schedule whose state is plain: saved with JSON or ``torch.save``, loaded without pickle.

    ``tau`` is one tensor for the life of the schedule and ``step`` writes into it, so layers (and graphs of
    ``torch.compile``) that hold it see the change and recompile nothing. What it holds follows from the
    arguments, the count of steps and what was observed, in Python floats, so it is the same on every rank and
    after a resume.
    """

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Everything that an exact resume needs, in plain Python types."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any], strict: bool = True) -> None:
        """Go on from ``state``.

        Raises:
            ValueError: ``state`` was saved by a schedule with other arguments. ``strict=False`` accepts it:
                the arguments of this schedule hold, and only the position is taken over.
        """

    def position(self) -> dict[str, Any]:
        """The state without what is kept for pictures only: what a model's checkpoint holds."""
        return self.state_dict()

    def _check_state(self, state: dict[str, Any], strict: bool) -> int:
        """The count of steps in ``state``, if that is a state of this schedule."""
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
        return read_count("step_count", state["step_count"])


class ClosedForm(Resumable):
    """A schedule that is a formula of the step count: subclasses write ``at``.

    A subclass that is a dataclass has its arguments, its ``config`` and its ``repr`` from its fields; any
    other also writes ``config`` and calls ``super().__init__`` when its attributes are set.

    Raises:
        TypeError: a subclass without ``config`` that is no dataclass.

    Example:
        >>> from dataclasses import dataclass
        >>> from softdraw.schedules import ClosedForm
        >>> @dataclass(eq=False, repr=False)
        ... class Halving(ClosedForm):
        ...     every: int = 10
        ...     def at(self, step):
        ...         return 2.0 ** -(step // self.every)
        >>> s = Halving(every=5)
        >>> s.step(10); s, s.tau
        (Halving(every=5), tensor(0.2500))
    """

    def __init__(self, *, device: torch.device | str | None = None) -> None:
        if type(self).config is ClosedForm.config:
            self.config()  # refuses a class without arguments to save by, now and not at the first save
        self._step_count = 0
        self._tau = shared_tensor(self.at(0), device)

    def __post_init__(self) -> None:
        read_fields(self)
        ClosedForm.__init__(self, device=getattr(self, "device", None))

    @property
    def tau(self) -> Tensor:
        """The temperature, shape ``[]``, float32: one tensor for the life of the schedule."""
        return self._tau

    @property
    def step_count(self) -> int:
        """How many steps have been taken."""
        return self._step_count

    @abstractmethod
    def at(self, step: int) -> float:
        """The temperature after ``step`` steps, as a Python float."""

    @property
    def value(self) -> float:
        """The temperature as a Python float, in double precision and without a device synchronisation."""
        return self.at(self.step_count)

    def config(self) -> dict[str, Any]:
        """The arguments that make this schedule again: the fields of a dataclass."""
        return plain(self)

    def step(self, count: int = 1) -> None:
        """Move on by ``count`` steps and write the new temperature into ``tau``.

        Raises:
            TypeError: ``count`` is no int.
            ValueError: ``count`` is negative.
        """
        self._step_count += read_count("count", count)
        self._write()

    def state_dict(self) -> dict[str, Any]:
        """Name, arguments and count of steps, in plain Python types."""
        return {"schedule": type(self).__name__, "step_count": self.step_count, "config": self.config()}

    def load_state_dict(self, state: dict[str, Any], strict: bool = True) -> None:
        """Go on from ``state``; see ``Resumable.load_state_dict``."""
        self._step_count = self._check_state(state, strict)
        self._write()

    def horizon(self) -> int:
        """How many steps ``plot`` draws when it is not told: until the formula has come to rest."""
        return 1000

    def curve(self, steps: int | None = None) -> tuple[list[int], list[float]]:
        """At most 501 points of the formula from step 0 to ``steps``."""
        last = self.horizon() if steps is None else read_count("steps", steps, 1)
        x = sorted({round(i * last / 500) for i in range(501)})
        return x, [self.at(step) for step in x]

    def _write(self) -> None:
        with torch.no_grad():
            self._tau.fill_(self.at(self._step_count))


def shared_tensor(value: float, device: torch.device | str | None) -> Tensor:
    """The tensor that a schedule writes its temperature into.

    On ``device``, or on torch's default one; a model that is built on the meta device to be filled later
    still has a temperature, so that one lies on the CPU.
    """
    tau = torch.tensor(value, dtype=torch.float32, device=device)
    if device is None and tau.is_meta:
        return torch.tensor(value, dtype=torch.float32, device="cpu")
    return tau
