"""The draw inside every layer: an estimator and a temperature while training, a fixed rule in eval mode."""

import math
from collections.abc import Sequence
from typing import Any, Literal, cast, get_args

import torch
from torch import Tensor, nn

from softdraw import estimators
from softdraw.arguments import check_classes, check_floating, read_choice, read_mask, wrong_type, wrong_value
from softdraw.estimators._core.tempered import TemperedEstimator
from softdraw.functional import gumbel_max, gumbel_softmax
from softdraw.functional.blocks import read_sizes, read_sizes_alone
from softdraw.kernels.blocks import layout
from softdraw.kernels.fast_path import is_plain
from softdraw.kernels.formulas import allowed_classes, masked_softmax, one_hot
from softdraw.random import Key
from softdraw.random.ranks import Group, Ranks
from softdraw.random.source import layer_key, one_source
from softdraw.recording import is_symbol, record_module
from softdraw.schedules import Adaptive, Learned, Schedule
from softdraw.schedules.temperature import Temperature, moved_schedule

Evaluation = Literal["argmax", "sample", "mean"]
#: the estimators that are a function of the library, which draws blocks without padding; whether it is hard
_FUSED: dict[type, bool] = {estimators.GumbelSoftmax: False, estimators.STGumbelSoftmax: True}


class Choice(nn.Module):
    """Draws rows over classes: by an estimator in training, by ``evaluation`` in eval mode.

    Args:
        estimator: a name of ``softdraw.estimators.names()`` or an estimator that returns a sample
            (``est.needs == "tensor"``).
        tau: a float, a 0-dim tensor or a schedule; None takes the default that the estimator names for
            itself.
        evaluation: what eval mode returns: ``"argmax"`` the one-hot of the most probable class, ``"sample"``
            the one-hot of an exact draw, ``"mean"`` the probabilities.
        group: the ranks that draw apart under ``torch.distributed``: ``"world"`` is all of them, None lets
            all draw alike; beside tensor parallelism, the ranks that share out the data: a process group, a
            DeviceMesh, or a dimension of one, such as ``mesh["data"]`` or ``(mesh, 0)``.
        sizes: the sizes of the blocks that the last dim consists of, each a choice of its own, as in
            :func:`softdraw.gumbel_softmax`; None for one.
        device: taken and ignored, as ``dtype`` is: a choice has no parameters of its own. Layers with
            parameters make them there.
        dtype: see ``device``.

    Raises:
        TypeError: a temperature that is no number, tensor or schedule, or a ``group`` of another type.
        ValueError: an estimator that needs a callable, a temperature for one without, or beside an estimator
            object (which has its own), an unknown ``evaluation``, a size below 1, or a ``group`` that
            is a name alone, which does not say of which mesh.

    Shapes:
        logits ``[*batch, classes]`` to ``[*batch, classes]``, where the classes are those of all blocks.

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
        *,
        group: Group = "world",
        sizes: Sequence[int] | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        del device, dtype
        super().__init__()
        read_choice("evaluation", evaluation, get_args(Evaluation))
        made = estimators.get(estimator) if isinstance(estimator, str) else estimator
        if not isinstance(made, estimators.TensorEstimator):
            if not isinstance(made, estimators.Estimator):
                raise wrong_type("estimator", made, "the name of an estimator, or one")
            raise ValueError(
                f"estimator: got {made!r}, which needs a {made.needs}, expected one that returns a sample "
                "(needs 'tensor'): call its expectation(f, logits) in the loss instead of a layer"
            )
        if tau is not None and not isinstance(made, TemperedEstimator):
            raise wrong_value("tau", tau, f"None: {made!r} has no temperature")
        if isinstance(made, TemperedEstimator) and tau is not None and not isinstance(tau, Schedule):
            if made is estimator:
                raise wrong_value("tau", tau, "None beside an estimator object, which has its own")
            made.tau = tau
        self.estimator = made
        self.evaluation = evaluation
        self.ranks = Ranks(group)
        self.sizes = None if sizes is None else read_sizes_alone(sizes)
        # A schedule stays here: the estimator may be shared with a layer that has another.
        self.temperature = Temperature("tau", tau if isinstance(tau, Schedule) else None)

    @property
    def group(self) -> Group:
        """The ranks that draw apart under ``torch.distributed``; may be set."""
        return self.ranks.group

    @group.setter
    def group(self, group: Group) -> None:
        self.ranks = Ranks(group)

    @property
    def schedule(self) -> Schedule | None:
        """The schedule that moves the temperature: this layer's, or that of its estimator, if one has any."""
        if self.temperature.schedule is None and isinstance(self.estimator, TemperedEstimator):
            return self.estimator.temperature.schedule
        return self.temperature.schedule

    @property
    def tau(self) -> float | Tensor | None:
        """The temperature that the next training draw uses; None for an estimator without one."""
        own: float | Tensor | None = getattr(self.estimator, "tau", None)
        return own if self.temperature.schedule is None else self.temperature.shown

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

        Raises:
            TypeError: logits that are no dense tensor of float16, bfloat16, float32 or float64, a mask that
                is none of bool, or ``key`` or ``generator`` of another type.
            ValueError: no classes, a mask that does not broadcast or is on another device, a temperature that
                is not one value a row, blocks that do not sum to the classes, or both ``key`` and
                ``generator``.
        """
        if type(logits) is not Tensor and is_symbol(logits):
            return record_module(self, logits, mask=mask, key=key, generator=generator)  # type: ignore[no-any-return]
        if self.sizes is not None:
            return self._blocks(self.sizes, logits, mask, key, generator)
        return self._rows(logits, mask, key, generator)

    def _blocks(
        self,
        sizes: tuple[int, ...],
        logits: Tensor,
        mask: Tensor | None,
        key: Key | None,
        generator: torch.Generator | None,
    ) -> Tensor:
        read_sizes(sizes, logits)
        mask = read_rows(logits, mask, key, generator)
        made = self.estimator
        if (
            self.training
            and isinstance(made, TemperedEstimator)
            and type(made) in _FUSED
            and not isinstance(self.schedule, Adaptive)
        ):
            key, generator = layer_key(key, generator, self.ranks)
            held = self.temperature if self.temperature.schedule is not None else made.temperature
            tau = cast("float | Tensor", held.now())  # one of the two has a temperature
            hard = _FUSED[type(made)]
            return gumbel_softmax(logits, tau, hard, mask=mask, key=key, generator=generator, sizes=sizes)
        places = layout(sizes, logits.device, keep=is_plain(logits))
        return places.unpad(self._rows(places.pad(logits), places.mask(mask), key, generator))

    def _rows(
        self, logits: Tensor, mask: Tensor | None, key: Key | None, generator: torch.Generator | None
    ) -> Tensor:
        if self.training:
            key, generator = layer_key(key, generator, self.ranks)
            tau = None
            # a look-up without nn.Module.__getattr__
            temperature: Temperature = self._modules["temperature"]  # type: ignore[assignment]
            if temperature.schedule is not None:
                mask = read_rows(logits, mask, key, generator)
                logits, tau = temperature.watched(logits, mask), temperature.now()
            return self.estimator(logits, tau=tau, mask=mask, key=key, generator=generator)  # type: ignore[no-any-return]
        mask = read_rows(logits, mask, key, generator)
        if self.evaluation == "sample":
            key, generator = layer_key(key, generator, self.ranks)
            index = gumbel_max(logits, mask=mask, key=key, generator=generator)
            return one_hot(index, logits.shape[-1], logits.dtype)
        return probabilities(logits, mask) if self.evaluation == "mean" else one_hot_argmax(logits, mask)

    def binary_sample(
        self,
        logits: Tensor,
        *,
        mask: Tensor | None = None,
        key: Key | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw an on-off value for each logit, as in training; see ``TensorEstimator.binary_sample``.

        Args:
            logits: log odds ``[*]``.
            mask: boolean, broadcastable to the logits, True where an element may be on.
            key: the noise; the rank is folded in under ``torch.distributed``.
            generator: where to take a fresh key from.
        """
        check_floating("logits", logits)
        mask = read_mask(mask, logits)
        key, generator = layer_key(key, generator, self.ranks)
        # A row of one class for each element: what Adaptive counts.
        rows = None if mask is None else mask.unsqueeze(-1)
        logits = self.temperature.watched(logits.unsqueeze(-1), rows).squeeze(-1)
        tau = self.temperature.now()
        return self.estimator.binary_sample(logits, tau=tau, mask=mask, key=key, generator=generator)

    def reset_parameters(self) -> None:
        """Send a learned temperature back to its start."""
        for module in self.modules():
            if isinstance(module, Learned):
                module.reset_parameters()

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        blocks = "" if self.sizes is None else f", sizes={self.sizes}"
        return f"evaluation={self.evaluation!r}{blocks}"

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        moved_schedule(state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *args)


def read_rows(
    logits: Tensor, mask: Tensor | None, key: Key | None, generator: torch.Generator | None
) -> Tensor | None:
    """The mask in the shape of logits ``[*batch, classes]``, after a look at all arguments of a layer."""
    check_classes("logits", logits)
    if key is not None or generator is not None:
        one_source(key, generator)
    return read_mask(mask, logits)


def probabilities(logits: Tensor, mask: Tensor | None) -> Tensor:
    """Class probabilities in the dtype of the logits; zeros in rows without an allowed class."""
    return masked_softmax(logits, allowed_classes(logits, mask)).to(logits.dtype)


def one_hot_argmax(logits: Tensor, mask: Tensor | None) -> Tensor:
    """One-hot of the most probable class; zeros in rows without an allowed class. Operators that ONNX has."""
    values = logits if mask is None else logits.masked_fill(~mask, -math.inf)
    index = torch.where(values.amax(-1) > -math.inf, values.argmax(-1), -1)
    return one_hot(index, logits.shape[-1], logits.dtype)
