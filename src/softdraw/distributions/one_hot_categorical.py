"""The one-hot categorical distribution, drawn with softdraw's keys."""

import math
from typing import Any, Self

import torch
from torch import Tensor
from torch.distributions import Distribution
from torch.distributions import OneHotCategorical as TorchOneHotCategorical

from softdraw._torch import is_readable, unfilled
from softdraw.arguments import read_sample_shape, wrong_type, wrong_value
from softdraw.distributions.categorical import Categorical
from softdraw.functional import gumbel_softmax
from softdraw.kernels.formulas import one_hot
from softdraw.random import Key, source
from softdraw.random.source import call_key


class OneHotCategorical(TorchOneHotCategorical):
    """``torch.distributions.OneHotCategorical`` with ``mask=``, keys, and padding rows.

    A row without an allowed class is a row of zeros, with log probability 0.

    Args:
        probs: class probabilities ``[*batch, classes]``.
        logits: unnormalised log probabilities ``[*batch, classes]``; ``-inf`` masks a class.
        validate_args: check arguments and values; torch's default.
        mask: boolean, broadcastable to the logits, True where a class is allowed.

    Raises:
        TypeError, ValueError: as ``Categorical``.

    Shapes:
        ``sample(s)``: ``[*s, *batch_shape, classes]`` in the dtype of the parameters; ``log_prob``:
        ``[*s, *batch_shape]``.

    Example:
        >>> import torch, softdraw as sd
        >>> d = sd.distributions.OneHotCategorical(logits=torch.tensor([0.0, float("-inf")]))
        >>> d.sample((2,), key=sd.Key(0)), d.entropy()
        (tensor([[1., 0.],
                [1., 0.]]), tensor(0.))
    """

    _categorical: Categorical

    def __init__(
        self,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
        *,
        mask: Tensor | None = None,
    ) -> None:
        self._adopt(Categorical(probs, logits, validate_args, mask=mask), validate_args)

    def _adopt(self, categorical: Categorical, validate_args: bool | None) -> None:
        self._categorical = categorical
        batch, event = categorical.batch_shape, categorical.param_shape[-1:]
        Distribution.__init__(self, batch, event, validate_args=False)
        self._validate_args = Distribution._validate_args if validate_args is None else validate_args

    def expand(self, batch_shape: Any, _instance: Any = None) -> Self:
        """The same distribution with its parameters expanded to ``batch_shape``."""
        new: Self = unfilled(self, _instance)
        new._adopt(self._categorical.expand(batch_shape), self._validate_args)
        return new

    @property
    def mode(self) -> Tensor:
        """The one-hot of the most probable class; zeros in rows without a class."""
        return self._one_hot(self._categorical.mode)

    def sample(
        self,
        sample_shape: Any = (),
        *,
        key: Key | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw one-hot rows ``[*sample_shape, *batch_shape, classes]`` of exact zeros and ones."""
        return self._one_hot(self._categorical.sample(sample_shape, key=key, generator=generator))

    @property
    def padding(self) -> Tensor:
        """Boolean ``[*batch_shape]``: the rows without an allowed class."""
        return ~self._categorical._allowed.any(-1)

    def relax(
        self,
        tau: float | Tensor = 1.0,
        *,
        hard: bool = False,
        sample_shape: Any = (),
        key: Key | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Relaxed rows ``[*sample_shape, *batch_shape, classes]`` of ``softdraw.gumbel_softmax``.

        ``hard`` gives one-hot rows, draws of the distribution, with the gradient of the relaxed ones.
        """
        shape = read_sample_shape(sample_shape)
        scores, allowed = self._categorical._scores, self._categorical._allowed
        drawn = source.noise("gumbel", scores.detach(), math.prod(shape), call_key(key, generator))
        drawn = drawn.reshape(*shape, *scores.shape)
        soft = gumbel_softmax(scores.expand(drawn.shape), tau, hard, mask=allowed, noise=drawn)
        return soft.to(self._categorical._dtype)

    def moved(self, by: Tensor) -> Self:
        """The same distribution with ``by`` ``[*, classes]`` added to its logits."""
        scores = self._categorical._scores + by
        new: Self = unfilled(self, None)
        new._adopt(Categorical(logits=scores, mask=self._categorical._allowed), self._validate_args)
        return new

    def log_prob(self, value: Tensor) -> Tensor:
        """Log probability ``[*batch]`` of one-hot rows ``[*batch, classes]``.

        Raises:
            TypeError: no tensor.
            ValueError: rows that are not one-hot, or not zero where no class is allowed (only when arguments
                are validated).
        """
        if not isinstance(value, Tensor):
            raise wrong_type("value", value, "a tensor of one-hot rows")
        if self._validate_args:
            self._check_rows(value)
        index = value.argmax(-1)
        return self.log_prob_of_index(torch.where((value == 0).all(-1), -1, index))

    def log_prob_of_index(self, index: Tensor) -> Tensor:
        """Log probability ``[*batch]`` of class indices ``[*batch]``."""
        return self._categorical.log_prob(index)

    def _one_hot(self, index: Tensor) -> Tensor:
        return one_hot(index, self.event_shape[0], self._categorical._dtype)

    def _check_rows(self, value: Tensor) -> None:
        event = self.event_shape
        if value.shape[-1:] != event:
            raise wrong_value("value", value, f"the event shape {tuple(event)} in its last dim")
        if not is_readable(value, self._categorical._scores):
            return
        some = self._categorical._allowed.any(-1)
        right = ((value == 0) | (value == 1)).all(-1) & (value.sum(-1) == some.to(value.dtype))
        if not right.all():
            count = f"{int((~right).sum())} of {right.numel()}"
            raise ValueError(f"value: got {count} rows that are not one-hot, expected one-hot rows alone")
