"""A Lightning callback that logs what happens to the gradient of a discrete layer."""

from typing import TYPE_CHECKING, Any

from torch import nn

from softdraw.diagnostics import GradientMonitor
from softdraw.schedules import Schedule

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
                "softdraw.integrations.lightning_monitor needs lightning: pip install lightning"
            ) from error

__all__ = ["GradientMonitorCallback"]


class GradientMonitorCallback(Callback):
    """Logs the records of a ``softdraw.diagnostics.GradientMonitor`` while a ``Trainer`` fits.

    Args:
        layer: the layer to watch, or its name among the model's modules (``"encoder.choice"``).
        schedule: where tau is read, if the layer has none.
        every: watch one forward pass in so many.
        name: what the logged values start with: ``name/signal_to_noise`` and so on.

    Raises:
        ValueError: at the start of the fit, where the model has no module of that name.

    Example:
        >>> import softdraw as sd
        >>> from softdraw.integrations.lightning_monitor import GradientMonitorCallback
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
        self.layer, self.schedule, self.every, self.name = layer, schedule, every, name
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
                raise ValueError(f"layer={self.layer!r}: {error}") from error
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
