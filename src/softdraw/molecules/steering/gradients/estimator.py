"""Which gradient estimators can steer, and the learner of each."""

from collections.abc import Iterable
from typing import cast

import numpy as np
from torch import Tensor

import softdraw.estimators as estimators
from softdraw.molecules.data.graphs import GraphSet
from softdraw.molecules.errors import TargetError
from softdraw.molecules.model.network import GraphNetwork
from softdraw.molecules.runtime.ranks import ALONE, Ranks
from softdraw.molecules.runtime.remarks import remark
from softdraw.molecules.steering.gradients.control_variate import ControlVariate
from softdraw.molecules.steering.gradients.critic import WithCritic
from softdraw.molecules.steering.gradients.learner import Learner
from softdraw.molecules.steering.gradients.log_variance import LogVariance
from softdraw.molecules.steering.gradients.memory import Memory
from softdraw.molecules.steering.gradients.pathwise import Pathwise
from softdraw.molecules.steering.gradients.prediction import Prediction, learned_places
from softdraw.molecules.steering.gradients.property_training import PropertyTraining
from softdraw.molecules.steering.gradients.score_function import ScoreFunction
from softdraw.molecules.steering.objectives import Objective
from softdraw.molecules.steering.options import SteerOptions
from softdraw.molecules.steering.targets import Target
from softdraw.random import Key

__all__ = [
    "BLACK_BOX",
    "CONTROL_VARIATE",
    "CRITIC",
    "LOG_VARIANCE",
    "SCORE_FUNCTION",
    "check_estimator",
    "check_gradients",
    "learner_of",
    "steering_estimators",
]

SCORE_FUNCTION = "reinforce"
"""The score function with a baseline (see ``score_function``)."""
CONTROL_VARIATE = "control-variate"
"""The score function with a property network as control variate (see ``control_variate``)."""
CRITIC = "reinforce-critic"
"""The score function with a baseline for each decision (see ``critic``)."""
LOG_VARIANCE = "log-variance"
"""What a network should draw compared with what it does (see ``log_variance``)."""
BLACK_BOX = (LOG_VARIANCE, SCORE_FUNCTION, CRITIC)
"""Those that take properties as they come, and need no property network."""


def steering_estimators() -> list[str]:
    """Names that a steering takes: its own, and those of estimators that give a differentiable sample."""
    usable = [*BLACK_BOX, CONTROL_VARIATE]
    for known in estimators.names():
        one = estimators.get(known)
        if isinstance(one, estimators.TensorEstimator) and not one.binary:
            usable.append(known)
    return usable


def check_estimator(name: str) -> None:
    """See that an estimator can steer.

    Raises:
        ValueError: there is none of that name, or it needs the cost as a function.
    """
    usable = steering_estimators()
    if name not in usable:
        raise ValueError(f"estimator: got {name!r}, expected one of {', '.join(usable)}")


def check_gradients(name: str, targets: Iterable[Target]) -> None:
    """See that an estimator can follow the targets.

    Raises:
        TargetError: one is a step, whose gradient is 0 wherever it has one, and the estimator follows that.

    Example:
        >>> check_gradients("reinforce", [Target("qed", "step(0.6)")])
    """
    flat = [target for target in targets if not target.aim.has_gradient]
    if flat and name not in (*BLACK_BOX, CONTROL_VARIATE):
        raise TargetError(
            f"target {flat[0]}: a step has no gradient, which the estimator {name} follows; expected a "
            f"sigmoid, or one of the estimators {', '.join((*BLACK_BOX, CONTROL_VARIATE))}"
        )


def learner_of(
    name: str,
    network: GraphNetwork,
    fitted: GraphNetwork,
    graphs: GraphSet,
    labels: np.ndarray,
    objective: Objective,
    options: SteerOptions,
    tau: Tensor,
    key: Key,
    *,
    from_part: bool = False,
    ranks: Ranks = ALONE,
) -> Learner:
    """The learner of a steering.

    Args:
        name: of the estimator.
        network: that is steered.
        fitted: the network that the divergence is taken to.
        graphs: real molecules, for a property network.
        labels: properties of them, ``[molecules, targets]``.
        objective: the targets.
        options: settings.
        tau: the temperature, which the schedule changes in place.
        key: of the steering.
        from_part: whether all is drawn on from a part, as the molecules of the data are not.
        ranks: that share every batch.

    Raises:
        ValueError: no such estimator, or one that takes one process and several are there.
    """
    check_estimator(name)
    if ranks.count > 1 and name in (CRITIC, CONTROL_VARIATE):
        raise ValueError(
            f"estimator: got {name} on {ranks.count} ranks, expected one of those that share a batch: "
            f"{LOG_VARIANCE}, {SCORE_FUNCTION}, and those of softdraw.estimators"
        )
    if name != LOG_VARIANCE and (options.offspring or options.screen > 1):
        remark(f"offspring, screen: {name} evaluates what the network draws; {LOG_VARIANCE} takes these two")
    if name == SCORE_FUNCTION:
        return ScoreFunction(fitted, objective, options.divergence)
    if name == CRITIC:
        rate = options.property_rate
        return WithCritic(fitted, objective, options.divergence, learning_rate=rate, key=key.fold_in(5))
    if name == LOG_VARIANCE:
        memory = Memory(graphs.vocabulary, network.max_atoms, options.memory)
        learner = LogVariance(network, fitted, objective, options, memory, key.fold_in(3), ranks)
        if len(labels) and not from_part:
            learner.remember(graphs.smiles, objective.costs(labels))
        return learner
    learned = learned_places(objective)
    teacher = None
    if learned:
        teacher = PropertyTraining(
            graphs,
            labels[:, learned],
            key.fold_in(1),
            atoms=network.max_atoms,
            batch_size=options.batch_size,
            learning_rate=options.property_rate,
            steps=options.property_steps,
            updates=options.property_updates,
            # a score that is 0 for all of these has no scale of its own
            spreads=[objective.targets[place].record.spread for place in learned],
        )
    symbols = [kind.symbol for kind in graphs.vocabulary.types]
    if name == CONTROL_VARIATE:
        return ControlVariate(
            network,
            fitted,
            objective,
            Prediction(objective, symbols, teacher),
            options.divergence,
            free=options.free_draws * options.batch_size,
            updates=options.pathwise_updates,
            batch_size=options.batch_size,
            key=key.fold_in(6),
        )
    with_tau = estimators.get(name, tau=tau) if estimators.get(name).default_tau else estimators.get(name)
    one_hots = cast(estimators.TensorEstimator, with_tau)
    return Pathwise(
        fitted,
        objective,
        symbols,
        one_hots,
        teacher,
        options.divergence,
        network=network,
        updates=options.pathwise_updates,
        batch_size=options.batch_size,
        key=key.fold_in(4),
        ranks=ranks,
    )
