"""Steering: the network draws molecules, and the targets tell it which ones to draw more of.

The loss is the distance to the targets plus a Kullback-Leibler term to the fitted network, which keeps what
was learned from data and with it diversity:

    L = E[cost(z)] + beta * E[sum over decisions of KL(p(. | earlier) || p_fitted(. | earlier))]

How a batch becomes a gradient of it is the business of ``gradients``.
"""

import copy
import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from softdraw.functional import gumbel_softmax
from softdraw.molecules.chemistry.codec import decode_batch
from softdraw.molecules.data.graphs import GraphSet
from softdraw.molecules.evaluating.ledger import Ledger
from softdraw.molecules.model.drawing import Choose, draw
from softdraw.molecules.model.drawn import Drawn
from softdraw.molecules.model.network import GraphNetwork
from softdraw.molecules.runtime.ranks import ALONE, Ranks
from softdraw.molecules.steering.gradients.estimator import learner_of
from softdraw.molecules.steering.gradients.learner import Batch
from softdraw.molecules.steering.gradients.property_training import PropertyTraining
from softdraw.molecules.steering.kept_part import KeptPart
from softdraw.molecules.steering.objectives import Objective
from softdraw.molecules.steering.options import SteerOptions
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
        estimator: how a batch becomes a gradient (see ``gradients.estimator``).
        key: of all noise.
        options: settings.
        part: that everything is drawn on from. What lost it counts as no molecule.
        ranks: that each draw a share of every batch, learn it, and add up their gradients.

    Raises:
        ValueError: offspring is asked for beside a part, which it would not keep; or a batch has fewer graphs
            than there are ranks.
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
        part: KeptPart | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        self.network, self.graphs, self.objective, self.ledger = network, graphs, objective, ledger
        self.options = options = options or SteerOptions()
        self.part, self.ranks = part, ranks
        if part is not None and options.offspring:
            raise ValueError(
                f"offspring: got {options.offspring} and a scaffold, expected 0, since a child may lose it"
            )
        if options.batch_size < ranks.count:
            raise ValueError(
                f"batch_size: got {options.batch_size}, expected one for each of {ranks.count} ranks"
            )
        self.fitted = copy.deepcopy(network).requires_grad_(False)
        self.key = key
        first, last = options.tau
        self.schedule = Exponential(first, last, math.log(first / last) / SCHEDULE_STEPS)
        self.optimizer = torch.optim.Adam(network.parameters(), lr=options.learning_rate, betas=(0.9, 0.98))
        self.learner = learner_of(
            estimator,
            network,
            self.fitted,
            graphs,
            labels,
            objective,
            options,
            self.schedule.tau,
            key,
            from_part=part is not None,
            ranks=ranks,
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
        """Draw a batch, learn it, return figures to show."""
        record = self.ledger.limit is not None or self.steps % self.options.record_every == 0
        seen: list[tuple[Tensor, Tensor | None, Key]] = []
        share = self.ranks.share(self.learner.draws or self.options.batch_size)
        drawn = self._drawn(share, seen if record and self.learner.tempered else None)
        found = decode_batch(drawn.types, drawn.bonds, self.graphs.vocabulary)
        if self.part is not None:
            found = self.part.whole(found, share.start)
        smiles = self.ranks.joined(found)
        chosen, others = self.learner.propose(smiles)
        places = np.arange(share.start, share.stop)
        if chosen is not None:
            places = np.flatnonzero((chosen >= share.start) & (chosen < share.stop))
            drawn, smiles = drawn.rows(chosen[places] - share.start), [smiles[place] for place in chosen]
        every = self.ledger.ask([*smiles, *others], self.steps)
        values = every[: len(smiles)]
        # the last batch of a budget in calls may hold molecules that were not paid for
        known = self.ledger.knows(smiles)
        batch = Batch(drawn, smiles, values, known, others, every[len(smiles) :], places)
        learned = self.learner.loss(batch)
        self.whole = False
        self._descend(learned.loss)
        gap = self.learner.after(batch, self._descend)
        distances = self.objective.distances(values)
        mean_distance = float(np.nanmean(distances)) if np.isfinite(distances).any() else math.nan
        # molecules that have the property of every target
        defined = int(np.isfinite(distances).all(1).sum())
        molecules = sum(bool(one and paid) for one, paid in zip(smiles, batch.known, strict=True))
        if record:
            atoms, bonds = self._decided(seen, drawn)
            divergence = self.ranks.mean(learned.divergence)
            self.history.append(
                {
                    "step": self.steps,
                    "seconds": round(self.seconds, 3),
                    "tau": self.schedule.value if self.learner.tempered else None,
                    "decided_atoms": atoms,
                    "decided_bonds": bonds,
                    "loss": float(learned.cost) + self.options.divergence * divergence,
                    "distance": mean_distance,
                    "distances": [_mean(column) for column in distances.T],
                    "calls": self.ledger.calls,
                    "defined": defined / max(1, molecules),
                    "kl": divergence,
                    "uniqueness": len(set(smiles) - {""}) / max(1, sum(map(bool, smiles))),
                    "predicted_gap": gap,
                }
            )
        self.steps += 1
        self.whole = True
        over = f" over {defined} of {molecules}" if defined < molecules else ""
        unit = f" {self.objective.unit}".rstrip()
        tau = f", tau {self.schedule.value:.2f}" if self.learner.tempered else ""
        return f"distance {mean_distance:.2f}{unit}{over}{tau}"

    def _drawn(self, share: range, seen: list[tuple[Tensor, Tensor | None, Key]] | None) -> Drawn:
        """A share of a batch of the network's; the logits of its decisions are added to ``seen``."""
        choose = self.learner.begin()

        def noted(logits: Tensor, mask: Tensor | None, key: Key) -> Tensor:
            if seen is not None:
                seen.append((logits.detach(), mask, key))
            return choose(logits, mask, key)

        used: Choose = choose if seen is None else noted
        key, count = self.key.fold_in(2).fold_in(self.steps).rows(share.start), len(share)
        given = None if self.part is None else self.part.given.rows(share.start, count)
        with torch.set_grad_enabled(self.learner.follows):
            return draw(self.network, count, key, mask=True, choose=used, given=given)

    def _descend(self, loss: Tensor) -> None:
        """One step of the optimiser."""
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        self.ranks.add_gradients(self.network)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()

    @property
    def teacher(self) -> PropertyTraining | None:
        """The property network, where there is one."""
        return self.learner.teacher

    def _decided(
        self, seen: list[tuple[Tensor, Tensor | None, Key]], drawn: Drawn
    ) -> tuple[float | None, float | None]:
        """Share of the soft draws of atoms and of bonds whose largest entry exceeds 0.9."""
        if not self.learner.tempered:
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
        atoms, bonds = [
            self.ranks.mean((one > DECIDED).float()) if self.ranks.total(len(one)) else None for one in found
        ]
        return atoms, bonds

    @property
    def _asked(self) -> list[str]:
        """The targets, and what all molecules are drawn on from."""
        return self.objective.text + ([] if self.part is None else self.part.text)

    def state_dict(self) -> dict[str, Any]:
        """All that an exact resume needs, in tensors and plain Python."""
        return {
            "network": self.network.state_dict(),
            "fitted": self.fitted.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "steps": self.steps,
            "seconds": self.seconds,
            "history": self.history,
            "targets": self._asked,
            "ledger": self.ledger.state_dict(),
            **self.learner.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state_dict``.

        Raises:
            KeyError, RuntimeError, ValueError: the state is of another steering run.
        """
        if state["targets"] != self._asked:
            raise ValueError(f"its targets are {' '.join(state['targets'])}")
        self.ledger.load_state_dict(state["ledger"])
        self.network.load_state_dict(state["network"])
        self.fitted.load_state_dict(state["fitted"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.steps, self.seconds = state["steps"], state["seconds"]
        self.history = list(state["history"])
        self.learner.load_state_dict(state)


def _mean(column: NDArray[np.float64]) -> float | None:
    """The mean of what is known; None where nothing is."""
    known = column[np.isfinite(column)]
    return float(known.mean()) if len(known) else None
