"""The fitting stage around Lightning's Trainer: sizes, initial weights, Ctrl-C, progress, the summary."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from softdraw.molecules.chemistry.vocabulary import Vocabulary
from softdraw.molecules.data.split import Parts
from softdraw.molecules.errors import CheckpointError
from softdraw.molecules.fitting.module import LikelihoodTraining
from softdraw.molecules.fitting.plan import PLAN_FILE, FitPlan, from_dict, plan_fit, to_dict
from softdraw.molecules.fitting.trainer import FIT_CHECKPOINT, run_trainer
from softdraw.molecules.model.network import GraphNetwork
from softdraw.molecules.model.sizes import NetworkOptions
from softdraw.molecules.model.transfer import take_over
from softdraw.molecules.runtime.budget import Budget
from softdraw.molecules.runtime.interrupts import StopOnInterrupt
from softdraw.molecules.runtime.progress import ProgressBar
from softdraw.molecules.runtime.threads import one_thread, threads_of_a_fit
from softdraw.molecules.storage.atomic import make_folder, write_json
from softdraw.molecules.storage.tensors import read_json
from softdraw.random import Key

__all__ = ["Fitted", "FittingOptions", "run_fitting"]

ENOUGH_EPOCHS = 3
"""Fewer epochs than this are called under-trained."""


@dataclass(frozen=True)
class FittingOptions:
    """How to learn; ``plan.plan_fit`` chooses what is None.

    Attributes:
        network: its sizes.
        batch_size: molecules of a batch.
        learning_rate: its peak.
        augment: share of batches in random atom orders.
        devices: processes on this machine.
        strategy: how they work together, as Lightning names it.
        start: a network to go on from, and its atom types.
    """

    network: NetworkOptions | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    augment: float | None = None
    devices: int = 1
    strategy: str = "auto"
    start: tuple[GraphNetwork, Vocabulary] | None = None


@dataclass(frozen=True)
class Fitted:
    """What a fit gave.

    Attributes:
        network: the best average of the weights.
        history: figures over time.
        summary: what was done, in plain Python.
        rank: of this process.
    """

    network: GraphNetwork
    history: list[dict[str, Any]]
    summary: dict[str, Any]
    rank: int


def run_fitting(
    parts: Parts,
    options: FittingOptions,
    budget: Budget,
    key: Key,
    *,
    folder: Path | None,
    resume: bool,
    progress: bool | None,
    say: Callable[[str], object] = lambda text: None,
) -> Fitted:
    """Fit until the budget is spent, the loss stops falling or Ctrl-C is pressed.

    Args:
        parts: the molecules.
        options: how to learn.
        budget: when to stop.
        key: of the initial weights and the order of the data.
        folder: where the checkpoint and the TensorBoard log go; none are written without it.
        resume: go on from the checkpoint in ``folder`` when there is one.
        progress: show a progress bar; None shows it on a terminal.
        say: is told what was chosen, and why.

    Returns:
        The network and what was done.

    Raises:
        CheckpointError: the checkpoint to go on from is damaged or of another run.
        OutputError: the checkpoint cannot be written.
    """
    plan = _plan(parts, options, budget, folder, resume)
    say(plan.why)
    threads = threads_of_a_fit(plan.network.width)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(key.fold_in(2).seed % 2**63)
        vocabulary, most = parts.train.vocabulary, parts.max_atoms
        if options.start is not None:
            most = max(most, options.start[0].max_atoms)
        network = GraphNetwork(vocabulary.valences, most, plan.network)
    if options.start is not None:
        take_over(network, vocabulary, *options.start)
    with StopOnInterrupt() as stop, ProgressBar("fit", progress) as bar, one_thread():
        module = LikelihoodTraining(
            network,
            parts.train,
            parts.validation,
            budget,
            batch_size=plan.batch_size,
            learning_rate=plan.learning_rate,
            augment=plan.augment,
            optimizer=plan.optimizer,
            threads=threads,
            seed=key.fold_in(3).seed,
            on_step=bar.update,
            should_stop=lambda: stop.requested,
        )
        rank = run_trainer(
            module, folder=folder, resume=resume, devices=options.devices, strategy=options.strategy
        )
    epochs = module.steps / module.per_epoch
    summary = {
        "budget": str(budget),
        "seconds": module.seconds,
        "epochs": epochs,
        "steps": module.steps,
        "batch_size": plan.batch_size,
        "learning_rate": plan.learning_rate,
        "augment": plan.augment,
        "optimizer": plan.optimizer,
        "network": plan.name,
        "plan": plan.why,
        "loss": next((e["loss"] for e in reversed(module.history) if e["loss"] is not None), None),
        "validation_loss": module.best_loss if module.validated else None,
        "parameters": sum(weight.numel() for weight in network.parameters()),
        "stopped_early": module.stopped_early,
        "interrupted": module.interrupted,
        "under_trained": epochs < ENOUGH_EPOCHS and not module.stopped_early,
        "processes": options.devices,
    }
    return Fitted(module.best.requires_grad_(True), module.history, summary, rank)


def _plan(
    parts: Parts, options: FittingOptions, budget: Budget, folder: Path | None, resume: bool
) -> FitPlan:
    """What is chosen for these data and this budget; a fit that goes on keeps what it had.

    Raises:
        CheckpointError: the fit to go on with has another network than the one asked for.
    """
    kept = None if folder is None else folder / PLAN_FILE
    chosen = {name: getattr(options, name) for name in ("batch_size", "learning_rate", "augment")}
    sizes = options.network
    if resume and kept is not None and kept.exists():
        before = from_dict(read_json(kept))
        sizes = before.network
        if options.network not in (None, sizes):
            raise CheckpointError(
                f"{kept.parent / FIT_CHECKPOINT}: is of a {before.name} network of {sizes}, and "
                f"{options.network} was asked for"
            )
        chosen = {name: getattr(before, name) if new is None else new for name, new in chosen.items()}
    elif options.start is not None:
        sizes = options.start[0].options
        if options.network not in (None, sizes):
            raise ValueError(
                f"network: got {options.network}, expected None, or {sizes}, where the fit starts"
            )
    # of a fit that goes on too, whose reasons name the budget that it has now
    plan = plan_fit(
        len(parts.train),
        parts.max_atoms,
        budget,
        network=sizes,
        fitted=options.start is not None,
        **chosen,
    )
    if kept is not None:
        make_folder(kept.parent)
        write_json(kept, to_dict(plan))
    return plan
