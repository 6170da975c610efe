"""Steering: the network draws molecules freely, and the targets send gradients back through those draws.

The loss is the distance to the targets plus a Kullback-Leibler term to the fitted network, which keeps what was
learned from data and with it diversity:

    L = E[cost(z)] + beta * E[sum over decisions of KL(p(. | earlier) || p_fitted(. | earlier))]

The first term's gradient comes from the chosen estimator: one that returns a differentiable one-hot is followed
through a property network (or an exact sum) and every draw; ``reinforce`` asks RDKit itself for the cost and weighs
the score function with it, less the mean cost of the other graphs of the batch (Williams 1992; Kool et al. 2019).
"""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

import softdraw.estimators as estimators
from softdraw.functional import gumbel_max, gumbel_softmax
from softdraw.molecules.budget import Budget
from softdraw.molecules.codec import decode_batch
from softdraw.molecules.drawing import Choose, Drawn, draw
from softdraw.molecules.graphs import GraphSet
from softdraw.molecules.likelihood import decisions_of
from softdraw.molecules.network import BOND_ORDERS, GraphNetwork, one_hot
from softdraw.molecules.objectives import ADDITIVE, Objective
from softdraw.molecules.prefix import prefix_features
from softdraw.molecules.property_network import PropertyNetwork
from softdraw.random import Key
from softdraw.schedules import Exponential

__all__ = ["SCORE_FUNCTION", "SteerOptions", "Steering"]

SCORE_FUNCTION = "reinforce"
"""The estimator that treats RDKit as a black box."""
SCHEDULE_STEPS = 1000
"""Steps of the temperature schedule over the whole budget, whatever number of optimiser steps fits into it."""
DECIDED = 0.9
"""A soft draw counts as decided when its largest entry exceeds this."""


@dataclass(frozen=True)
class SteerOptions:
    """Settings of a steering run.

    Attributes:
        batch_size: graphs drawn in a step.
        learning_rate: peak of Adam's, which falls to a tenth along a cosine.
        divergence: ``beta``, the price of a nat of divergence from the fitted network, in standard deviations.
        tau: first and last temperature of the exponential schedule.
        property_steps: steps on real molecules before steering, when there is a property network.
        property_rate: learning rate of the property network.
    """

    batch_size: int = 128
    learning_rate: float = 5e-4
    divergence: float = 0.03
    tau: tuple[float, float] = (1.0, 0.3)
    property_steps: int = 400
    property_rate: float = 2e-3
    record_every: int = 10


