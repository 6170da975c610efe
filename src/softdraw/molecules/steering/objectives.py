"""What steering descends: the distance of drawn molecules to their targets, by network or by RDKit."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from softdraw.arguments import read_choice
from softdraw.molecules.steering.targets import Target, Values, distance

__all__ = ["COMBINED", "Objective"]

COMBINED = ("sum", "product")
"""How several targets are put together."""


@dataclass(frozen=True)
class Objective:
    """Several targets and the statistics of the data that make their distances comparable.

    The cost of a molecule is the mean of its distances, by the weights of the targets. With the sum, what one
    target loses another may gain. With the product, the distances are minus the logarithms of desirabilities
    between 0 and 1 (see ``targets.distance``), and the cost is minus the logarithm of their geometric mean:
    a molecule that misses one target is a bad one however well it meets the others (Derringer and Suich 1980,
    "Simultaneous optimization of several response variables", J. Qual. Technol. 12:214).

    Attributes:
        targets: what to reach.
        statistics: mean and standard deviation of each target's property over the data.
        combine: ``"sum"`` or ``"product"``.

    Raises:
        ValueError: ``combine`` is neither.

    Example:
        >>> both = (Target("logp", 2.0), Target("qed", "step(0.5)"))
        >>> scale = ((0.0, 1.0), (0.5, 0.1))
        >>> values = np.array([[2.0, 0.6], [3.0, 0.6], [2.0, 0.4]])
        >>> Objective(both, scale).costs(values)
        array([0. , 0.5, 0.5])
        >>> Objective(both, scale, "product").costs(values).round(3) + 0  # exp(-1), and 0.001, for one of two
        array([0.   , 0.5  , 3.454])
    """

    targets: tuple[Target, ...]
    statistics: tuple[tuple[float, float], ...]
    combine: str = "sum"

    def __post_init__(self) -> None:
        read_choice("combine", self.combine, COMBINED)

    @property
    def text(self) -> list[str]:
        """The targets as text, and how they are put together where that is not the sum."""
        return [*map(str, self.targets), *[self.combine] * (self.combine != "sum")]

    @property
    def unit(self) -> str:
        """What distances are in: standard deviations of the data, or nothing that has a name."""
        plain = self.combine == "sum" and all(target.aim.in_deviations for target in self.targets)
        return "standard deviations" if plain else ""

    def distances(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distance of each molecule to each target: ``[B, targets]``; NaN where a property is."""
        return np.stack([self._distance(values[:, k], k) for k in range(len(self.targets))], 1)

    def cost(self, values: Tensor) -> Tensor:
        """Cost ``[B]`` of properties ``[B, targets]``; gradients pass."""
        total = torch.zeros(len(values), device=values.device, dtype=values.dtype)
        weights = 0.0
        for k, target in enumerate(self.targets):
            total = total + target.weight * self._distance(values[:, k], k)
            weights += target.weight
        return total / weights

    def costs(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """``cost`` of an array; NaN where one of the properties is."""
        return self.cost(torch.tensor(values, dtype=torch.float64)).numpy()

    def _distance(self, values: Values, place: int) -> Values:
        return distance(values, self.targets[place], *self.statistics[place], self.combine)
