"""The fitting stage around Lightning's Trainer: sizes, initial weights, Ctrl-C, progress, the summary."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from softdraw.molecules.data.batches import batch_size_for
from softdraw.molecules.data.split import Parts
from softdraw.molecules.fitting.module import LikelihoodTraining
from softdraw.molecules.fitting.trainer import run_trainer
from softdraw.molecules.model.network import GraphNetwork, NetworkOptions
from softdraw.molecules.runtime.budget import Budget
from softdraw.molecules.runtime.interrupts import StopOnInterrupt
from softdraw.molecules.runtime.progress import ProgressBar
from softdraw.molecules.runtime.threads import threads_for
from softdraw.random import Key

__all__ = ["Fitted", "FittingOptions", "run_fitting"]

ENOUGH_EPOCHS = 3
"""Fewer epochs than this are called under-trained."""


@dataclass(frozen=True)
class FittingOptions:
    """How to learn.

    Attributes:
        network: its sizes.
        batch_size: molecules of a batch; None chooses by the size of the molecules.
        learning_rate: its peak.
        augment: share of batches in random atom orders.
        devices: processes on this machine.
        strategy: how they work together, as Lightning names it.
    """

    network: NetworkOptions
    batch_size: int | None
    learning_rate: float
    augment: float
    devices: int = 1
    strategy: str = "auto"


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

    Returns:
        The network and what was done.

    Raises:
        CheckpointError: the checkpoint to go on from is damaged or of another run.
        OutputError: the checkpoint cannot be written.
    """
    size = options.batch_size or batch_size_for(len(parts.train), parts.max_atoms)
    width = options.network.width
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(key.fold_in(2).seed % 2**63)
        network = GraphNetwork(parts.train.vocabulary.valences, parts.max_atoms, options.network)
    with StopOnInterrupt() as stop, ProgressBar("fit", progress) as bar, threads_for(width):
        module = LikelihoodTraining(
            network,
            parts.train,
            parts.validation,
            budget,
            batch_size=size,
            learning_rate=options.learning_rate,
            augment=options.augment,
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
        "batch_size": size,
        "loss": next((e["loss"] for e in reversed(module.history) if e["loss"] is not None), None),
        "validation_loss": module.best_loss if module.validated else None,
        "parameters": sum(weight.numel() for weight in network.parameters()),
        "stopped_early": module.stopped_early,
        "interrupted": module.interrupted,
        "under_trained": epochs < ENOUGH_EPOCHS and not module.stopped_early,
        "processes": options.devices,
    }
    return Fitted(module.best.requires_grad_(True), module.history, summary, rank)
