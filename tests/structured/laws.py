"""Every law of ``softdraw.structured`` beside an oracle that enumerates: a new one joins by one entry.

What all of them promise is tested in ``test_promises.py`` over this list.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

import softdraw as sd

from .tree_laws import laws as tree_laws

WIDE = torch.float64


@dataclass
class Law:
    """A law of small size, of batch shape [3].

    ``parameters(seed)`` are float64 tensors ``[3, ...]``, ``make(*parameters)`` is the law of them.
    ``structures`` are all its values ``[count, *event]``, and ``score(structures, *parameters)`` their
    unnormalised log probabilities ``[count, 3]``: by definition, and not by what is tested.
    ``padded(dtype)`` is a law of batch shape [2] whose second row has no structure. ``without`` names what it
    has not: ``marginals``, ``log_partition``, ``entropy``, ``kl``. At the temperature ``coldest`` a
    relaxation is the structure that it tends to. ``indicators`` are what the marginals are means of, where
    those are not the structures.
    """

    parameters: Callable[[int], tuple[Tensor, ...]]
    make: Callable[..., Any]
    structures: Tensor
    score: Callable[..., Tensor]
    padded: Callable[[torch.dtype], Any]
    without: frozenset[str] = field(default_factory=frozenset)
    coldest: float = 1e-6
    indicators: Tensor | None = None


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=WIDE)


def k_hots(n: int, k: int) -> Tensor:
    rows = [[float(i in chosen) for i in range(n)] for chosen in itertools.combinations(range(n), k)]
    return torch.tensor(rows, dtype=WIDE)


def linear(structures: Tensor, logits: Tensor) -> Tensor:
    """Sum of the logits of what a structure has."""
    return torch.einsum("sn,bn->sb", structures, logits)


def _subset(n: int, k: int) -> Law:
    return Law(
        parameters=lambda seed: (normal(3, n, seed=seed),),
        make=lambda logits: sd.structured.Subset(logits, k),
        structures=k_hots(n, k),
        score=linear,
        padded=lambda dtype: sd.structured.Subset(
            normal(2, n).to(dtype), k, mask=torch.tensor([[True], [False]])
        ),
    )


def plackett_luce(orders: Tensor, logits: Tensor) -> Tensor:
    """Softmax of what is left, place by place."""
    total = torch.zeros(len(orders), len(logits), dtype=WIDE)
    left = torch.ones(len(orders), logits.shape[-1], dtype=torch.bool)
    for place in orders.unbind(-1):
        rest = torch.where(left.unsqueeze(1), logits, -torch.inf)
        chosen = place[:, None, None].expand(-1, len(logits), 1)
        total = total + rest.log_softmax(-1).gather(-1, chosen).squeeze(-1)
        left = left.scatter(-1, place.unsqueeze(-1), False)
    return total


def _ordered(n: int, k: int) -> Law:
    orders = torch.tensor(list(itertools.permutations(range(n), k)), dtype=torch.int64)
    return Law(
        parameters=lambda seed: (normal(3, n, seed=seed),),
        make=lambda logits: sd.structured.OrderedSubset(logits, k),
        structures=orders,
        score=plackett_luce,
        padded=lambda dtype: sd.structured.OrderedSubset(
            normal(2, n).to(dtype), k, mask=torch.tensor([[True], [False]])
        ),
        without=frozenset({"log_partition", "entropy", "kl"}),
        indicators=torch.zeros(len(orders), n, dtype=WIDE).scatter(-1, orders, 1.0),
    )


LAWS: dict[str, Law] = {
    "Subset 6 3": _subset(6, 3),
    "Subset 5 1": _subset(5, 1),
    "Subset 4 4": _subset(4, 4),
    "Subset 3 0": _subset(3, 0),
    **tree_laws(Law),
    "OrderedSubset 5 3": _ordered(5, 3),
    "OrderedSubset 4 4": _ordered(4, 4),
    "OrderedSubset 4 1": _ordered(4, 1),
}
