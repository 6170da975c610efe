"""Lightning's Trainer set up for a fit: budget, checkpoints that survive a kill, TensorBoard, processes."""

import logging
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.plugins import CheckpointIO
from lightning.pytorch.utilities import rank_zero_only

from softdraw._torch import multiplies_bfloat16
from softdraw.molecules.errors import CheckpointError
from softdraw.molecules.fitting.module import LikelihoodTraining
from softdraw.molecules.runtime.budget import CHECKPOINT_SECONDS
from softdraw.molecules.storage.tensors import read_state, write_state

__all__ = ["FIT_CHECKPOINT", "rank_of_this_process", "run_trainer"]

FIT_CHECKPOINT = "fit.ckpt"
"""Name of the checkpoint of a fit that has not ended, in the folder of the run."""


class CheckpointFiles(CheckpointIO):
    """Lightning's checkpoints as this package writes and reads files: whole or not there, never unpickled.

    Lightning asks its plugin whatever its version, so that no option of ``Trainer.fit`` is needed for it.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint; a kill leaves the old or the new one."""
        write_state(Path(path), checkpoint)

    def load_checkpoint(
        self, path: Any, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint of tensors and plain Python; anything else is refused."""
        return read_state(Path(path))

    def remove_checkpoint(self, path: Any) -> None:
        """Delete a checkpoint."""
        Path(path).unlink(missing_ok=True)


class _Checkpoints(pl.Callback):
    """Writes the whole state every now and then, and at the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.last = time.monotonic()

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *rest: Any) -> None:
        due = trainer.strategy.broadcast(time.monotonic() - self.last > CHECKPOINT_SECONDS)
        if due:
            self.write(trainer)

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.write(trainer)

    def write(self, trainer: pl.Trainer) -> None:
        trainer.save_checkpoint(self.path)
        self.last = time.monotonic()


def run_trainer(
    module: LikelihoodTraining, *, folder: Path | None, resume: bool, devices: int, strategy: str
) -> int:
    """Fit until the budget is spent, the loss stops falling or Ctrl-C is pressed.

    Args:
        module: the training; holds the result afterwards.
        folder: where the checkpoint and the TensorBoard log go; none are written without it.
        resume: go on from the checkpoint in ``folder`` when there is one.
        devices: processes on this machine.
        strategy: of Lightning, such as ``"auto"`` or ``"ddp"``.

    Returns:
        The rank of this process.

    Raises:
        CheckpointError: the checkpoint to resume from cannot be read or is of another model.
    """
    checkpoint = None if folder is None else folder / FIT_CHECKPOINT
    with _quiet():
        trainer = pl.Trainer(
            accelerator="cpu",
            devices=devices,
            strategy=strategy,
            precision=precision(),
            max_epochs=-1,
            val_check_interval=module.validate_every,
            check_val_every_n_epoch=None,
            num_sanity_val_steps=0,
            logger=False if folder is None else TensorBoardLogger(folder, name="tensorboard", version=""),
            log_every_n_steps=10,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            plugins=[CheckpointFiles()],
            callbacks=[] if checkpoint is None else [_Checkpoints(checkpoint)],
            use_distributed_sampler=False,
        )
        # Lightning takes the rank of its log from RANK or SLURM_PROCID, even where one process fits alone
        rank_zero_only.rank = int(trainer.global_rank)  # type: ignore[attr-defined]
        start = checkpoint if resume and checkpoint is not None and checkpoint.exists() else None
        try:
            trainer.fit(module, ckpt_path=start)
        except (RuntimeError, KeyError, ValueError, TypeError) as error:
            if start is None or module.began:
                raise
            raise CheckpointError(
                f"{start}: cannot go on from this checkpoint ({_first_line(error)})"
            ) from error
    return int(trainer.global_rank)


def rank_of_this_process(devices: int, strategy: str) -> int:
    """The rank that this process has, or will have, in a fit with these options.

    Args:
        devices: processes on this machine.
        strategy: of Lightning, such as ``"auto"`` or ``"ddp"``.
    """
    with _quiet():
        trainer = pl.Trainer(
            accelerator="cpu",
            devices=devices,
            strategy=strategy,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
    return int(trainer.global_rank)


def precision() -> Any:
    """bfloat16 products where the processor has instructions for them (twice as fast there), else float32."""
    return "bf16-mixed" if multiplies_bfloat16() else "32-true"


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0][:200]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Lightning's tips, which do not concern the user of softdraw, out of his terminal."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
