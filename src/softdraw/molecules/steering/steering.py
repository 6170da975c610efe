"""Steering: the network draws molecules freely, and the targets send gradients back through those draws.

The loss is the distance to the targets plus a Kullback-Leibler term to the fitted network, which keeps what
was learned from data and with it diversity:

    L = E[cost(z)] + beta * E[sum over decisions of KL(p(. | earlier) || p_fitted(. | earlier))]

The first term's gradient comes from the chosen estimator: one that returns a differentiable one-hot is
followed through a property network (or an exact sum) and every draw; ``reinforce`` asks RDKit itself for the
cost and weighs the score function with it, less the mean cost of the other graphs of the batch (Williams
1992; Kool et al. 2019).
"""

import copy
import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from softdraw.functional import gumbel_max, gumbel_softmax
from softdraw.kernels.formulas import one_hot
from softdraw.molecules.chemistry.codec import decode_batch
from softdraw.molecules.data.graphs import GraphSet
from softdraw.molecules.evaluating.ledger import Ledger
from softdraw.molecules.model.divergence import divergence_from
from softdraw.molecules.model.drawing import Choose, draw
from softdraw.molecules.model.drawn import Drawn
from softdraw.molecules.model.network import GraphNetwork
from softdraw.molecules.steering.estimator import SCORE_FUNCTION, one_hot_estimator
from softdraw.molecules.steering.objectives import Objective
from softdraw.molecules.steering.options import SteerOptions
from softdraw.molecules.steering.property_training import PropertyTraining
from softdraw.random import Key
from softdraw.schedules import Exponential

__all__ = ["Steering"]

SCHEDULE_STEPS = 1000
"""Steps of the temperature schedule over the whole budget, however many optimiser steps fit into it."""
DECIDED = 0.9
"""A soft draw counts as decided when its largest entry exceeds this."""


