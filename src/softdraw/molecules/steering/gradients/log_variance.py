"""The log-variance loss: what is drawn, from wherever it came, is compared with what should be drawn.

The best network at a price of beta for a nat draws a molecule x with a probability proportional to
p_fitted(x) exp(-cost(x) / beta). So

    r(x) = log p(x) - log p_fitted(x) + cost(x) / beta

is the same for all x, and its variance is a loss whose least value, 0, is reached there and only there. On
molecules that the network draws itself its gradient is the score function's with the mean of the batch as
baseline, price of divergence included; but it holds for molecules from elsewhere as well: earlier ones, and
offspring of the best. The constant is the mean of r over the latest batch of the network's own; where that is
screened, over the promising ones, so that the gradient is no longer the score function's.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from softdraw.molecules.model.drawing import Choose, choose_hard
from softdraw.molecules.model.given import GivenParts
from softdraw.molecules.model.likelihood import log_likelihood
from softdraw.molecules.model.network import GraphNetwork
from softdraw.molecules.runtime.ranks import ALONE, Ranks
from softdraw.molecules.steering.crowding import Crowding
from softdraw.molecules.steering.gradients.as_drawn import AsDrawn
from softdraw.molecules.steering.gradients.learner import Batch, Learned
from softdraw.molecules.steering.gradients.memory import Graphs, Memory
from softdraw.molecules.steering.gradients.proposals import Proposals
from softdraw.molecules.steering.gradients.score_function import costs_of
from softdraw.molecules.steering.objectives import Objective
from softdraw.molecules.steering.options import SteerOptions
from softdraw.random import Key

__all__ = ["LogVariance", "half_squares"]

ROOM = {"molecule": 1, "scaffold": 25, "similarity": 25}
"""Molecules of a bin that cost nothing more."""


class LogVariance:
    """Learns a batch as it was drawn, and then the memory of earlier ones, several times.

    Args:
        network: that is steered.
        fitted: the network that the divergence is taken to.
        objective: the targets.
        options: settings; ``divergence`` is ``beta``.
        memory: of the molecules that were evaluated.
        key: of what is drawn from the memory, and bred.
        ranks: that share a batch, and what is learned again; all keep the whole memory, and the first
            decides what is evaluated.

    Reference:
        Richter, Boustati, Nüsken, Ruiz and Akyildiz 2020, "VarGrad: a low-variance gradient estimator for
        variational inference", arXiv:2010.10436.
    """

    follows = False
    tempered = False
    teacher = None

    def __init__(
        self,
        network: GraphNetwork,
        fitted: GraphNetwork,
        objective: Objective,
        options: SteerOptions,
        memory: Memory,
        key: Key,
        ranks: Ranks = ALONE,
    ) -> None:
        self.network, self.fitted, self.objective, self.options = network, fitted, objective, options
        self.memory, self.key, self.ranks = memory, key, ranks
        self.as_drawn = AsDrawn()
        self.proposals = Proposals(
            memory, options.batch_size, options.offspring, options.screen, key.fold_in(1), ranks
        )
        self.taken = 0
        self.constant = 0.0
        by = options.crowded_by
        self.crowding = Crowding(by, ROOM[by])
        self._shares: dict[str, float] = {}
        self._before: dict[str, float] = {}

    @property
    def draws(self) -> int:
        """Graphs that the network draws for the next batch."""
        return self.proposals.draws

    def remember(self, smiles: list[str], costs: NDArray[np.float64]) -> None:
        """Take molecules that were evaluated, also those of the data."""
        self.memory.add(smiles, costs)
        self.proposals.learn(smiles, costs)

    def begin(self) -> Choose:
        """Exact draws."""
        return choose_hard

    def propose(self, smiles: list[str]) -> tuple[NDArray[np.int64] | None, list[str]]:
        """The promising ones of what was drawn, and offspring of the best."""
        return self.ranks.decided(lambda: self.proposals.choose(smiles))

    def loss(self, batch: Batch) -> Learned:
        """A loss whose gradient is that of ``beta / 2`` times the variance of ``r`` over the batch."""
        cost = costs_of(self.objective, batch)
        drawn = [one for one, paid in zip(batch.smiles, batch.known, strict=True) if paid]
        if not drawn:
            return Learned(self._nothing(), cost.mean(), torch.zeros(1))
        self._crowd(drawn)
        known = torch.from_numpy(batch.own_known)
        types, bonds, given = batch.drawn.types[known], batch.drawn.bonds[known], batch.drawn.given
        apart = self._apart((types, bonds), None if given is None else given.at(known))
        every = torch.zeros(len(batch.smiles))
        every[torch.from_numpy(batch.known)] = cost + self._priced(drawn)
        crowded = every[torch.from_numpy(batch.own[batch.own_known])]
        self.constant = self.ranks.mean(self.options.divergence * apart.detach() + crowded)
        return Learned(self._half_variance(apart, crowded, len(drawn)), cost.mean(), apart.detach())

    def after(self, batch: Batch, descend: Callable[[Tensor], None]) -> float | None:
        """Keep what was evaluated, and learn from the memory."""
        evaluated = [one for one, paid in zip(batch.smiles, batch.known, strict=True) if paid] + batch.others
        values = np.concatenate((batch.values[batch.known], batch.other_values))
        costs = self.objective.costs(values)
        self._crowd(batch.others)
        self.remember(evaluated, costs)
        if batch.drawn.given is not None:
            drawn = [batch.smiles[place] for place in batch.own.tolist()]
            for found in self.ranks.gather(self.as_drawn.new(drawn, batch.drawn, self.memory.smiles)):
                self.as_drawn.add(found, self.memory.smiles)
        for _ in range(self.options.updates if len(self.memory) else 0):
            rng = np.random.default_rng([self.key.seed % 2**64, self.taken])
            self.taken += 1
            places = self.memory.draw(self.options.batch_size, rng)
            share = self.ranks.share(len(places))
            own = places[share.start : share.stop]
            cost = torch.from_numpy(self.memory.costs[own]).float()
            cost = cost + self._priced([self.memory.smiles[place] for place in own.tolist()])
            descend(self._half_variance(self._apart_again(places, share, rng), cost, len(places)))
        return None

    def _half_variance(self, apart: Tensor, cost: Tensor, count: int) -> Tensor:
        """What this rank adds to the mean over ``count``."""
        return half_squares(apart, cost, self.options.divergence, self.constant).sum() / count

    def _nothing(self) -> Tensor:
        return torch.stack([one.sum() for one in self.network.parameters()]).sum() * 0

    def _crowd(self, smiles: list[str]) -> None:
        """Count molecules in their bins."""
        if self.options.crowding:
            shares = self.crowding.shares(self.crowding.crowds(smiles))
            self._shares |= dict(zip(smiles, shares.tolist(), strict=True))

    def _priced(self, smiles: list[str]) -> Tensor:
        """What is added to the cost of molecules whose bin was crowded when they came last."""
        shares = torch.tensor([self._shares.get(one, 1.0) for one in smiles])
        return -self.options.crowding * shares.log()

    def _apart_again(self, places: NDArray[np.int64], share: range, rng: np.random.Generator) -> Tensor:
        """Log p - log p_fitted of this rank's share of remembered molecules, atoms in a new random order.

        A network that knows canonical orders from others draws in those: there the order stays, and what the
        fitted network says is computed once. What was drawn on from a part stays as it was drawn.
        """
        own = places[share.start : share.stop]
        if not len(own):
            return self._nothing().expand(0)
        smiles = [self.memory.smiles[place] for place in own.tolist()]
        if len(self.as_drawn):
            return self._apart(*self.as_drawn.graphs(smiles))
        if not bool(self.network.knows_parts):
            # all of them, so that each has the order that one process would give it
            types, bonds = self.memory.graphs(places, rng)
            return self._apart((types[share.start : share.stop], bonds[share.start : share.stop]))
        graphs = self.memory.graphs(own, None)
        new = [place for place, one in enumerate(smiles) if one not in self._before]
        if new:
            with torch.no_grad():
                found = log_likelihood(self.fitted, graphs[0][new], graphs[1][new], mask=True)
            self._before |= dict(zip([smiles[place] for place in new], found.tolist(), strict=True))
        before = torch.tensor([self._before[one] for one in smiles])
        return log_likelihood(self.network, *graphs, mask=True) - before

    def _apart(self, graphs: Graphs, given: GivenParts | None = None) -> Tensor:
        """Log p - log p_fitted ``[B]`` of what was drawn, parts that were given left out."""
        if not len(graphs[0]):
            return self._nothing().expand(0)
        with torch.no_grad():
            before = log_likelihood(self.fitted, *graphs, mask=True, given=given)
        return log_likelihood(self.network, *graphs, mask=True, given=given) - before

    def state_dict(self) -> dict[str, Any]:
        """The memory, and what was made of it."""
        return {
            "memory": self.memory.state_dict(),
            "proposals": self.proposals.state_dict(),
            "taken": self.taken,
            "constant": self.constant,
            "crowding": self.crowding.state_dict(),
            "shares": dict(self._shares),
            "as_drawn": self.as_drawn.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state_dict``."""
        self.memory.load_state_dict(state["memory"])
        self.proposals.load_state_dict(state["proposals"])
        self.taken, self.constant = state["taken"], state["constant"]
        self.crowding.load_state_dict(state["crowding"])
        self._shares = dict(state["shares"])
        self.as_drawn.load_state_dict(state["as_drawn"])


def half_squares(apart: Tensor, cost: Tensor, price: float, constant: float) -> Tensor:
    """Terms ``[B]`` whose gradients are those of ``beta / 2 (r - c)^2``, also where ``beta`` is 0.

    Args:
        apart: ``[B]``, log p - log p_fitted.
        cost: ``[B]``.
        price: ``beta``.
        constant: ``beta c``.

    Example:
        >>> apart = torch.tensor([0.5, -1.0], requires_grad=True)
        >>> half_squares(apart, torch.tensor([1.0, 2.0]), 0.5, 1.0).sum().backward()
        >>> apart.grad
        tensor([0.2500, 0.5000])
    """
    residual = price * apart.detach() + cost - constant
    return residual * apart
