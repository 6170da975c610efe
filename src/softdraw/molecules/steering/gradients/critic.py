"""A baseline for each decision: a critic that reads the graph drawn so far and says what it will cost.

    grad L = E[sum over decisions d of (G_d - V(graph before d)) grad log p(d)]

where G_d is the cost of the graph and the price of the divergence of all decisions after d. What was known
before a decision does not depend on it, so that any V leaves the gradient as it is, and the closer V comes to
the mean of G_d, the less it varies. The network of the mean has the shape of the one that draws: causal, read
by teacher forcing, and it starts from the weights of the fitted one.
"""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from softdraw.molecules.model.decisions import Decisions, decisions_of
from softdraw.molecules.model.divergence import bond_places
from softdraw.molecules.model.drawing import Choose
from softdraw.molecules.model.drawn import Drawn
from softdraw.molecules.model.given import draws_from_part
from softdraw.molecules.model.network import GraphNetwork
from softdraw.molecules.steering.gradients.credit import Record, divergences, others, to_go
from softdraw.molecules.steering.gradients.learner import Batch, DrawsOnly, Learned
from softdraw.molecules.steering.gradients.score_function import costs_of
from softdraw.molecules.steering.objectives import Objective
from softdraw.random import Key

__all__ = ["Critic", "WithCritic"]

UPDATES = 4
"""Of the critic, for each batch."""


class Critic(nn.Module):
    """Values of the states that decisions are made from.

    Args:
        fitted: whose encoder it starts from.
        key: of the new weights; it says 0 at first.
    """

    def __init__(self, fitted: GraphNetwork, key: Key) -> None:
        super().__init__()
        self.encoder = copy.deepcopy(fitted).requires_grad_(True)
        width = fitted.options.width
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(key.seed % 2**63)
            self.type_head, self.bond_head = (
                nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 1)) for _ in range(2)
            )
        for head in (self.type_head, self.bond_head):
            for last in head[-1].parameters():
                nn.init.zeros_(last)

    def forward(self, drawn: Drawn, count: int) -> tuple[Tensor, Tensor]:
        """Values ``[count, B]`` before each of the first ``count`` decisions, and whether a graph made it."""
        network = self.encoder
        made: Decisions = decisions_of(drawn.types, drawn.bonds, network.valences, network.max_atoms)
        tokens, asking = network.states(made, from_part=draws_from_part(network, drawn.given))
        decided = made.types if drawn.given is None else drawn.given.without(made)[0]
        types, bonds = self.type_head(tokens).squeeze(2), self.bond_head(asking).squeeze(2)
        graph = torch.arange(len(types), device=types.device)
        values, asked = [], []
        for atom, step in drawn.order[:count]:
            if step < 0:
                values.append(types[:, atom])
                asked.append(decided[:, atom] >= 0)
            else:
                place, there = bond_places(made, atom, step, drawn.given)
                values.append(bonds[graph, place])
                asked.append(there)
        return torch.stack(values), torch.stack(asked)


class WithCritic(DrawsOnly):
    """The score function, each decision weighed with what came of it less what was to be expected.

    Args:
        fitted: the network that the divergence is taken to.
        objective: the targets.
        price: of a nat of divergence.
        learning_rate: of the critic's Adam.
        key: of its new weights.

    Reference:
        Williams 1992, "Simple statistical gradient-following algorithms", section 4, for the baseline; Mnih
        and Gregor 2014, arXiv:1402.0030, section 2.3.1, for one that depends on earlier choices.
    """

    tempered = False

    def __init__(
        self, fitted: GraphNetwork, objective: Objective, price: float, *, learning_rate: float, key: Key
    ) -> None:
        self.fitted, self.objective, self.price = fitted, objective, price
        self.critic = Critic(fitted, key)
        self.optimizer = torch.optim.Adam(self.critic.parameters(), lr=learning_rate)
        self._record = Record()
        self._came = torch.zeros(0)

    def begin(self) -> Choose:
        """Exact draws, whose log-probabilities are kept."""
        self._record = Record()
        return self._record.choose

    def loss(self, batch: Batch) -> Learned:
        """The weighed log-probabilities, and the price of the divergence."""
        known = torch.from_numpy(batch.known)
        cost = costs_of(self.objective, batch)
        made = self._record.log_probabilities
        parts = divergences(self.fitted, batch.drawn, len(made))
        priced = self.price * to_go(parts.detach())
        self._came = came = (cost + priced[:, known]) if bool(known.any()) else priced[:, known]
        with torch.no_grad():
            expected, asked = (one[:, known] for one in self.critic(batch.drawn, len(made)))
        missed = torch.where(asked, came - expected, 0.0)
        # the critic is late: what it misses in the mean over the other graphs is taken off as well
        missed = missed - others(missed.sum(0) / asked.sum(0).clamp(min=1))
        weighed = (missed * made[:, known]).sum(0)
        loss = weighed.mean() if len(weighed) else made.sum() * 0
        divergence = parts.sum(0)
        return Learned(loss + self.price * divergence.mean(), cost.mean(), divergence.detach())

    def after(self, batch: Batch, descend: Callable[[Tensor], None]) -> float | None:
        """The critic learns what came."""
        known = torch.from_numpy(batch.known)
        for _ in range(UPDATES if bool(known.any()) else 0):
            expected, asked = (one[:, known] for one in self.critic(batch.drawn, len(self._came)))
            error = torch.where(asked, (self._came - expected).square(), 0.0)
            self.optimizer.zero_grad()
            torch.autograd.backward(error.sum() / asked.sum())
            self.optimizer.step()
        return None

    def state_dict(self) -> dict[str, Any]:
        """The critic and its optimiser."""
        return {"critic": self.critic.state_dict(), "critic_optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state_dict``."""
        self.critic.load_state_dict(state["critic"])
        self.optimizer.load_state_dict(state["critic_optimizer"])
