"""Maximum likelihood of whole graphs with teacher forcing, run by Lightning's Trainer."""

import copy
import math
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor

from softdraw._torch import move_averages
from softdraw.molecules.data.batches import Batches
from softdraw.molecules.data.graphs import GraphSet
from softdraw.molecules.fitting.gradients import GradientThreads
from softdraw.molecules.fitting.optimizers import optimizers_of
from softdraw.molecules.model.likelihood import log_likelihood
from softdraw.molecules.model.network import GraphNetwork
from softdraw.molecules.runtime.budget import Budget

__all__ = ["LikelihoodTraining"]

VALIDATION_BATCH = 500
"""Molecules in one validation batch."""
WARM_UP = 100
"""Steps over which the learning rate rises."""
FINAL_RATE = 0.01
"""Share of the learning rate that is left when the budget is spent."""
LARGEST_GRADIENT = 1.0
"""Norm to which a larger gradient is cut."""
LONGEST_AVERAGE = 0.999
"""Largest decay of the weight average, whose horizon otherwise is a tenth of the steps so far."""


class LikelihoodTraining(pl.LightningModule):
    """Fits a network to graphs: cosine learning rate over the budget, weights averaged exponentially.

    The average is what is validated and kept. Everything that a later session needs to go on exactly is in
    the module's state: the average, the best average so far, the seconds used, the history.

    Args:
        network: trained in place.
        train: graphs to learn from.
        validation: graphs to judge by; the training graphs themselves where there are too few to part, and
            then no figure is called a validation.
        budget: when to stop, and what the learning rate falls over.
        batch_size: molecules of a batch, over all processes.
        learning_rate: its peak.
        optimizer: one of ``optimizers.OPTIMIZERS``.
        augment: share of batches in random atom orders.
        seed: of the order of the data.
        patience: validations without improvement before an early stop.
        threads: that share a batch; several processes use one each.
        on_step: called after every step with the share of the budget and the figures to show.
        should_stop: asked after every step.
    """

    def __init__(
        self,
        network: GraphNetwork,
        train: GraphSet,
        validation: GraphSet,
        budget: Budget,
        *,
        batch_size: int,
        learning_rate: float = 2e-3,
        optimizer: str = "adamw",
        augment: float = 0.0,
        seed: int = 0,
        patience: int = 10,
        threads: int = 1,
        on_step: Callable[[float, str], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False  # Lightning's own backward knows no threads
        self.network = network
        if augment:  # without other orders nothing is learned of parts, and what was known is kept
            network.knows_parts.fill_(augment < 1)
        self.average = copy.deepcopy(network).requires_grad_(False)
        self.best = copy.deepcopy(network).requires_grad_(False)
        self.graphs, self.validation, self.budget = train, validation, budget
        self.validated = validation is not train
        self.batch_size, self.learning_rate, self.optimizer = batch_size, learning_rate, optimizer
        self.augment, self.seed, self.patience = augment, seed, patience
        self.on_step, self.should_stop = on_step, should_stop
        self.seconds = 0.0
        self.steps = 0
        self.history: list[dict[str, float | int | None]] = []
        self.best_loss = math.inf
        self.waited = 0
        self.stopped_early = False
        self.interrupted = False
        self.began = False
        self._began = 0.0
        self._losses: list[Tensor] = []
        self._judged: list[Tensor] = []
        self.threads = threads
        self._gradients: GradientThreads | None = None

    @property
    def per_epoch(self) -> int:
        """Steps of an epoch."""
        return Batches(self.graphs, self.batch_size, self.seed).per_epoch

    @property
    def validate_every(self) -> int:
        """Steps between validations: an epoch, but at least 25 and at most 250 steps."""
        every = min(250, max(25, self.per_epoch))
        return every if self.budget.steps is None else min(every, self.budget.steps)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Over the network; the averages have no gradient."""
        return optimizers_of(self.network, self.optimizer, self.learning_rate, self._share)

    def _share(self, function: Callable[[Any], object], parts: Iterable[Any]) -> None:
        """Call a function with each part, on the threads of the fit."""
        each = map if self._gradients is None else self._gradients.map
        list(each(function, parts))

    def train_dataloader(self) -> Batches:
        """Batches of this process from the present step on."""
        return Batches(
            self.graphs,
            self.batch_size,
            self.seed,
            self.augment,
            start=self.steps,
            rank=self.global_rank,
            world=self.trainer.world_size,
        )

    def val_dataloader(self) -> "_Validation":
        """Validation molecules of this process."""
        return _Validation(
            self.validation,
            self.global_rank,
            self.trainer.world_size,
            self.seed if self.augment == 1 else None,
        )

    def on_train_start(self) -> None:
        """Set the clock to go on where the checkpoint left it."""
        self.began = True
        if self.threads > 1 and self.trainer.world_size == 1:
            context = self.trainer.precision_plugin.forward_context
            self._gradients = GradientThreads(self.threads, context)
        self._began = time.monotonic() - self.seconds
        if self.budget.progress(self.steps, self.seconds) >= 1 or self.waited >= self.patience:
            self.trainer.should_stop = True  # resumed after its end

    def on_train_end(self) -> None:
        """Judge the last average too, unless the last step was a validation step."""
        if self._gradients is not None:
            self._gradients.close()
        if self.steps and (not self.history or self.history[-1]["step"] != self.steps):
            with torch.no_grad():
                for number, batch in enumerate(self.val_dataloader()):
                    self.validation_step(batch, number)
            self.on_validation_epoch_end()

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Set the learning rate: a linear rise, then a cosine over the budget."""
        done = min(1.0, self.budget.progress(self.steps, self.seconds))
        rate = FINAL_RATE + (1 - FINAL_RATE) * (1 + math.cos(math.pi * done)) / 2
        rate *= min(1.0, (self.steps + 1) / WARM_UP)
        for group in (group for one in self.trainer.optimizers for group in one.param_groups):
            group["lr"] = group["peak"] * rate

    def training_step(self, batch: tuple[Tensor, Tensor, int, bool], batch_idx: int) -> None:
        """A step on the negative log-likelihood of a batch, in nats a molecule."""
        types, bonds, whole, other = batch
        optimizers: Any = self.optimizers(use_pl_optimizer=True)
        optimizers = optimizers if isinstance(optimizers, list) else [optimizers]
        # Every process divides by the whole batch and DDP averages over processes: one process's gradient.
        share = self.trainer.world_size / whole

        def loss(types: Tensor, bonds: Tensor) -> Tensor:
            return -log_likelihood(self.network, types, bonds, from_part=other).sum() * share

        if self._gradients is None:
            self.network.zero_grad()
            value = loss(types, bonds)
            self.manual_backward(value)
        else:
            value = self._gradients(loss, list(self.network.parameters()), (types, bonds))
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), LARGEST_GRADIENT)
        for optimizer in optimizers:
            optimizer.step()
        self._losses.append(value.detach())

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Update the average and the clock, and stop when the budget is spent."""
        self.steps += 1
        decay = min(LONGEST_AVERAGE, self.steps / (self.steps + 10))
        with torch.no_grad():
            move_averages(list(self.average.parameters()), list(self.network.parameters()), 1 - decay)
        # One clock for all processes: they must agree on the learning rate and on when to stop.
        self.seconds = self._agreed(time.monotonic() - self._began)
        done = self.budget.progress(self.steps, self.seconds)
        self.interrupted = self._agreed(float(self.should_stop is not None and self.should_stop())) > 0
        if done >= 1 or self.interrupted:
            self.trainer.should_stop = True
        if self.on_step is not None and self.steps % 5 == 0:
            loss = f"loss {float(self._losses[-1]):.2f}"
            best = (
                f", validation {self.best_loss:.2f}" if self.validated and self.best_loss < math.inf else ""
            )
            self.on_step(done, f"{loss}{best} nats a molecule")

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Judge the averaged weights."""
        types, bonds = batch
        # with more processes than molecules one has none, and still takes part in the sum
        loss = -log_likelihood(self.average, types, bonds).sum() if len(types) else torch.zeros(())
        self._judged.append(torch.stack((loss.double(), torch.tensor(float(len(types)), dtype=torch.double))))

    def on_validation_epoch_end(self) -> None:
        """Bring the processes' sums together."""
        total = torch.stack(self._judged).sum(0) if self._judged else torch.zeros(2, dtype=torch.double)
        self._judged.clear()
        total = self._summed(total)
        self.finish_interval(float(total[0] / total[1]))

    def finish_interval(self, validation_loss: float) -> None:
        """Write a line of history, keep the average if it is the best so far, stop when none is for long."""
        loss = (
            self._summed(torch.stack(self._losses).mean()) / self.trainer.world_size if self._losses else None
        )
        self._losses.clear()
        rate = self.trainer.optimizers[0].param_groups[0]["lr"]  # that of AdamW
        entry = {
            "step": self.steps,
            "seconds": round(self.seconds, 3),
            "loss": None if loss is None else float(loss),
            "validation_loss": validation_loss if self.validated else None,
            "learning_rate": float(rate),
        }
        self.history.append(entry)
        for logger in self.loggers:
            logger.log_metrics({k: v for k, v in entry.items() if isinstance(v, float)}, self.steps)
        if validation_loss < self.best_loss:
            self.best_loss, self.waited = validation_loss, 0
            self.best.load_state_dict(self.average.state_dict())
        else:
            self.waited += 1
            if self.waited >= self.patience:
                self.stopped_early = self.trainer.should_stop = True

    def _agreed(self, value: float) -> float:
        """The value of process 0, everywhere."""
        if self.trainer.world_size == 1:
            return value
        return float(self.trainer.strategy.broadcast(value))

    def _summed(self, value: Tensor) -> Tensor:
        """The sum over processes, everywhere."""
        if self.trainer.world_size == 1:
            return value
        total: Tensor = self.trainer.strategy.reduce(value, reduce_op="sum")
        return total

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what Lightning does not know of."""
        checkpoint["fit"] = {
            "seconds": self.seconds,
            "steps": self.steps,
            "history": self.history,
            "best_loss": self.best_loss,
            "waited": self.waited,
            "losses": [float(loss) for loss in self._losses],
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on from what ``on_save_checkpoint`` added."""
        kept = checkpoint["fit"]
        self.seconds, self.steps, self.history = kept["seconds"], kept["steps"], list(kept["history"])
        self.best_loss, self.waited = kept["best_loss"], kept["waited"]
        self._losses = [torch.tensor(loss) for loss in kept["losses"]]


class _Validation:
    """The validation molecules in batches, each process its share, in one order per molecule."""

    def __init__(self, graphs: GraphSet, rank: int, world: int, walk_seed: int | None) -> None:
        self.graphs, self.walk_seed = graphs, walk_seed
        self.mine = np.arange(len(graphs))[rank::world]
        self.largest_share = math.ceil(len(graphs) / world)

    def __len__(self) -> int:
        """Batches, the same on all ranks."""
        return math.ceil(self.largest_share / VALIDATION_BATCH)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for number in range(len(self)):
            chosen = self.mine[number * VALIDATION_BATCH : (number + 1) * VALIDATION_BATCH]
            walk = None if self.walk_seed is None else np.random.default_rng([self.walk_seed % 2**64, number])
            yield self.graphs.dense(chosen, walk)
