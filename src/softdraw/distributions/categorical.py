"""The categorical distribution, drawn with softdraw's keys."""

import math
from typing import Any, Self

import torch
from torch import Tensor
from torch.distributions import Categorical as TorchCategorical
from torch.distributions import Distribution

from softdraw._torch import is_readable, unfilled
from softdraw.arguments import wrong_type
from softdraw.distributions.parameters import (
    allowed_classes,
    broadcast,
    check_values,
    choose,
    log_of,
)
from softdraw.functional import gumbel_max
from softdraw.kernels.formulas import masked_log_softmax
from softdraw.random import Key


class Categorical(TorchCategorical):
    """``torch.distributions.Categorical`` with ``mask=``, keys, and padding rows.

    Draws are those of ``softdraw.gumbel_max`` at the same key, so a class of probability 0 is never drawn. A
    row without an allowed class has the index -1, log probability 0 and entropy 0.

    Args:
        probs: class probabilities ``[*batch, classes]``, normalised here.
        logits: unnormalised log probabilities ``[*batch, classes]``; ``-inf`` masks a class.
        validate_args: check arguments and values; torch's default.
        mask: boolean, broadcastable to the logits, True where a class is allowed.

    Raises:
        TypeError: ``probs`` or ``logits`` is no dense tensor of float16, bfloat16, float32 or float64, or
            ``mask`` none of bool.
        ValueError: both or neither of ``probs`` and ``logits``, no classes, a mask that does not broadcast or
            is on another device, values that are NaN or ``+inf``.

    Shapes:
        ``sample(s)``: int64 ``[*s, *batch_shape]``; ``log_prob``: ``[*s, *batch_shape]``.

    Example:
        >>> import torch, softdraw as sd
        >>> mask = torch.tensor([[True, True, False], [False, False, False]])
        >>> d = sd.distributions.Categorical(logits=torch.zeros(2, 3), mask=mask)
        >>> d.probs
        tensor([[0.5000, 0.5000, 0.0000],
                [0.0000, 0.0000, 0.0000]])
        >>> d.sample(key=sd.Key(0))[1]
        tensor(-1)
    """

    def __init__(
        self,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
        *,
        mask: Tensor | None = None,
    ) -> None:
        given, is_probs = choose(probs, logits)
        if self._validate_args if validate_args is None else validate_args:
            if is_probs:
                check_values("probs", given, (given >= 0) & (given < math.inf), "finite and >= 0")
            else:
                check_values("logits", given, given < math.inf, "finite or -inf")
        scores = log_of(given) if is_probs else given
        self._dtype = given.dtype
        self._set(scores, allowed_classes(scores, mask), scores.shape[:-1], validate_args)

    def _set(
        self, scores: Tensor, allowed: Tensor, batch_shape: torch.Size, validate_args: bool | None
    ) -> None:
        shape = batch_shape + scores.shape[-1:]
        self._scores = scores.expand(shape)
        self._allowed = allowed.expand(shape)
        self._log_probs = masked_log_softmax(self._scores, self._allowed)
        self.logits = self._param = self._log_probs.to(self._dtype)
        self._num_events = shape[-1]
        Distribution.__init__(self, batch_shape, validate_args=False)
        self._validate_args = Distribution._validate_args if validate_args is None else validate_args

    @property
    def log_probs(self) -> Tensor:
        """Log probabilities ``[*batch_shape, classes]``, float32 or wider; ``-inf`` where masked."""
        return self._log_probs

    @property
    def probs(self) -> Tensor:
        """Class probabilities ``[*batch_shape, classes]``; 0 where masked."""
        return self._log_probs.exp().to(self._dtype)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Self:
        """The same distribution with its parameters expanded to ``batch_shape``."""
        new: Self = unfilled(self, _instance)
        new._dtype = self._dtype
        new._set(self._scores, self._allowed, torch.Size(batch_shape), self._validate_args)
        return new

    def sample(
        self,
        sample_shape: Any = (),
        *,
        key: Key | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw indices, int64 ``[*sample_shape, *batch_shape]``; see ``softdraw.gumbel_max``."""
        return gumbel_max(
            self._scores.detach(),
            sample_shape=sample_shape,
            mask=self._allowed,
            key=key,
            generator=generator,
        )

    def log_prob(self, value: Tensor) -> Tensor:
        """Log probability ``[*batch]`` of indices ``[*batch]``; ``-inf`` for a masked class.

        Raises:
            TypeError: no tensor.
            ValueError: an index that is no class (only when arguments are validated).
        """
        if not isinstance(value, Tensor):
            raise wrong_type("value", value, "a tensor of class indices")
        if self._validate_args:
            self._check_index(value)
        shape = broadcast(value.shape, self.batch_shape)
        index = value.long().expand(shape).unsqueeze(-1)
        table = self._log_probs.expand((*shape, self._num_events))
        picked = table.gather(-1, index.clamp_min(0)).squeeze(-1)
        empty = ~self._allowed.any(-1)
        return torch.where(empty & (value < 0), 0.0, picked)

    def entropy(self) -> Tensor:
        """Entropy ``[*batch_shape]`` in nats, with ``0 log 0 = 0``."""
        finite = self._log_probs.masked_fill(~self._allowed, 0.0)
        return (-finite * self._log_probs.exp()).sum(-1)

    @property
    def mode(self) -> Tensor:
        """The most probable index; -1 in rows without a class."""
        return self._log_probs.argmax(-1).masked_fill(~self._allowed.any(-1), -1)

    def _check_index(self, value: Tensor) -> None:
        broadcast(value.shape, self.batch_shape)
        if not is_readable(value, self._scores):
            return
        known = (value == value.round() if value.is_floating_point() else True) & (value < self._num_events)
        known = known & torch.where(self._allowed.any(-1), value >= 0, value == -1)
        if not known.all():
            wrong = value.expand(known.shape)[~known].flatten()[:3].tolist()
            raise ValueError(
                f"value: got indices such as {wrong}, expected classes from 0 to {self._num_events - 1} "
                "(-1 in rows without a class)"
            )
