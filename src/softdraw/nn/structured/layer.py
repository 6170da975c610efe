"""What the layers of this room share: a temperature, and the ranks that draw apart."""

from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from softdraw.arguments import check_temperatures, read_choice
from softdraw.random import Key
from softdraw.random.ranks import Group, Ranks
from softdraw.random.source import layer_key, one_source
from softdraw.schedules import Learned, Schedule
from softdraw.schedules.temperature import Temperature

__all__ = ["Evaluation", "StructuredLayer", "check_sources", "read_evaluation"]

#: eval mode returns the best structure of the scores, or a draw
Evaluation = Literal["mode", "sample"]


class StructuredLayer(nn.Module):
    """A layer that relaxes a structure at its own temperature.

    Args:
        tau: a float, a 0-dim tensor or a schedule.
        group: the ranks that draw apart under ``torch.distributed``, see ``Choice``.
    """

    def __init__(self, tau: float | Tensor | Schedule, group: Group) -> None:
        super().__init__()
        self.temperature = Temperature("tau", tau)
        self.ranks = Ranks(group)

    @property
    def group(self) -> Group:
        """The ranks that draw apart under ``torch.distributed``; may be set."""
        return self.ranks.group

    @group.setter
    def group(self, group: Group) -> None:
        self.ranks = Ranks(group)

    @property
    def tau(self) -> float | Tensor | None:
        """The temperature of the next training draw."""
        return self.temperature.shown

    @property
    def schedule(self) -> Schedule | None:
        """The schedule that moves the temperature, if there is one."""
        return self.temperature.schedule

    def reset_parameters(self) -> None:
        """Send a learned temperature back to its start."""
        if isinstance(self.schedule, Learned):
            self.schedule.reset_parameters()

    def _sources(
        self, key: Key | None, generator: torch.Generator | None
    ) -> tuple[Key | None, torch.Generator | None]:
        """Key and generator of a draw, with the rank folded in."""
        return layer_key(key, generator, self.ranks)

    def _now(self) -> Any:
        """The temperature of this draw."""
        tau = self.temperature.now()
        if isinstance(tau, Tensor):
            check_temperatures("tau", tau)
        return tau


def read_evaluation(evaluation: Evaluation) -> Evaluation:
    """Refuse what is no rule of eval mode."""
    read_choice("evaluation", evaluation, get_args(Evaluation))
    return evaluation


def check_sources(key: Key | None, generator: torch.Generator | None) -> None:
    """Refuse a wrong key or generator where nothing will be drawn."""
    if key is not None or generator is not None:
        one_source(key, generator)