class Steering:
    """One steering run: state, steps, and what a checkpoint needs.

    Args:
        network: steered in place; its present weights are the fitted network that the divergence is taken to.
        graphs: real molecules, for the property network.
        labels: RDKit's properties of them, ``[molecules, targets]``.
        objective: the targets.
        estimator: a name of ``softdraw.estimators`` that returns a differentiable one-hot, or ``"reinforce"``.
        budget: when to stop; the temperature and the learning rate fall over it.
        key: of all noise.
        options: settings.
    """

    def __init__(
        self,
        network: GraphNetwork,
        graphs: GraphSet,
        labels: np.ndarray,
        objective: Objective,
        estimator: str,
        budget: Budget,
        key: Key,
        options: SteerOptions | None = None,
    ) -> None:
        self.network, self.graphs, self.objective, self.budget = network, graphs, objective, budget
        self.options = options = options or SteerOptions()
        self.fitted = copy.deepcopy(network).requires_grad_(False)
        self.key = key
        first, last = options.tau
        self.schedule = Exponential(first, last, math.log(first / last) / SCHEDULE_STEPS)
        self.pathwise = estimator != SCORE_FUNCTION
        self.estimator = estimators.get(estimator, tau=self.schedule.tau) if self.pathwise else None
        self.optimizer = torch.optim.Adam(network.parameters(), lr=options.learning_rate, betas=(0.9, 0.98))
        self.symbols = [kind.symbol for kind in graphs.vocabulary.types]
        self.learned = [k for k, target in enumerate(objective.targets) if target.property not in ADDITIVE]
        self.predictor: PropertyNetwork | None = None
        if self.pathwise and self.learned:
            self.labels = torch.from_numpy(labels[:, self.learned]).float()
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(key.fold_in(1).seed % 2**63)
                self.predictor = PropertyNetwork(graphs.vocabulary.valences, len(self.learned))
            self.predictor.mean.copy_(self.labels.mean(0))
            self.predictor.std.copy_(self.labels.std(0).clamp(min=1e-6))
            self.property_optimizer = torch.optim.AdamW(self.predictor.parameters(), lr=options.property_rate)
        self.warmed = 0
        self.steps = 0
        self.seconds = 0.0
        self.history: list[dict[str, float | int | None]] = []

    # -- the property network ------------------------------------------------------------------------------------

    def warm_up(self, should_stop: Callable[[], bool]) -> None:
        """Train the property network on real molecules, so that its first gradients mean something."""
        while self.predictor is not None and self.warmed < self.options.property_steps and not should_stop():
            share = self.warmed / self.options.property_steps
            self._learn_properties(*self._real(self.warmed), rate=1 - 0.8 * share)
            self.warmed += 1

    def _real(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        rng = np.random.default_rng([self.key.seed, step])
        chosen = rng.integers(0, len(self.graphs), self.options.batch_size)
        types, bonds = self.graphs.dense(chosen, atoms=self.network.max_atoms)
        return types, bonds, self.labels[torch.from_numpy(chosen)]

    def _learn_properties(self, types: Tensor, bonds: Tensor, labels: Tensor, rate: float) -> float:
        """One step on given graphs; returns the mean error in standard deviations before it."""
        assert self.predictor is not None
        dtype = self.network.start.dtype
        there = one_hot(types, self.network.types, dtype)
        predicted = self.predictor(there, one_hot(bonds, BOND_ORDERS, dtype))
        known = torch.isfinite(labels)
        error = torch.where(known, (predicted - labels.nan_to_num()).abs() / self.predictor.std, 0.0)
        loss = error.sum() / known.sum().clamp(min=1)
        self.property_optimizer.param_groups[0]["lr"] = self.options.property_rate * rate
        self.property_optimizer.zero_grad()
        loss.backward()
        self.property_optimizer.step()
        return float(loss.detach())

    # -- one step ------------------------------------------------------------------------------------------------

    def step(self) -> str:
        """Draw a batch, take one optimiser step, return figures to show."""
        record = self.steps % self.options.record_every == 0
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
        values = self.objective.properties(smiles)
        divergence = self.divergence(drawn)
        if self.pathwise:
            cost = self.objective.cost(self._predict(drawn))
            loss = cost.mean()
        else:
            cost = self.objective.cost(torch.from_numpy(values).float())
            cost = cost.nan_to_num(float(cost.nan_to_num(0.0).max()))
            baseline = (cost.sum() - cost) / max(1, len(cost) - 1)
            loss = ((cost - baseline) * torch.stack(log_probability).sum(0)).mean()
        self.optimizer.zero_grad()
        (loss + self.options.divergence * divergence.mean()).backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.param_groups[0]["lr"] = self.options.learning_rate * self._rate()
        self.optimizer.step()
        gap = None
        if self.predictor is not None:
            # Labels of what is drawn now: the network must not be right on data only, or it would be exploited.
            drawn_labels = torch.from_numpy(values[:, self.learned]).float()
            gap = self._learn_properties(drawn.types, drawn.bonds, drawn_labels, rate=0.2)
            self._learn_properties(*self._real(self.warmed + self.steps), rate=0.2)
        distances = self.objective.distances(values)
        mean_distance = float(np.nanmean(distances)) if np.isfinite(distances).any() else math.nan
        if record:
            atoms, bonds = self._decided(seen)
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
                    "kl": float(divergence.detach().mean()),
                    "uniqueness": len(set(smiles) - {""}) / max(1, sum(map(bool, smiles))),
                    "predicted_gap": gap,
                }
            )
        self.steps += 1
        return f"distance {mean_distance:.2f} standard deviations, tau {self.schedule.value:.2f}"

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
            return F.one_hot(index.clamp(min=0), logits.shape[-1]).to(logits.dtype)

        return choose

    def _predict(self, drawn: Drawn) -> Tensor:
        """Properties ``[B, targets]`` with gradients to the draws."""
        predicted = None
        if self.predictor is not None:
            predicted = self.predictor(drawn.kinds, drawn.orders)
        columns = []
        for k, target in enumerate(self.objective.targets):
            if target.property in ADDITIVE:
                columns.append(ADDITIVE[target.property](drawn.kinds, drawn.orders, self.symbols))
            else:
                assert predicted is not None
                columns.append(predicted[:, self.learned.index(k)])
        return torch.stack(columns, 1)

    def divergence(self, drawn: Drawn) -> Tensor:
        """KL ``[B]`` in nats from the fitted network, summed over the decisions of each drawn graph."""
        with torch.no_grad():
            features = prefix_features(drawn.types, drawn.bonds, self.network.valences)
            type_logits, bond_logits = self.fitted(drawn.types, drawn.bonds, features)
        made = decisions_of(drawn.types, drawn.bonds, self.network)
        kinds = _divergence(drawn.type_logits, type_logits[:, :-1]) * (made.types[:, :-1] >= 0)
        orders = _divergence(drawn.bond_logits, bond_logits) * (made.bonds >= 0)
        return kinds.sum(1) + orders.sum(1)

    def _decided(self, seen: list[tuple[Tensor, Tensor | None, Key]]) -> tuple[float | None, float | None]:
        """Share of the soft draws of atoms and of bonds whose largest entry exceeds 0.9."""
        if not self.pathwise:
            return None, None
        shares = []
        for classes in (self.network.types + 1, BOND_ORDERS):
            largest = []
            for logits, mask, key in seen:
                if logits.shape[-1] == classes:
                    soft = gumbel_softmax(logits, self.schedule.tau, mask=mask, key=key).amax(-1)
                    largest.append(soft[soft > 0])
            found = torch.cat(largest) if largest else torch.zeros(0)
            shares.append(float((found > DECIDED).float().mean()) if len(found) else None)
        return shares[0], shares[1]

    def _rate(self) -> float:
        """Share of the learning rate: a short rise, then a cosine to a tenth."""
        done = min(1.0, self.budget.progress(self.steps, self.seconds))
        return min(1.0, (self.steps + 1) / 10) * (0.1 + 0.9 * (1 + math.cos(math.pi * done)) / 2)

    # -- the run -------------------------------------------------------------------------------------------------

    def run(
        self,
        should_stop: Callable[[], bool] = lambda: False,
        on_step: Callable[[float, str], None] = lambda share, figures: None,
        checkpoint: Callable[[], None] = lambda: None,
    ) -> bool:
        """Steer until the budget is spent.

        Args:
            should_stop: asked before every step.
            on_step: told the share of the budget and figures to show.
            checkpoint: called after every step; it decides itself whether to write.

        Returns:
            True when the budget was spent, False when it was stopped.
        """
        began = time.monotonic() - self.seconds
        self.network.train()
        self.warm_up(should_stop)
        while not should_stop():
            self.seconds = time.monotonic() - began
            done = self.budget.progress(self.steps, self.seconds)
            if done >= 1 and self.steps:
                return True
            self.schedule.step(max(0, int(min(1.0, done) * SCHEDULE_STEPS) - self.schedule.step_count))
            figures = self.step()
            on_step(done, figures)
            checkpoint()
        return False

    def state_dict(self) -> dict[str, Any]:
        """All that an exact resume needs, in tensors and plain Python."""
        state: dict[str, Any] = {
            "network": self.network.state_dict(),
            "fitted": self.fitted.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "warmed": self.warmed,
            "steps": self.steps,
            "seconds": self.seconds,
            "history": self.history,
        }
        if self.predictor is not None:
            state["predictor"] = self.predictor.state_dict()
            state["property_optimizer"] = self.property_optimizer.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state_dict``.

        Raises:
            KeyError, RuntimeError, ValueError: the state is of another steering run.
        """
        self.network.load_state_dict(state["network"])
        self.fitted.load_state_dict(state["fitted"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.warmed, self.steps, self.seconds = state["warmed"], state["steps"], state["seconds"]
        self.history = list(state["history"])
        if self.predictor is not None:
            self.predictor.load_state_dict(state["predictor"])
            self.property_optimizer.load_state_dict(state["property_optimizer"])


def _divergence(logits: Tensor, reference: Tensor) -> Tensor:
    """KL(softmax(logits) || softmax(reference)) along the last dim."""
    log_p, log_q = logits.log_softmax(-1), reference.log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)
