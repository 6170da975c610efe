"""What the layers that draw through a ``Choice`` share."""

from torch import Tensor, nn

from softdraw.nn.choice import Choice
from softdraw.random.ranks import Group
from softdraw.schedules import Schedule

__all__ = ["ChoiceLayer"]


class ChoiceLayer(nn.Module):
    """A layer with a ``Choice`` inside: its temperature and its schedule are those of the choice."""

    choice: Choice

    @property
    def tau(self) -> float | Tensor | None:
        """The temperature of the next training draw."""
        return self.choice.tau

    @property
    def schedule(self) -> Schedule | None:
        """The schedule that moves the temperature: the layer's, or that of its estimator, if one has any."""
        return self.choice.schedule

    @property
    def group(self) -> Group:
        """The ranks that draw apart under ``torch.distributed``; may be set."""
        return self.choice.group

    @group.setter
    def group(self, group: Group) -> None:
        self.choice.group = group
