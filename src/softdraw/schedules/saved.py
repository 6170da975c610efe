"""The temperature in a model's checkpoint: a schedule's position as a tensor that every format stores."""

import json
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from softdraw.schedules.base import Resumable

__all__ = ["SavedSchedule", "read_state", "state_tensor"]

#: torch.distributed.checkpoint loads into tensors of the size that was saved, so the size must not grow with
#: the count of steps: texts are padded to a multiple of this, which is enough for every formula
_BLOCK = 4096


def state_tensor(state: dict[str, Any]) -> Tensor:
    """Plain state as uint8 JSON: for ``torch.save``, safetensors and distributed checkpoints alike.

    Example:
        >>> from softdraw.schedules.saved import read_state, state_tensor
        >>> read_state(state_tensor({"step_count": 3}))
        {'step_count': 3}
    """
    text = json.dumps(state, separators=(",", ":")).encode()
    padded = text.ljust(-(-len(text) // _BLOCK) * _BLOCK)
    return torch.frombuffer(bytearray(padded), dtype=torch.uint8)


def read_state(saved: Tensor) -> dict[str, Any]:
    """What ``state_tensor`` wrote.

    Raises:
        ValueError: the tensor holds something else.
    """
    try:
        state = json.loads(bytes(saved.cpu().tolist()))
    except (AttributeError, TypeError, ValueError):
        state = None
    if not isinstance(state, dict):
        raise ValueError("the saved temperature cannot be read: no text written by softdraw")
    return state


class SavedSchedule(nn.Module):
    """Puts a schedule that is no module into the ``state_dict`` of the module that draws with it.

    The key ends in ``_extra_state``, so nothing averages, casts or broadcasts it. Loading brings the schedule
    to the saved step. A state without that key (of a version that did not save it) leaves the schedule where
    it is, with a warning. So does a state of another schedule, or of other arguments, which is also an
    unexpected key: an error unless ``strict=False``.

    Example:
        >>> import softdraw as sd
        >>> schedule, other = (sd.schedules.Linear(2.0, 0.5, steps=10) for _ in range(2))
        >>> schedule.step(5)
        >>> sd.nn.GumbelSoftmax(other).load_state_dict(sd.nn.GumbelSoftmax(schedule).state_dict())
        <All keys matched successfully>
        >>> other.tau
        tensor(1.2500)
    """

    def __init__(self, schedule: Resumable) -> None:
        super().__init__()
        self.schedule = schedule

    def get_extra_state(self) -> Tensor:
        """The position of the schedule."""
        return state_tensor(self.schedule.position())

    def set_extra_state(self, state: Tensor) -> None:
        """Go on from the position in ``state``, or stay, with a warning, where another schedule saved it.

        This is what ``from_pretrained`` of Transformers calls, which cannot be told that it need not fit.
        """
        try:
            self.schedule.load_state_dict(read_state(state))
        except ValueError as error:
            stay("temperature", self.schedule, str(error))

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        key = f"{prefix}_extra_state"
        saved = state_dict.get(key)
        name = prefix.rstrip(".") or "SavedSchedule"
        if saved is None:
            stay(name, self.schedule, "the state holds no temperature")
            return
        try:
            self.schedule.load_state_dict(read_state(saved))
        except ValueError as error:
            # torch tells no module whether the load is strict: an unexpected key is an error only then
            unexpected_keys.append(f"{key} ({error})")
            stay(name, self.schedule, str(error))


def stay(name: str, schedule: Resumable, reason: str) -> None:
    """Say that a checkpoint did not move a schedule."""
    warnings.warn(
        f"{name}: {reason}; {type(schedule).__name__} stays at step {schedule.step_count}, "
        f"temperature {schedule.value:.4g}",
        UserWarning,
        stacklevel=2,
    )
