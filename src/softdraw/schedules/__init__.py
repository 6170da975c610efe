"""Temperature over training: what lives here is how ``tau`` moves, and nothing about sampling.

Every schedule shows its temperature as a 0-dim tensor ``s.tau``; ``s.step()`` moves it. May import:
``softdraw.arguments``. To add one: a formula of the step count is a dataclass with a method ``at`` in
``closed_forms.py``; anything else is a module of its own with a subclass of ``Resumable`` (its state is
plain) or of ``Schedule`` and ``nn.Module`` (it is saved with the model). Export it here, and add a line to
``tests/schedules/examples.py`` (all promises are then tested for it) and to ``docs/schedules.md``.
"""

from softdraw.schedules.adaptive import Adaptive
from softdraw.schedules.base import ClosedForm, Resumable, Schedule
from softdraw.schedules.closed_forms import Constant, Cosine, Exponential, Linear, Multiplicative
from softdraw.schedules.learned import Learned
from softdraw.schedules.piecewise import Piecewise
from softdraw.schedules.sequential import Sequential

__all__ = [
    "Adaptive",
    "ClosedForm",
    "Constant",
    "Cosine",
    "Exponential",
    "Learned",
    "Linear",
    "Multiplicative",
    "Piecewise",
    "Resumable",
    "Schedule",
    "Sequential",
]
