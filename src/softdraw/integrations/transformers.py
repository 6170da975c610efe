"""Hugging Face Transformers: a temperature that falls, is logged and is checkpointed by a ``Trainer``, and
tokens of ``generate`` that are drawn with a key for each request.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from softdraw import filters as rows_to_masks
from softdraw.arguments import read_number, wrong_type, wrong_value
from softdraw.filters.rows import per_row
from softdraw.functional import gumbel_max
from softdraw.random import Key
from softdraw.schedules import Resumable, Schedule

try:
    from transformers import LogitsProcessor, TrainerCallback
    from transformers.trainer_callback import ExportableState
except ImportError as error:
    message = "softdraw.integrations.transformers needs transformers: pip install transformers accelerate"
    raise ImportError(message) from error

__all__ = ["KeyedSampler", "TemperatureCallback"]


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
        >>> saved = callback.state()["attributes"]["states"]
        >>> saved["temperature"]["step_count"]
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


class KeyedSampler(LogitsProcessor):  # type: ignore[misc]
    """Draws the tokens of ``generate``, each sequence with a key of its own.

    The same key gives the same text, alone or in any batch, at any place in it and behind any padding, as far
    as the model's logits are the same: the n-th new token of a sequence is
    ``gumbel_max(logits / tau, mask=..., key=key.rows(n))`` of its own logits. Of a batch of another size a
    model's logits differ by rounding, which moves a token only where two are that close to a tie.

    It leaves the drawn token alone at 0 and all others at ``-inf``, so it comes last in
    ``logits_processor=``, and ``do_sample=False`` takes what it drew. So does ``do_sample=True``, which
    ``num_return_sequences`` needs; but Transformers then puts ``temperature``, ``top_k`` and the like behind
    it, where they change nothing: give them here, or their config to ``of_config``.

    Args:
        keys: one for each sequence of the batch: with ``num_return_sequences`` they follow one another,
            those of the first prompt first. For requests of one run, fold their number into one key.
        tau: the temperature, above 0; or a tensor with one a sequence.
        filters: functions that take logits and ``mask=`` and return a mask, such as those of
            ``softdraw.filters``, each within what those before have left.

    Raises:
        TypeError: ``keys`` are no sequence of keys, ``tau`` no number, or a filter cannot be called.
        ValueError: no keys, or ``tau`` is not above 0. In ``generate``: a batch of another size, beam or
            assisted search, a second use, or logits without a token to draw.

    Example:
        >>> from functools import partial
        >>> import softdraw as sd
        >>> from softdraw.integrations.transformers import KeyedSampler
        >>> keys = [sd.Key(0).fold_in(request) for request in (17, 4)]
        >>> sampler = KeyedSampler(keys, tau=0.8, filters=[partial(sd.filters.top_p, p=0.9)])
        >>> model.generate(**inputs, do_sample=False, logits_processor=[sampler])  # doctest: +SKIP
    """

    def __init__(
        self,
        keys: Sequence[Key],
        *,
        tau: float | Tensor = 1.0,
        filters: Sequence[Callable[..., Tensor]] = (),
    ) -> None:
        if not isinstance(keys, Sequence) or not all(isinstance(key, Key) for key in keys):
            raise wrong_type("keys", keys, "a sequence of softdraw.Key, one for each sequence of the batch")
        if not keys:
            raise wrong_value("keys", tuple(keys), "one for each sequence of the batch")
        if not isinstance(filters, Sequence) or not all(callable(one) for one in filters):
            raise wrong_type("filters", filters, "a sequence of functions, such as softdraw.filters.top_k")
        self.keys = tuple(keys)
        self.filters = tuple(filters)
        self.tau = tau
        per_row("tau", tau, torch.empty(len(keys), 1), _above_zero)
        self._start = 0
        self._seen: Tensor | None = None

    @classmethod
    def of_config(cls, keys: Sequence[Key], config: Any) -> "KeyedSampler":
        """With the temperature, top_k, top_p, min_p and typical_p of a ``GenerationConfig``, in that order.

        Example:
            >>> import softdraw as sd, transformers
            >>> from softdraw.integrations.transformers import KeyedSampler
            >>> config = transformers.GenerationConfig(do_sample=True, temperature=0.7, top_k=50)
            >>> KeyedSampler.of_config([sd.Key(0)], config).tau
            0.7
        """
        chosen: list[Callable[..., Tensor]] = []
        if config.top_k:
            chosen.append(partial(rows_to_masks.top_k, k=config.top_k))
        if config.top_p is not None and config.top_p < 1:
            chosen.append(partial(rows_to_masks.top_p, p=config.top_p))
        if config.min_p is not None:
            chosen.append(partial(rows_to_masks.min_p, p=config.min_p))
        if config.typical_p is not None and config.typical_p < 1:
            chosen.append(partial(rows_to_masks.typical, mass=config.typical_p))
        return cls(keys, tau=1.0 if config.temperature is None else config.temperature, filters=chosen)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Scores ``[sequences, tokens]`` that leave the drawn token alone."""
        step = self._step(input_ids)
        if len(scores) != len(self.keys):
            expected = f"{len(scores)}, one for each sequence (prompts times num_return_sequences, no beams)"
            raise wrong_value("keys", len(self.keys), expected)
        tau = per_row("tau", self.tau, scores, _above_zero)
        logits = scores / (tau.to(scores.dtype) if isinstance(tau, Tensor) else tau)
        mask = logits != -torch.inf  # NaN stays, and is found by the draw
        for one in self.filters:
            mask = one(logits, mask=mask)
        pairs = zip(self.keys, logits, mask, strict=True)
        drawn = torch.stack([gumbel_max(x, mask=m, key=key.rows(step)) for key, x, m in pairs])
        if bool((drawn < 0).any()):
            row = int((drawn < 0).nonzero()[0])
            raise ValueError(f"scores: got NaN, +inf or no token in row {row}, expected one token to draw")
        return torch.full_like(scores, -torch.inf).scatter(-1, drawn.unsqueeze(-1), 0.0)

    def _step(self, input_ids: Tensor) -> int:
        """How many tokens have been drawn, whatever the length of the prompt with its padding."""
        if self._seen is None:
            self._start = input_ids.shape[-1]
        elif not torch.equal(input_ids[..., :-1], self._seen):
            raise ValueError(
                "input_ids: got other sequences than those of the step before and one token more, expected "
                "a new KeyedSampler for each call of generate, and neither beams nor an assistant"
            )
        self._seen = input_ids
        return int(input_ids.shape[-1]) - self._start


def _above_zero(name: str, value: object) -> float:
    return read_number(name, value, above=0.0)
