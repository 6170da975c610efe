"""Which decision is to blame: log-probabilities of the decisions of a batch, and what came after each."""

import torch
from torch import Tensor

from softdraw.functional import gumbel_max
from softdraw.kernels.formulas import one_hot
from softdraw.molecules.model.divergence import divergence_by_decision
from softdraw.molecules.model.drawn import Drawn
from softdraw.molecules.model.network import GraphNetwork
from softdraw.random import Key

__all__ = ["Record", "divergences", "others", "to_go"]


class Record:
    """Exact draws whose log-probabilities, with gradients, are kept."""

    def __init__(self) -> None:
        self._kept: list[Tensor] = []

    def choose(self, logits: Tensor, mask: Tensor | None, key: Key) -> Tensor:
        """A ``Choose``."""
        index = gumbel_max(logits, mask=mask, key=key)
        if mask is not None:  # finite, since a row of finished graphs allows nothing
            logits = logits.masked_fill(~mask, -1e9)
        chosen = logits.log_softmax(-1).gather(-1, index.clamp(min=0).unsqueeze(-1)).squeeze(-1)
        self._kept.append(torch.where(index >= 0, chosen, 0.0))
        return one_hot(index, logits.shape[-1], logits.dtype)

    @property
    def log_probabilities(self) -> Tensor:
        """``[D, B]`` in the order of ``Drawn.order``, 0 where a graph had nothing to decide."""
        return torch.stack(self._kept)


def divergences(reference: GraphNetwork, drawn: Drawn, count: int) -> Tensor:
    """The divergence from ``reference`` of each of the first ``count`` decisions, ``[count, B]``."""
    types, bonds = divergence_by_decision(reference, drawn)
    found = [types[:, atom] if step < 0 else bonds[atom, step] for atom, step in drawn.order[:count]]
    return torch.stack(found)


def to_go(parts: Tensor) -> Tensor:
    """Of ``[D, B]``, sums over what comes after each.

    Example:
        >>> to_go(torch.tensor([[1.0], [2.0], [4.0]])).flatten().tolist()
        [6.0, 4.0, 0.0]
    """
    return parts.flip(0).cumsum(0).flip(0) - parts


def others(values: Tensor) -> Tensor:
    """Mean over the other graphs of the batch, along the last dim; 0 where there is no other.

    Example:
        >>> others(torch.tensor([1.0, 2.0, 6.0])).tolist()
        [4.0, 3.5, 1.5]
    """
    return (values.sum(-1, keepdim=True) - values) / max(1, values.shape[-1] - 1)
