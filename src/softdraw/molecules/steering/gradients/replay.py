"""Graphs that were drawn and evaluated lately, for a property network to learn again."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["Replay"]

ROOM = 10_000
"""Graphs that are kept, the latest."""


class Replay:
    """The latest evaluated graphs, as they were drawn.

    Unlike ``memory`` it holds the bad ones too: a property network has to know them.

    Args:
        room: how many are kept.

    Example:
        >>> replay = Replay(room=2)
        >>> types, bonds = torch.tensor([[0], [1], [2]]), torch.zeros(3, 1, 1, dtype=torch.long)
        >>> replay.add(types, bonds, torch.tensor([[0.25], [0.5], [float("nan")]]))
        >>> replay.add(types[:1], bonds[:1], torch.tensor([[0.75]]))
        >>> _, _, labels = replay.draw(50, np.random.default_rng(0))
        >>> labels.unique().tolist()
        [0.5, 0.75]
    """

    def __init__(self, room: int = ROOM) -> None:
        self.room = room
        self._kept: tuple[Tensor, Tensor, Tensor] | None = None

    def __len__(self) -> int:
        return 0 if self._kept is None else len(self._kept[0])

    def add(self, types: Tensor, bonds: Tensor, labels: Tensor) -> None:
        """Keep those that have a value.

        Args:
            types: ``[B, N]``, -1 where there is no atom.
            bonds: ``[B, N, N]``.
            labels: ``[B, properties]``, NaN where there is none.
        """
        known = torch.isfinite(labels).any(1)
        # small numbers, many of them
        new = types[known].to(torch.int16), bonds[known].to(torch.int8), labels[known]
        if self._kept is None:
            self._kept = new
        else:
            joined = [torch.cat(pair)[-self.room :] for pair in zip(self._kept, new, strict=True)]
            self._kept = joined[0], joined[1], joined[2]

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Types, bonds and labels of ``count`` of them, with replacement; of none while none has a value.

        Raises:
            ValueError: nothing was added.
        """
        if self._kept is None:
            raise ValueError("replay: got a draw before anything was added")
        chosen = torch.from_numpy(rng.integers(0, max(1, len(self)), count if len(self) else 0))
        types, bonds, labels = self._kept
        return types[chosen].long(), bonds[chosen].long(), labels[chosen]

    def state_dict(self) -> dict[str, Any]:
        """In tensors."""
        return {} if self._kept is None else dict(zip(("types", "bonds", "labels"), self._kept, strict=True))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state_dict``."""
        self._kept = (state["types"], state["bonds"], state["labels"]) if state else None
