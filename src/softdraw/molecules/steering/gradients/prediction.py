"""What a drawn graph is predicted to cost: by a property network, and by exact sums over atoms."""

import torch
from torch import Tensor

from softdraw.molecules.model.drawn import Drawn
from softdraw.molecules.steering.gradients.property_training import PropertyTraining
from softdraw.molecules.steering.objectives import Objective

__all__ = ["TRUSTED_GAP", "Prediction", "learned_places", "trusted"]

TRUSTED_GAP = 0.5
"""Error of the property network on the molecules drawn last, in standard deviations of the data, from which
no further updates are taken. One that always says the mean errs by 0.8 on data; one that is exploited, by
more."""


class Prediction:
    """Costs of one-hot graphs, hard or soft, with gradients to them.

    Args:
        objective: the targets.
        symbols: of the atom types.
        teacher: the property network; None where every property is a sum over atoms.
    """

    def __init__(self, objective: Objective, symbols: list[str], teacher: PropertyTraining | None) -> None:
        self.objective, self.teacher = objective, teacher
        self.learned = learned_places(objective)
        records = [target.record for target in objective.targets]
        # what each atom type adds to the properties that are sums over atoms, by the target's place
        self.added = {
            k: torch.tensor([float(record.additive(symbol)) for symbol in symbols])
            for k, record in enumerate(records)
            if record.additive is not None
        }

    def cost(self, drawn: Drawn) -> Tensor:
        """Predicted cost ``[B]``."""
        predicted = torch.zeros(len(drawn.types), 0)
        if self.teacher is not None:
            predicted = self.teacher.network(drawn.kinds, drawn.orders)
        columns = []
        for k in range(len(self.objective.targets)):
            if k in self.added:
                columns.append((drawn.kinds @ self.added[k]).sum(1))
            else:
                columns.append(predicted[:, self.learned.index(k)])
        return self.objective.cost(torch.stack(columns, 1))


def trusted(gap: float | None) -> bool:
    """Whether the network may be followed further than one update for a batch of evaluations.

    Args:
        gap: its error on the batch, in standard deviations; None where there is no network, and the costs are
            exact, NaN where no molecule had a value.

    Example:
        >>> trusted(0.1), trusted(0.9), trusted(None), trusted(float("nan"))
        (True, False, True, False)
    """
    return gap is None or gap < TRUSTED_GAP


def learned_places(objective: Objective) -> list[int]:
    """Places of the targets whose property only a network can send gradients through."""
    return [k for k, target in enumerate(objective.targets) if target.record.additive is None]
