"""The draw inside every layer: an estimator and a temperature while training, a fixed rule in eval mode."""

import math
from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from softdraw import estimators
from softdraw.functional import gumbel_max
from softdraw.random import Key
from softdraw.random.source import layer_key
from softdraw.schedules import Adaptive, Learned, Resumable, Schedule
from softdraw.schedules.saved import SavedSchedule

Evaluation = Literal["argmax", "sample", "mean"]


class Choice(nn.Module):
    """Draws rows over classes: by an estimator in training, by ``evaluation`` in eval mode.

    Args:
        estimator: a name of ``softdraw.estimators.names()`` or an estimator that returns a sample
            (``est.needs == "tensor"``).
        tau: a float, a 0-dim tensor or a schedule; None takes the default that the estimator names for
            itself.
        evaluation: what eval mode returns: ``"argmax"`` the one-hot of the most probable class, ``"sample"``
            the one-hot of an exact draw, ``"mean"`` the probabilities.

    Raises:
        ValueError: an estimator that needs a callable, a temperature for one without, or beside an estimator
            object (which has its own), or an unknown ``evaluation``.

    Shapes:
        logits ``[*batch, classes]`` to ``[*batch, classes]``.

    Example:
        >>> import torch, softdraw as sd
        >>> choice = sd.nn.Choice("reinmax", tau=1.3)
        >>> choice(torch.zeros(2, 3), key=sd.Key(0)).sum(-1)
        tensor([1., 1.])
        >>> choice.eval()(torch.tensor([0.0, 2.0, 1.0]))
        tensor([0., 1., 0.])
    """

    def __init__(
        self,
        estimator: str | estimators.Estimator = "st-gumbel-softmax",
        tau: float | Tensor | Schedule | None = None,
        evaluation: Evaluation = "argmax",
    ) -> None:
        super().__init__()
        if evaluation not in get_args(Evaluation):
            raise ValueError(f"evaluation must be one of {get_args(Evaluation)}, got {evaluation!r}")
        if not isinstance(estimator, str):
            made = estimator
        elif tau is None or isinstance(tau, Schedule):
            made = estimators.get(estimator)
        else:
            made = _get(estimator, tau)
        if made.needs != "tensor":
            raise ValueError(
                f"estimator must return a sample (needs 'tensor'), got {made!r}, which needs a {made.needs}: "
                "call its expectation(f, logits) in the loss instead of a layer"
            )
        if made is estimator and tau is not None and not isinstance(tau, Schedule):
            raise ValueError(
                f"tau must be left out beside an estimator object, which has its own: got tau={tau!r}"
            )
        if isinstance(tau, Schedule) and not hasattr(made, "tau"):
            raise ValueError(f"tau was given, but the estimator {made!r} has no temperature")
        self.estimator = made
        self.evaluation = evaluation
        # A Learned schedule is a module, so its parameter becomes one of the layer's.
        self.schedule = tau if isinstance(tau, Schedule) else None
        if isinstance(tau, Resumable):
            self.temperature = SavedSchedule(tau)

    @property
    def tau(self) -> float | Tensor | None:
        """The temperature that the next training draw uses; None for an estimator without one."""
        if self.schedule is not None:
            return self.schedule.tau
        tau: float | Tensor | None = getattr(self.estimator, "tau", None)
        return tau

    def forward(
        self,
        logits: Tensor,
        *,
        mask: Tensor | None = None,
        key: Key | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw ``[*batch, classes]`` rows.

        Args:
            logits: ``[*batch, classes]``.
            mask: boolean, broadcastable to the logits, True where a class is allowed.
            key: the noise; the rank is folded in under ``torch.distributed``.
            generator: where to take a fresh key from.

        Returns:
            Rows in the dtype of the logits; rows without an allowed class are zeros.
        """
        if self.training:
            key, generator = layer_key(key, generator)
            valid = None if mask is None else mask.any(-1)

            def draw(rows: Tensor, tau: float | Tensor | None) -> Tensor:
                sample: Tensor = self.estimator(rows, mask=mask, key=key, generator=generator)
                return sample

            return self.tempered(draw, logits, valid)
        if self.evaluation == "sample":
            key, generator = layer_key(key, generator)
            return one_hot(gumbel_max(logits, mask=mask, key=key, generator=generator), logits)
        return probabilities(logits, mask) if self.evaluation == "mean" else one_hot_argmax(logits, mask)

    def tempered(
        self,
        draw: Callable[[Tensor, float | Tensor | None], Tensor],
        logits: Tensor,
        valid: Tensor | None = None,
    ) -> Tensor:
        """Return ``draw(logits, tau)`` at the temperature of this step, and show its gradient to
        ``Adaptive``.

        Args:
            draw: takes logits and a temperature; the estimator holds that temperature meanwhile.
            logits: ``[*batch, classes]``.
            valid: boolean ``[*batch]``, False for padding, which ``Adaptive`` leaves out.
        """
        if self.schedule is None:
            return draw(logits, self.tau)
        tau = self.schedule.tau
        # A copy: a schedule that steps before `backward` must not change the gradient of this draw.
        tau = tau if isinstance(self.schedule, Learned) else tau.clone()
        if isinstance(self.schedule, Adaptive) and logits.requires_grad and not torch.compiler.is_compiling():
            logits = logits.view_as(logits)
            self.schedule.watch(logits, valid)
        self.estimator.tau = tau
        try:
            return draw(logits, tau)
        finally:
            # The graph of a learned temperature must not outlive the draw: modules with it cannot be copied.
            self.estimator.tau = tau.detach()

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        schedule = (
            ""
            if self.schedule is None or isinstance(self.schedule, nn.Module)
            else f"tau={self.schedule!r}, "
        )
        return f"{schedule}evaluation={self.evaluation!r}"


def _get(name: str, tau: float | Tensor) -> estimators.Estimator:
    try:
        return estimators.get(name, tau=tau)
    except TypeError as error:
        if "tau" not in str(error):
            raise
        raise ValueError(f"tau={tau!r} was given, but the estimator {name!r} has no temperature") from None


def masked(logits: Tensor, mask: Tensor | None) -> Tensor:
    """Logits in float32 or wider with ``-inf`` at masked classes."""
    wide = logits if logits.dtype == torch.float64 else logits.float()
    return wide if mask is None else wide.masked_fill(~mask, -math.inf)


def probabilities(logits: Tensor, mask: Tensor | None) -> Tensor:
    """Class probabilities in the dtype of the logits; zeros in rows without an allowed class."""
    scores = masked(logits, mask)
    some = (scores > -math.inf).any(-1, keepdim=True)
    return torch.where(some, torch.where(some, scores, 0.0).softmax(-1), 0.0).to(logits.dtype)


def one_hot_argmax(logits: Tensor, mask: Tensor | None) -> Tensor:
    """One-hot of the most probable class; zeros in rows without an allowed class. Operators that ONNX has."""
    scores = masked(logits, mask)
    index = scores.argmax(-1)
    return one_hot(torch.where(scores.amax(-1) > -math.inf, index, -1), logits)


def one_hot(index: Tensor, like: Tensor) -> Tensor:
    """One-hot rows in the dtype of ``like``; index -1 gives zeros."""
    classes = torch.arange(like.shape[-1], device=like.device)
    return (index.unsqueeze(-1) == classes).to(like.dtype)
