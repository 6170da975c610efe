"""Temperature over training: what lives here is how ``tau`` moves, and nothing about sampling.

Every schedule holds its temperature in one 0-dim tensor ``s.tau`` that layers share; ``s.step()`` moves it.
May import: torch only. To add one: write ``<name>.py`` with a subclass of ``ClosedForm`` (a formula of the
step count: implement ``at`` and ``config``) or of ``Schedule`` (anything else), export it here, and add a
line to ``tests/schedules/examples.py`` (all promises are then tested for it) and to ``docs/schedules.md``.
"""

from softdraw.schedules.adaptive import Adaptive
from softdraw.schedules.base import ClosedForm, Schedule
from softdraw.schedules.constant import Constant
from softdraw.schedules.cosine import Cosine
from softdraw.schedules.exponential import Exponential
from softdraw.schedules.learned import Learned
from softdraw.schedules.linear import Linear
from softdraw.schedules.multiplicative import Multiplicative
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
    "Schedule",
    "Sequential",
]