class Steering:
    """One steering run: state, steps, and what a checkpoint needs.

    Args:
        network: steered in place; its present weights are the fitted network that the divergence is taken to.
        graphs: real molecules, for the property network.
        labels: RDKit's properties of them, ``[molecules, targets]``.
        objective: the targets.
        ledger: that is asked for the properties of what is drawn.
        estimator: a name of ``softdraw.estimators`` that returns a differentiable one-hot, or
            ``"reinforce"``.
        key: of all noise.
        options: settings.
    """

    def __init__(
        self,
        network: GraphNetwork,
        graphs: GraphSet,
        labels: np.ndarray,
        objective: Objective,
        ledger: Ledger,
        estimator: str,
        key: Key,
        options: SteerOptions | None = None,
    ) -> None:
        self.network, self.graphs, self.objective, self.ledger = network, graphs, objective, ledger
        self.options = options = options or SteerOptions()
        self.fitted = copy.deepcopy(network).requires_grad_(False)
        self.key = key
        first, last = options.tau
        self.schedule = Exponential(first, last, math.log(first / last) / SCHEDULE_STEPS)
        self.pathwise = estimator != SCORE_FUNCTION
        self.estimator = one_hot_estimator(estimator, self.schedule.tau) if self.pathwise else None
        self.optimizer = torch.optim.Adam(network.parameters(), lr=options.learning_rate, betas=(0.9, 0.98))
        symbols = [kind.symbol for kind in graphs.vocabulary.types]
        records = [target.record for target in objective.targets]
        self.learned = [k for k, record in enumerate(records) if record.additive is None]
        # what each atom type adds to the properties that are sums over atoms, by the target's place
        self.added = {
            k: torch.tensor([float(record.additive(symbol)) for symbol in symbols])
            for k, record in enumerate(records)
            if record.additive is not None
        }
        self.teacher: PropertyTraining | None = None
        if self.pathwise and self.learned:
            self.teacher = PropertyTraining(
                graphs,
                labels[:, self.learned],
                key.fold_in(1),
                atoms=network.max_atoms,
                batch_size=options.batch_size,
                learning_rate=options.property_rate,
                steps=options.property_steps,
            )
        self.steps = 0
        self.seconds = 0.0
        self.whole = True
        """Whether the state is that between two steps: properties are asked for before anything changes."""
        self.history: list[dict[str, Any]] = []
        network.train()

    def advance(self, share: float, seconds: float) -> None:
        """Set the temperature and the learning rate of the next step.

        Args:
            share: of the budget that is used, 0 to 1; both fall over it.
            seconds: since the steering began, for the history.
        """
        self.seconds = seconds
        share = min(1.0, share)
        self.schedule.step(max(0, int(share * SCHEDULE_STEPS) - self.schedule.step_count))
        # a short rise, then a cosine to a tenth
        rate = min(1.0, (self.steps + 1) / 10) * (0.1 + 0.9 * (1 + math.cos(math.pi * share)) / 2)
        self.optimizer.param_groups[0]["lr"] = self.options.learning_rate * rate

    def step(self) -> str:
        """Draw a batch, take one optimiser step, return figures to show."""
        record = self.ledger.limit is not None or self.steps % self.options.record_every == 0
        key = self.key.fold_in(2).fold_in(self.steps)
        seen: list[tuple[Tensor, Tensor | None, Key]] = []
        log_probability: list[Tensor] = []
        drawn = draw(
            self.network,
            self.options.batch_size,
            key,
            mask=True,
            choose=self._chooser(seen if record else None, log_probability),
        )
        smiles = decode_batch(drawn.types, drawn.bonds, self.graphs.vocabulary)
        values = self.ledger.ask(smiles, self.steps)
        # the last batch of a budget in calls may hold molecules that were not paid for
        known = self.ledger.knows(smiles)
        divergence = divergence_from(self.fitted, drawn)
        if self.pathwise:
            cost = self.objective.cost(self._predict(drawn))
            loss = cost.mean()
        else:
            cost = self.objective.cost(torch.from_numpy(values[known]).float())
            cost = cost.nan_to_num(float(cost.nan_to_num(0.0).max())) if len(cost) else torch.zeros(1)
            baseline = (cost.sum() - cost) / max(1, len(cost) - 1)
            log_likelihood = torch.stack(log_probability).sum(0)[torch.from_numpy(known)]
            weighed = (cost - baseline) * log_likelihood
            loss = weighed.mean() if len(weighed) else weighed.sum()
        self.whole = False
        self.optimizer.zero_grad()
        torch.autograd.backward(loss + self.options.divergence * divergence.mean())
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        gap = None
        if self.teacher is not None:
            gap = self.teacher.follow(drawn.types, drawn.bonds, values[:, self.learned])
        distances = self.objective.distances(values)
        mean_distance = float(np.nanmean(distances)) if np.isfinite(distances).any() else math.nan
        # molecules that have the property of every target
        defined = int(np.isfinite(distances).all(1).sum())
        molecules = sum(bool(one and paid) for one, paid in zip(smiles, known, strict=True))
        if record:
            atoms, bonds = self._decided(seen, drawn)
            self.history.append(
                {
                    "step": self.steps,
                    "seconds": round(self.seconds, 3),
                    "tau": self.schedule.value if self.pathwise else None,
                    "decided_atoms": atoms,
                    "decided_bonds": bonds,
                    "loss": float(
                        cost.detach().mean() + self.options.divergence * divergence.detach().mean()
                    ),
                    "distance": mean_distance,
                    "distances": [_mean(column) for column in distances.T],
                    "calls": self.ledger.calls,
                    "defined": defined / max(1, molecules),
                    "kl": float(divergence.detach().mean()),
                    "uniqueness": len(set(smiles) - {""}) / max(1, sum(map(bool, smiles))),
                    "predicted_gap": gap,
                }
            )
        self.steps += 1
        self.whole = True
        over = f" over {defined} of {molecules}" if defined < molecules else ""
        return f"distance {mean_distance:.2f} standard deviations{over}, tau {self.schedule.value:.2f}"

    def _chooser(
        self, seen: list[tuple[Tensor, Tensor | None, Key]] | None, log_probability: list[Tensor]
    ) -> Choose:
        def choose(logits: Tensor, mask: Tensor | None, key: Key) -> Tensor:
            if seen is not None:
                seen.append((logits.detach(), mask, key))
            if self.estimator is not None:
                one: Tensor = self.estimator(logits, mask=mask, key=key)
                return one
            index = gumbel_max(logits, mask=mask, key=key)
            if mask is not None:  # finite, since a row of finished graphs allows nothing
                logits = logits.masked_fill(~mask, -1e9)
            chosen = logits.log_softmax(-1).gather(-1, index.clamp(min=0).unsqueeze(-1)).squeeze(-1)
            log_probability.append(torch.where(index >= 0, chosen, 0.0))
            return one_hot(index, logits.shape[-1], logits.dtype)

        return choose

    def _predict(self, drawn: Drawn) -> Tensor:
        """Properties ``[B, targets]`` with gradients to the draws."""
        predicted = torch.zeros(len(drawn.types), 0)
        if self.teacher is not None:
            predicted = self.teacher.network(drawn.kinds, drawn.orders)
        columns = []
        for k in range(len(self.objective.targets)):
            if k in self.added:
                columns.append((drawn.kinds @ self.added[k]).sum(1))
            else:
                columns.append(predicted[:, self.learned.index(k)])
        return torch.stack(columns, 1)

    def _decided(
        self, seen: list[tuple[Tensor, Tensor | None, Key]], drawn: Drawn
    ) -> tuple[float | None, float | None]:
        """Share of the soft draws of atoms and of bonds whose largest entry exceeds 0.9."""
        if not self.pathwise:
            return None, None
        # the type of an atom is drawn after the bonds of all earlier ones
        types = {
            atom + sum(of < atom for of, _ in drawn.bond_logits) for atom in range(self.network.max_atoms)
        }
        largest: tuple[list[Tensor], list[Tensor]] = ([], [])
        for number, (logits, mask, key) in enumerate(seen):
            soft = gumbel_softmax(logits, self.schedule.tau, mask=mask, key=key).amax(-1)
            largest[number not in types].append(soft[soft > 0])
        found = [torch.cat(entries) if entries else torch.zeros(0) for entries in largest]
        atoms, bonds = [float((one > DECIDED).float().mean()) if len(one) else None for one in found]
        return atoms, bonds

    def state_dict(self) -> dict[str, Any]:
        """All that an exact resume needs, in tensors and plain Python."""
        state: dict[str, Any] = {
            "network": self.network.state_dict(),
            "fitted": self.fitted.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "steps": self.steps,
            "seconds": self.seconds,
            "history": self.history,
            "targets": [str(target) for target in self.objective.targets],
            "ledger": self.ledger.state_dict(),
        }
        if self.teacher is not None:
            state["teacher"] = self.teacher.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state_dict``.

        Raises:
            KeyError, RuntimeError, ValueError: the state is of another steering run.
        """
        targets = [str(target) for target in self.objective.targets]
        if state["targets"] != targets:
            raise ValueError(f"its targets are {' '.join(state['targets'])}")
        self.ledger.load_state_dict(state["ledger"])
        self.network.load_state_dict(state["network"])
        self.fitted.load_state_dict(state["fitted"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.steps, self.seconds = state["steps"], state["seconds"]
        self.history = list(state["history"])
        if self.teacher is not None:
            self.teacher.load_state_dict(state["teacher"])


def _mean(column: NDArray[np.float64]) -> float | None:
    """The mean of what is known; None where nothing is."""
    known = column[np.isfinite(column)]
    return float(known.mean()) if len(known) else None
