"""A temperature that falls, is logged and is checkpointed by a Hugging Face ``Trainer``."""

from typing import Any

from softdraw.arguments import wrong_type
from softdraw.schedules import Resumable, Schedule

try:
    from transformers import TrainerCallback
    from transformers.trainer_callback import ExportableState
except ImportError as error:
    message = "softdraw.integrations.transformers needs transformers: pip install transformers accelerate"
    raise ImportError(message) from error

__all__ = ["TemperatureCallback"]


class TemperatureCallback(TrainerCallback, ExportableState):  # type: ignore[misc]
    """Steps a schedule after each optimizer step, adds it to the logs, and resumes it from a checkpoint.

    The state lies in ``trainer_state.json``. ``trainer.train(resume_from_checkpoint=True)`` finds it there;
    the option ``restore_callback_states_from_checkpoint`` is not needed, and must be off: it would build a
    second callback without the schedule that the layers share.

    Args:
        schedule: the schedule that the model's layers share.
        name: what it is called in the logs and in the checkpoint.

    Raises:
        TypeError: ``schedule`` is no schedule.

    Example:
        >>> import softdraw as sd
        >>> from softdraw.integrations.transformers import TemperatureCallback
        >>> callback = TemperatureCallback(sd.schedules.Exponential(1.0, 0.5, rate=1e-4))
        >>> callback.state()["attributes"]["states"]["temperature"]["step_count"]
        0
    """

    def __init__(self, schedule: Schedule, *, name: str = "temperature") -> None:
        if not isinstance(schedule, Schedule):
            raise wrong_type("schedule", schedule, "a softdraw.schedules.Schedule")
        self.schedule = schedule
        self.name = name

    def state(self) -> dict[str, Any]:
        """What the checkpoint keeps: plain types that JSON can hold."""
        # A learned temperature is a parameter of the model, and is saved with it.
        held = {self.name: self.schedule.state_dict()} if isinstance(self.schedule, Resumable) else {}
        return {"args": {}, "attributes": {"states": held}}

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Go on from the checkpoint that the trainer has loaded, if it has."""
        if state.global_step == 0:
            return
        saved = (state.stateful_callbacks or {}).get(type(self).__name__, [])
        for entry in saved if isinstance(saved, list) else [saved]:
            held = entry["attributes"]["states"]
            if self.name in held and isinstance(self.schedule, Resumable):
                self.schedule.load_state_dict(held[self.name])

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Step after an optimizer step."""
        self.schedule.step()

    def attach(self, trainer: Any) -> None:
        """Become the first callback of ``trainer``, so that TensorBoard and the like report the temperature.

        The trainer calls its reporters before the callbacks that it was given.
        """
        trainer.callback_handler.callbacks.insert(0, self)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **kwargs: Any) -> None:
        """Add the temperature to the trainer's history and to what later callbacks report."""
        logs[self.name] = self.schedule.value
        if state.log_history:
            state.log_history[-1][self.name] = self.schedule.value
