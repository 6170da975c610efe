"""One example of every schedule: a new one joins the tests of what all of them promise by one line."""

from collections.abc import Callable

import torch

from softdraw import schedules
from softdraw.schedules import Schedule

EXAMPLES: dict[str, Callable[[], Schedule]] = {
    "Constant": lambda: schedules.Constant(0.7),
    "Linear": lambda: schedules.Linear(10.0, 0.1, steps=20),
    "Exponential": lambda: schedules.Exponential(1.0, 0.5, rate=0.05, every=3),
    "Multiplicative": lambda: schedules.Multiplicative(2.0, 0.5, factor=0.9),
    "Cosine": lambda: schedules.Cosine(1.0, 0.0625, steps=20),
    "Piecewise": lambda: schedules.Piecewise({0: 2.0, 7: 1.0, 15: 0.5}, "exponential"),
    "Sequential": lambda: schedules.Sequential([schedules.Constant(1.0), schedules.Linear(1.0, 0.5, 9)], [8]),
    "Learned": lambda: schedules.Learned(1.0, 0.1, 10.0),
    "Adaptive": lambda: schedules.Adaptive(1.0, floor=0.1, factor=0.9, every=2, max_variance=4.0),
}
CLOSED = [name for name, make in EXAMPLES.items() if isinstance(make(), schedules.ClosedForm)]


def advance(schedule: Schedule, steps: int) -> None:
    """Take steps as training does: show gradients to whoever measures them, move the parameters."""
    for _ in range(steps):
        if isinstance(schedule, schedules.Adaptive):
            generator = torch.Generator().manual_seed(schedule.step_count)
            scale = 1 + schedule.step_count // 2 % 3
            schedule.observe(scale * torch.randn(16, 5, generator=generator))
        if isinstance(schedule, schedules.Learned):
            with torch.no_grad():
                schedule.raw.sub_(0.1)
        schedule.step()
