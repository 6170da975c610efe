"""The one interface of all estimators of the gradient of E[f(z)]."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from softdraw.arguments import (
    check_classes,
    check_floating,
    described,
    is_usual,
    read_count,
    read_mask,
    sizes_of,
    wrong_value,
)
from softdraw.estimators._core.categorical import column, row_temperature
from softdraw.estimators._core.costs import Cost, call_cost
from softdraw.estimators._core.draws import Draws
from softdraw.estimators._core.errors import UnsuitableError
from softdraw.estimators._core.laws import Law, is_law, read_law
from softdraw.kernels.fast_path import is_plain
from softdraw.random import Key
from softdraw.recording import is_symbol, record_module

__all__ = ["Cost", "Estimator", "TensorEstimator", "call_cost"]


class Estimator(nn.Module, ABC):
    """An estimator of the gradient of E[f(z)], z one-hot samples of ``[*batch, D, C]`` logits.

    Subclasses state what they are in class attributes and write ``_estimate``; ``expectation`` checks the
    arguments. An estimator without state is a module without parameters.

    Attributes:
        name: its name in the registry.
        family: the idea behind it: ``"exact"``, ``"relaxed"``, ``"straight-through"``, ``"score-function"``,
            ``"control-variate"``, ``"perturbation"`` or ``"structured"``.
        needs: ``"tensor"`` (returns a differentiable one-hot, works in any network), ``"callable"`` (calls f,
            which may be a black box) or ``"differentiable callable"``.
        target: what the value estimates: ``"expectation"`` E[f(z)], ``"relaxed"`` E[f] of the soft sample,
            ``"tempered"`` E[f(z)] under another law, ``"bound"`` a multi-sample bound.
        unbiased: whether value and gradient are unbiased for that target.
        binary: whether it serves two classes only.
        law_needs: the methods it asks of a distribution; none where it serves one-hot logits alone.
        as_logits: the estimator that it equals for logits, under another name, or "".
        default_tau: the temperature it takes when none is given, or None where it has none.
        reference: the paper, with the equation that the code follows.
        remark: what else a table of estimators should say, in a few words.
    """

    name: ClassVar[str] = ""
    family: ClassVar[str] = ""
    needs: Literal["tensor", "callable", "differentiable callable"] = "callable"
    target: Literal["expectation", "relaxed", "tempered", "bound"] = "expectation"
    unbiased: bool = False
    binary: ClassVar[bool] = False
    law_needs: ClassVar[tuple[str, ...]] = ()
    as_logits: ClassVar[str] = ""
    default_tau: ClassVar[float | None] = None
    minimum_samples: ClassVar[int] = 1
    reference: ClassVar[str] = ""
    remark: ClassVar[str] = ""

    def __init__(self, *, samples: int = 1) -> None:
        super().__init__()
        self.samples = read_count("samples", samples, self.minimum_samples)

    def expectation(
        self,
        f: Cost,
        logits: Tensor | Law,
        *,
        mask: Tensor | None = None,
        key: Key | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Estimate the target for each batch element; the backward is the estimate of its gradient.

        Args:
            f: maps one-hot samples ``[S, *batch, D, C]`` to costs ``[S, *batch]``. Its own parameters get
                their gradient too. For a distribution it maps draws ``[S, *batch_shape, *event_shape]``.
            logits: ``[*batch, D, C]``: D variables of C classes each; or a distribution (``Law``), whose own
                parameters then get the gradient.
            mask: boolean, broadcastable to the logits, True where a class is allowed; a distribution has
                its own.
            key: where the noise comes from; the same key gives the same estimate.
            generator: seeds a fresh key when ``key`` is None.

        Returns:
            ``[*batch]`` in the dtype of f's costs. Reduce it and call ``backward``.

        Raises:
            TypeError: logits that are no dense tensor of float16, bfloat16, float32 or float64, a mask that
                is none of bool, or ``key`` or ``generator`` of another type.
            ValueError: logits that are no ``[*batch, D, C]``, a mask that does not broadcast or is on another
                device, both ``key`` and ``generator``, or costs of another shape than ``[S, *batch]``.
            UnsuitableError: a ``ValueError`` too: more than two classes for a binary estimator, an f
                without gradient for an estimator that needs one, or a distribution without the methods that
                the estimator asks for; the message names them, and the estimators that would do.
        """
        if is_law(logits):
            read_law(self, logits, mask)
            return self._of_law(f, logits, Draws(key, generator, self.samples))
        check_logits(logits, mask, dims=2)
        self._check(logits)
        return self._estimate(f, logits, mask, Draws(key, generator, self.samples))

    def evaluations(self, variables: int, classes: int) -> int:
        """How many values of f one ``expectation`` asks for, per batch element."""
        del variables, classes
        return self.samples

    def _check(self, logits: Tensor) -> None:
        if self.binary and sizes_of(logits)[-1] != 2:
            raise UnsuitableError(
                f"logits: got {described(logits)}, expected [*batch, D, 2], because {type(self).__name__} "
                "serves binary variables"
            )

    @abstractmethod
    def _estimate(self, f: Cost, logits: Tensor, mask: Tensor | None, draws: Draws) -> Tensor:
        """The value for each batch element, whose backward gives the logits their gradient."""

    def _of_law(self, f: Cost, law: Any, draws: Draws, tau: Any = None) -> Tensor:
        """The value for each batch element of a distribution that has what ``law_needs`` names."""
        raise NotImplementedError(f"{type(self).__name__} states law_needs and has no _of_law")

    def _options(self) -> dict[str, object]:
        return {"samples": self.samples}

    def __repr__(self) -> str:
        options = ", ".join(f"{k}={_short(v)}" for k, v in self._options().items())
        return f"{type(self).__name__}({options})"


