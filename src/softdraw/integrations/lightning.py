"""Callbacks of a Lightning ``Trainer``: a temperature that falls, is logged and checkpointed, and a log of
the gradient of a discrete layer.
"""

from typing import TYPE_CHECKING, Any, Literal, get_args

from torch import nn

from softdraw.arguments import read_choice, read_count, wrong_type, wrong_value
from softdraw.diagnostics import GradientMonitor
from softdraw.schedules import Resumable, Schedule

if TYPE_CHECKING:
    from lightning.pytorch import Callback, LightningModule, Trainer
else:
    try:
        from lightning.pytorch import Callback, LightningModule, Trainer
    except ImportError:
        try:
            from pytorch_lightning import Callback, LightningModule, Trainer
        except ImportError as error:
            raise ImportError(
                "softdraw.integrations.lightning needs lightning: pip install lightning"
            ) from error

Every = Literal["step", "epoch"]

__all__ = ["GradientMonitorCallback", "TemperatureCallback"]


class TemperatureCallback(Callback):
    """Steps a schedule after each optimizer step (or epoch), logs it, and keeps it in the checkpoint.

    With ``accumulate_grad_batches`` only the batches count on which the optimizer moved. Several callbacks
    need several names.

    Args:
        schedule: the schedule that the model's layers share.
        every: ``"step"`` for each optimizer step, ``"epoch"`` for each training epoch.
        name: what it is called in the log and in the checkpoint.

    Raises:
        TypeError: ``schedule`` is no schedule.
        ValueError: an unknown ``every``.

    Example:
        >>> import softdraw as sd
        >>> from lightning.pytorch import Trainer
        >>> from softdraw.integrations.lightning import TemperatureCallback
        >>> tau = sd.schedules.Exponential(1.0, 0.5, rate=1e-4)
        >>> model_layer = sd.nn.GumbelSoftmax(tau)
        >>> trainer = Trainer(callbacks=[TemperatureCallback(tau)], logger=False, enable_checkpointing=False,
        ...     enable_progress_bar=False, enable_model_summary=False, accelerator="cpu")  # doctest: +SKIP
    """

    def __init__(self, schedule: Schedule, *, every: Every = "step", name: str = "temperature") -> None:
        if not isinstance(schedule, Schedule):
            raise wrong_type("schedule", schedule, "a softdraw.schedules.Schedule")
        read_choice("every", every, get_args(Every))
        self.schedule = schedule
        self.every = every
        self.name = name
        self._seen = 0

    @property
    def state_key(self) -> str:
        """The key in the checkpoint: one for each name."""
        return f"softdraw.TemperatureCallback({self.name})"

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Count optimizer steps from where the trainer stands."""
        self._seen = trainer.global_step

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *args: Any, **kwargs: Any
    ) -> None:
        """Step after an optimizer step, and log."""
        pl_module.log(self.name, self.schedule.tau.detach(), on_step=True, on_epoch=False)
        if self.every == "step" and trainer.global_step > self._seen:
            # An optimizer step moves `global_step` by the number of optimizers: the schedule moves by one.
            self.schedule.step()
        self._seen = trainer.global_step

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Step after an epoch."""
        if self.every == "epoch":
            self.schedule.step()

    def state_dict(self) -> dict[str, Any]:
        """What the checkpoint keeps."""
        # A learned temperature is a parameter of the model, and is saved with it.
        return {"schedule": self.schedule.state_dict()} if isinstance(self.schedule, Resumable) else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        if isinstance(self.schedule, Resumable):
            self.schedule.load_state_dict(state_dict["schedule"])


class GradientMonitorCallback(Callback):
    """Logs the records of a ``softdraw.diagnostics.GradientMonitor`` while a ``Trainer`` fits.

    Args:
        layer: the layer to watch, or its name among the model's modules (``"encoder.choice"``).
        schedule: where tau is read, instead of at the layer.
        every: watch one forward pass in so many.
        name: what the logged values start with: ``name/signal_to_noise`` and so on.

    Raises:
        ValueError: ``every`` below 1; at the start of the fit, a model without a module of that name.
        TypeError: a layer that is neither a module nor a name, or an ``every`` that is no int.

    Example:
        >>> import softdraw as sd
        >>> from softdraw.integrations.lightning import GradientMonitorCallback
        >>> callback = GradientMonitorCallback("choice", every=50)
        >>> callback.records
        []
    """

    def __init__(
        self,
        layer: nn.Module | str,
        *,
        schedule: Schedule | None = None,
        every: int = 50,
        name: str = "gradient",
    ) -> None:
        if not isinstance(layer, nn.Module | str):
            raise wrong_type("layer", layer, "a module, or the name of one")
        self.layer, self.schedule, self.name = layer, schedule, name
        self.every = read_count("every", every, least=1)
        self._monitor: GradientMonitor | None = None
        self._logged = 0

    @property
    def records(self) -> list[dict[str, float]]:
        """All records of the last fit."""
        return [] if self._monitor is None else self._monitor.records

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Attach to the layer."""
        layer = self.layer
        if isinstance(layer, str):
            try:
                layer = pl_module.get_submodule(layer)
            except AttributeError as error:
                raise wrong_value("layer", self.layer, "the name of a module of the model") from error
        self._monitor = GradientMonitor(layer, schedule=self.schedule, every=self.every)
        self._logged = 0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *args: Any, **kwargs: Any
    ) -> None:
        """Log a new record, if there is one; other passes cost nothing."""
        monitor = self._monitor
        if monitor is None or monitor.count == self._logged:
            return
        self._logged = monitor.count
        for key, value in monitor.newest.items():
            if key != "step":
                pl_module.log(f"{self.name}/{key}", value, on_step=True, on_epoch=False)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let go of the layer; the records stay."""
        if self._monitor is not None:
            self._monitor.close()
