"""What a step evaluates: the promising ones of what the network draws, and of offspring of the best."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softdraw.molecules.proposing.offspring import offspring
from softdraw.molecules.proposing.surrogate import Surrogate
from softdraw.molecules.runtime.ranks import ALONE, Ranks
from softdraw.molecules.steering.gradients.memory import Memory
from softdraw.random import Key

__all__ = ["Proposals"]

FEWEST = 32
"""Molecules that have to be known before offspring of them are bred, or a guess is made from them."""


class Proposals:
    """Molecules to be evaluated.

    Args:
        memory: of those that were evaluated.
        size: molecules of a batch.
        offspring: share of a batch that is bred.
        screen: candidates for each molecule that is evaluated.
        key: of all choices.
        ranks: that draw together: each has something to draw, and the first one chooses.
    """

    def __init__(
        self, memory: Memory, size: int, offspring: float, screen: int, key: Key, ranks: Ranks = ALONE
    ) -> None:
        self.memory, self.size, self.share, self.screen, self.key = memory, size, offspring, screen, key
        self.ranks = ranks
        self.surrogate = Surrogate(seed=key.seed % 2**63)
        # lists that the surrogate has learned, one after another: a resume teaches it the same ones
        self._lists: list[int] = []
        self._smiles: list[str] = []
        self._costs: list[float] = []
        self._seen: set[str] = set()
        self.taken = 0

    @property
    def bred(self) -> int:
        """How many of the next batch are offspring."""
        if len(self.memory) < FEWEST:
            return 0
        # one is drawn at least: the constant of the loss is that of what the network draws
        return min(round(self.share * self.size), self.size - self.ranks.count)

    @property
    def candidates(self) -> int:
        """Of the next batch, how many are proposed for each that is evaluated."""
        return self.screen if len(self._smiles) >= FEWEST else 1

    @property
    def draws(self) -> int:
        """Graphs that the network draws for the next batch."""
        return (self.size - self.bred) * self.candidates

    def choose(self, smiles: list[str]) -> tuple[NDArray[np.int64] | None, list[str]]:
        """Which of the molecules that were drawn are evaluated, None for all, and the offspring that are."""
        rng = np.random.default_rng([self.key.seed % 2**64, self.taken])
        self.taken += 1
        children: list[str] = []
        if self.bred:
            children = offspring(
                self.memory.smiles,
                -self.memory.costs,
                self.bred * self.candidates,
                rng,
                usable=self.memory.usable,
                known=self._seen | set(smiles),
            )
        if self.candidates == 1:
            return None, children
        # a molecule that is known teaches nothing new, so that it comes last
        first = {one: place for place, one in reversed(list(enumerate(smiles))) if one}
        fresh = [place for one, place in first.items() if one not in self._seen]
        chosen = self._promising([smiles[place] for place in fresh], self.size - self.bred, rng)
        own = [fresh[place] for place in chosen]
        rest = [place for place in range(len(smiles)) if place not in set(own)]
        own += rest[: self.size - self.bred - len(own)]
        return np.array(own), [children[place] for place in self._promising(children, self.bred, rng)]

    def learn(self, smiles: Sequence[str], costs: NDArray[np.float64]) -> None:
        """Take molecules that were just evaluated; NaN where that failed."""
        fresh = [(one, cost) for one, cost in zip(smiles, costs.tolist(), strict=True) if one]
        fresh = [(one, cost) for one, cost in dict(fresh).items() if one not in self._seen]
        self._seen.update(one for one, _ in fresh)
        fresh = [(one, cost) for one, cost in fresh if np.isfinite(cost)]
        self._teach([one for one, _ in fresh], [cost for _, cost in fresh])

    def _teach(self, smiles: list[str], costs: list[float]) -> None:
        if self.screen == 1 or not smiles:
            return
        self._lists.append(len(smiles))
        self._smiles += smiles
        self._costs += costs
        if self.ranks.first:
            self.surrogate.learn(smiles, -np.array(costs))

    def _promising(self, smiles: list[str], count: int, rng: np.random.Generator) -> list[int]:
        if len(smiles) <= count:
            return list(range(len(smiles)))
        found: list[int] = self.surrogate.promising(smiles, count, rng).tolist()
        return found

    def state_dict(self) -> dict[str, Any]:
        """In plain Python."""
        return {
            "taken": self.taken,
            "lists": self._lists,
            "smiles": "\n".join(self._smiles),
            "costs": self._costs,
            "seen": "\n".join(sorted(self._seen)),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state_dict``."""
        self.surrogate = Surrogate(seed=self.key.seed % 2**63)
        self._lists, self._smiles, self._costs = [], [], []
        smiles = state["smiles"].split("\n") if state["smiles"] else []
        at = 0
        for size in state["lists"]:
            self._teach(smiles[at : at + size], state["costs"][at : at + size])
            at += size
        self._seen = set(state["seen"].split("\n")) - {""}
        self.taken = state["taken"]