class TensorEstimator(Estimator):
    """An estimator that returns a differentiable sample: ``y = est(logits)`` in any network.

    Subclasses write ``_sample``; ``tau`` is the temperature of the draw, None for an estimator without one.
    Works under ``torch.compile`` and ``torch.func.vmap``.
    """

    needs = "tensor"

    def forward(
        self,
        logits: Tensor,
        *,
        tau: float | Tensor | None = None,
        mask: Tensor | None = None,
        key: Key | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw one sample whose backward is the estimator's.

        Args:
            logits: ``[*batch, C]``, any number of leading dims.
            tau: the temperature of this draw; None takes the estimator's own.
            mask: boolean, broadcastable to the logits, True where a class is allowed.
            key: where the noise comes from.
            generator: seeds a fresh key when ``key`` is None.

        Returns:
            ``[*batch, C]`` in the dtype of the logits: one-hot rows (soft ones where ``target`` is
            ``"relaxed"``), zeros where a row has no allowed class.

        Raises:
            TypeError: logits that are no dense tensor of float16, bfloat16, float32 or float64, a mask that
                is none of bool, a temperature that is no number and no such tensor, or ``key`` or
                ``generator`` of another type.
            ValueError: no classes, a mask that does not broadcast or is on another device, a temperature that
                is negative, NaN or not one value a row, one for an estimator that has none, more than two
                classes for a binary one, or both ``key`` and ``generator``.
        """
        plain = is_plain(logits)
        if plain and is_usual(logits):
            if mask is not None:
                read_mask(mask, logits)
        elif is_symbol(logits):
            return record_module(self, logits, tau=tau, mask=mask, key=key, generator=generator)  # type: ignore[no-any-return]
        else:
            check_logits(logits, mask, dims=1)
        self._check(logits)
        tau, logits = self._at(tau, logits, mask)
        if tau is not None and type(tau) is not float:
            tau = row_temperature(tau, logits)
        return self._sample(logits, mask, tau, Draws(key, generator, None, plain))

    def binary_sample(
        self,
        logits: Tensor,
        *,
        tau: float | Tensor | None = None,
        mask: Tensor | None = None,
        key: Key | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw an on-off value for each logit: what the first of the two classes ``[logit, 0]`` gets.

        Args:
            logits: log odds ``[*]`` of any shape.
            tau: the temperature of this draw, as :func:`softdraw.gumbel_sigmoid` reads it; None takes the
                estimator's own.
            mask: boolean, broadcastable to the logits, True where an element may be on.
            key: where the noise comes from.
            generator: seeds a fresh key when ``key`` is None.

        Returns:
            ``[*]`` in the dtype of the logits; exactly 0 where masked.

        Raises:
            TypeError, ValueError: as ``forward``.
        """
        check_floating("logits", logits)
        read_mask(mask, logits)
        tau, rows = self._at(tau, logits.unsqueeze(-1), None if mask is None else mask.unsqueeze(-1))
        logits = rows.squeeze(-1)
        tau = row_temperature(tau, logits if logits.dim() else rows)
        return self._binary_sample(logits, mask, tau, Draws(key, generator, None))

    def expectation(
        self,
        f: Cost,
        logits: Tensor | Law,
        *,
        tau: float | Tensor | None = None,
        mask: Tensor | None = None,
        key: Key | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Estimate the target for each batch element; the backward is the estimate of its gradient.

        Args:
            f: as in ``Estimator.expectation``.
            logits: ``[*batch, D, C]``: D variables of C classes each; or a distribution (``Law``).
            tau: the temperature of this call; None takes the estimator's own.
            mask: boolean, broadcastable to the logits, True where a class is allowed.
            key: where the noise comes from; the same key gives the same estimate.
            generator: seeds a fresh key when ``key`` is None.

        Returns:
            ``[*batch]`` in the dtype of f's costs. Reduce it and call ``backward``.

        Raises:
            ValueError: as in ``Estimator.expectation``, or a temperature for an estimator without one.
            TypeError: as in ``Estimator.expectation``.
        """
        if is_law(logits):
            read_law(self, logits, mask)
            return self._of_law(f, logits, Draws(key, generator, self.samples), self._law_tau(tau))
        check_logits(logits, mask, dims=2)
        self._check(logits)
        tau, logits = self._at(tau, logits, mask)
        return self._estimate(
            f, logits, mask, Draws(key, generator, self.samples), row_temperature(tau, logits)
        )

    def _estimate(
        self, f: Cost, logits: Tensor, mask: Tensor | None, draws: Draws, tau: float | Tensor | None = None
    ) -> Tensor:
        if self.samples == 1:
            sample = self._sample(logits, mask, tau, draws.single()).unsqueeze(0)
        else:
            sample = self._sample(logits, mask, tau, draws)
        return call_cost(f, sample, differentiable=True, caller=self).mean(0)

    def _at(
        self, tau: float | Tensor | None, logits: Tensor, mask: Tensor | None
    ) -> tuple[float | Tensor | None, Tensor]:
        """The temperature of a draw, and the logits to draw from."""
        del mask
        if tau is not None:
            raise wrong_value("tau", tau, f"None: {type(self).__name__} has no temperature")
        return None, logits

    def _law_tau(self, tau: float | Tensor | None) -> float | Tensor | None:
        """The temperature of an expectation under a distribution."""
        if tau is not None:
            raise wrong_value("tau", tau, f"None: {type(self).__name__} has no temperature")
        return None

    @abstractmethod
    def _sample(self, logits: Tensor, mask: Tensor | None, tau: Any, draws: Draws) -> Tensor:
        """One sample ``[*draws.shape, *logits.shape]`` at the temperature ``tau`` of this call."""

    def _binary_sample(self, logits: Tensor, mask: Tensor | None, tau: Any, draws: Draws) -> Tensor:
        pair = torch.stack([logits, torch.zeros_like(logits)], -1)
        # what is a class of a row in the logits is a row of the pairs
        first = self._sample(pair, None, column(tau), draws)[..., 0]
        return first if mask is None else torch.where(mask, first, 0.0)


def check_logits(logits: Tensor, mask: Tensor | None, *, dims: int) -> None:
    """Raise the error that names what is wrong with logits or mask."""
    check_classes("logits", logits, "[*batch, D, C]" if dims == 2 else "[*batch, C]")
    read_mask(mask, logits)


def _short(value: object) -> object:
    if isinstance(value, Tensor):
        return f"{value.item():g}" if value.numel() == 1 else f"<tensor {tuple(value.shape)}>"
    return repr(value) if isinstance(value, str) else value
