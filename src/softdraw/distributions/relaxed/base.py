"""What all relaxed distributions share: draws that carry their log-space value, densities taken from it."""

from typing import Any, ClassVar, Self

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from softdraw._torch import is_readable, unfilled, without_subclass
from softdraw.arguments import check_floating, read_sample_shape
from softdraw.distributions.relaxed.log_space_sample import carry, log_space_of
from softdraw.kernels.formulas import compute_dtype
from softdraw.random import Key


class Relaxed(Distribution):
    """A distribution whose samples are a smooth function of ``(logits + noise) / temperature``.

    Subclasses implement four steps: ``_noise`` draws, ``_log_space`` scales and shifts, ``_value`` maps the
    log-space value into the support, ``_density`` is the log density as a function of the log-space value;
    and ``_invert`` for a value that carries none.
    """

    has_rsample = True
    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {"temperature": constraints.positive}
    temperature: Tensor
    _scores: Tensor
    _allowed: Tensor
    _dtype: torch.dtype

    def _initialise(
        self,
        scores: Tensor,
        allowed: Tensor,
        temperature: Tensor,
        dtype: torch.dtype,
        batch_shape: torch.Size,
        validate_args: bool | None,
    ) -> None:
        event = scores.shape[scores.dim() - self._event_dims :]
        self.temperature = temperature
        self._scores = scores.expand(batch_shape + event)
        self._allowed = allowed.expand(batch_shape + event)
        self._dtype = dtype
        super().__init__(batch_shape, event, validate_args=False)
        self._validate_args = Distribution._validate_args if validate_args is None else validate_args
        # torch.compile turns the default off for the whole process. A hard sample whose log-space value is
        # lost has no useful density, so there only an explicit validate_args=False silences the error.
        self._check_edges = self._validate_args or (validate_args is None and self._straight_through)
        self._full: bool | None = None

    _event_dims: ClassVar[int] = 1
    _straight_through: ClassVar[bool] = False

    @property
    def _space(self) -> str:
        """Names the map from log-space values to samples."""
        raise NotImplementedError

    def expand(self, batch_shape: Any, _instance: Any = None) -> Self:
        """The same distribution with its parameters expanded to ``batch_shape``."""
        new: Self = unfilled(self, _instance)
        batch_shape = torch.Size(batch_shape)
        new._copy_options(self)
        new._initialise(
            self._scores, self._allowed, self.temperature, self._dtype, batch_shape, self._validate_args
        )
        new._check_edges = self._check_edges
        return new

    def _copy_options(self, other: Self) -> None:
        """Take over what a subclass holds beside logits, mask and temperature."""

    def _is_full(self) -> bool:
        """Whether nothing is masked: the short path. Only the CPU can be asked without a wait."""
        if self._full is None:
            known = self._allowed.device.type == "cpu" and is_readable(self._allowed)
            self._full = known and bool(self._allowed.all())
        return self._full

    def _is_plain(self, log_space: Tensor) -> bool:
        """Whether nothing is masked and no entry of ``log_space`` is infinite."""
        return self._is_full() and is_readable(log_space) and bool(log_space.isfinite().all())

    @property
    def param_shape(self) -> torch.Size:
        """The shape of the logits."""
        return self._scores.shape

    def sample(
        self,
        sample_shape: Any = (),
        *,
        key: Key | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """``rsample`` without a gradient."""
        with torch.no_grad():
            return self.rsample(sample_shape, key=key, generator=generator)

    def rsample(
        self,
        sample_shape: Any = (),
        *,
        key: Key | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw differentiable samples that carry their log-space value, so that ``log_prob`` of them is
        right.

        Args:
            sample_shape: leading shape of the result; each of these samples has noise of its own.
            key: the noise; without it a fresh key comes from ``generator``, or from torch's default
                generator.
            generator: where to take a fresh key from.

        Returns:
            ``[*sample_shape, *batch_shape, *event_shape]`` in the dtype of the parameters. Inside
            ``torch.compile`` it is a plain tensor: use ``rsample_and_log_prob`` there.

        Raises:
            TypeError: ``sample_shape`` is no sequence of ints, ``key`` no ``Key`` or ``generator`` no
                ``torch.Generator``.
            ValueError: both ``key`` and ``generator``, or a negative size.
        """
        value, log_space = self._draw(sample_shape, key, generator)
        return carry(value, log_space, self._space)

    def rsample_and_log_prob(
        self,
        sample_shape: Any = (),
        *,
        key: Key | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Draw samples with their log density, without carrying anything: for ``torch.compile`` and ``vmap``.

        Args:
            sample_shape: leading shape of the result.
            key: the noise.
            generator: where to take a fresh key from.

        Returns:
            Samples ``[*sample_shape, *batch_shape, *event_shape]`` and their log density
            ``[*sample_shape, *batch_shape]``, equal to ``rsample`` and ``log_prob`` at the same key,
            gradients too.

        Raises:
            TypeError: ``sample_shape`` is no sequence of ints, ``key`` no ``Key`` or ``generator`` no
                ``torch.Generator``.
            ValueError: both ``key`` and ``generator``, or a negative size.
        """
        value, log_space = self._draw(sample_shape, key, generator)
        return value, self._density(log_space).to(compute_dtype(self._dtype))

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density ``[*batch]`` of values ``[*batch, *event_shape]``; float32, or float64 for float64.

        A sample of ``rsample`` is evaluated at the log-space value that it carries. A plain value is taken as
        it is: on the boundary of the support, where the density is 0 or infinite, that is an error when
        arguments are validated, and the limit of the density otherwise.

        Raises:
            TypeError: the value is no dense tensor of float16, bfloat16, float32 or float64.
            ValueError: the value has a wrong shape, lies outside the support, or is a plain value on its
                boundary (only when arguments are validated).
        """
        check_floating("value", value)
        carried = log_space_of(value, self._space)
        if self._validate_args:
            self._validate_sample(value)
        log_space = self._inverse(value) if carried is None else self._unless_changed(value, *carried)
        wider = torch.promote_types(compute_dtype(self._dtype), compute_dtype(value.dtype))
        return self._density(log_space).to(wider)

    def _inverse(self, value: Tensor) -> Tensor:
        if self._check_edges:
            self._check_interior(value)
        return self._invert(value)

    def _unless_changed(self, value: Tensor, log_space: Tensor, drawn: Tensor) -> Tensor:
        """``log_space`` where ``value`` is still what was drawn with it: not all changes are counted."""
        with without_subclass():
            value = value.as_subclass(Tensor)
        if value.device.type == "cpu" and is_readable(value, drawn):
            if torch.equal(value, drawn) or bool(_same(value, drawn).all()):
                return log_space
            return self._inverse(value)
        # Elsewhere the answer stays on the device, row by row.
        same = _same(value, drawn)
        same = same.all(-1, keepdim=True) if self._event_dims else same
        return torch.where(same, log_space, self._invert(value))

    def _validate_sample(self, value: Tensor) -> None:
        if is_readable(value, self._scores) and value.numel():
            super()._validate_sample(value)

    def _draw(
        self, sample_shape: Any, key: Key | None, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        noise = self._noise(torch.Size(read_sample_shape(sample_shape)), key, generator)
        log_space = self._log_space(noise)
        return self._value(noise, log_space), log_space

    def _noise(self, sample_shape: torch.Size, key: Key | None, generator: torch.Generator | None) -> Tensor:
        raise NotImplementedError

    def _log_space(self, noise: Tensor) -> Tensor:
        raise NotImplementedError

    def _value(self, noise: Tensor, log_space: Tensor) -> Tensor:
        raise NotImplementedError

    def _density(self, log_space: Tensor) -> Tensor:
        raise NotImplementedError

    def _invert(self, value: Tensor) -> Tensor:
        raise NotImplementedError

    def _check_interior(self, value: Tensor) -> None:
        """Raise a ValueError for a plain value on the boundary of the support."""

    def _absent(self, what: str, why: str) -> NotImplementedError:
        return NotImplementedError(f"{type(self).__name__} has no closed form for its {what}: {why}")


def _same(one: Tensor, other: Tensor) -> Tensor:
    return (one == other) | (one.isnan() & other.isnan())
