"""What steering descends: the distance of drawn molecules to their targets, by network or by RDKit."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from softdraw.molecules.steering.targets import Target, distance

__all__ = ["Objective"]


@dataclass(frozen=True)
class Objective:
    """Several targets and the statistics of the data that make their distances comparable.

    Attributes:
        targets: what to reach.
        statistics: mean and standard deviation of each target's property over the data.
    """

    targets: tuple[Target, ...]
    statistics: tuple[tuple[float, float], ...]

    def distances(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distance of each molecule to each target, in standard deviations of the data: ``[B, targets]``."""
        pairs = enumerate(zip(self.targets, self.statistics, strict=True))
        return np.stack([distance(values[:, k], target, *moments) for k, (target, moments) in pairs], 1)

    def cost(self, values: Tensor) -> Tensor:
        """Weighted distance ``[B]`` of properties ``[B, targets]``; gradients pass."""
        total = torch.zeros(len(values), device=values.device)
        weights = 0.0
        for k, (target, moments) in enumerate(zip(self.targets, self.statistics, strict=True)):
            total = total + target.weight * distance(values[:, k], target, *moments)
            weights += target.weight
        return total / weights
