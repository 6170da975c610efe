"""Where an estimator's noise comes from: one key, S samples, as many streams as the estimator needs."""

import math

import torch
from torch import Tensor

from softdraw.estimators._core.categorical import allowed_classes, one_hot, row_tau
from softdraw.functional import gumbel_max, gumbel_sigmoid, gumbel_softmax
from softdraw.functional.gumbel_softmax import sample_plain
from softdraw.kernels.fast_path import is_plain
from softdraw.random import Key, source
from softdraw.random.key import key_from_numbers

__all__ = ["Draws"]


class Draws:
    """The noise of one call.

    Stream 0 is the noise of the caller's key itself, so the sample an estimator draws is that of
    ``sd.gumbel_max`` at the same key; further streams fold a number into the key. ``samples`` is the leading
    dim of all that is drawn, or None for a single sample without that dim.
    """

    def __init__(
        self,
        key: Key | None,
        generator: torch.Generator | None,
        samples: int | None,
        plain: bool | None = None,
    ) -> None:
        if key is not None or generator is not None:
            source.one_source(key, generator)
        self._key = key
        self._generator = generator
        self.samples = samples
        self._plain = plain
        self._spent = False

    def single(self) -> "Draws":
        """The same noise for one sample without the leading dim."""
        return Draws(self._key, self._generator, None)

    @property
    def shape(self) -> tuple[int, ...]:
        """The sample shape: ``(S,)`` or ``()``."""
        return () if self.samples is None else (self.samples,)

    def numbers(self, logits: Tensor, stream: int = 0) -> tuple[int, int]:
        """Seed and offset of a stream, for a fused kernel."""
        if self._key is None:
            self._key = key_from_numbers(*source.numbers(None, self._generator, logits))
        return (self._key if stream == 0 else self._key.fold_in(stream))._numbers()

    def fused(
        self, logits: Tensor, mask: Tensor | None, tau: float | Tensor
    ) -> tuple[Tensor, Tensor | None, float | Tensor] | None:
        """Logits, mask and temperature as a fused kernel takes them, or None where it does not serve: under a
        transform, for logits that nothing can learn, at a temperature that is 0 or infinite.
        """
        plain = is_plain(logits) if self._plain is None else self._plain
        if not (plain and torch.is_grad_enabled() and logits.requires_grad and logits.numel()):
            return None
        if isinstance(tau, Tensor):
            if tau.device.type != "cpu":
                return None
            tau = float(tau.detach()) if tau.dim() == 0 else row_tau(tau.detach(), logits)
        usable = (
            bool(((tau > 0) & (tau < math.inf)).all()) if isinstance(tau, Tensor) else 0.0 < tau < math.inf
        )
        if not usable:
            return None
        return logits.contiguous(), None if mask is None else mask.expand(logits.shape), tau

    @property
    def named(self) -> bool:
        """Whether the caller said where the noise comes from."""
        return self._key is not None or self._generator is not None

    @property
    def key(self) -> Key:
        """The key; without one, a fresh key is made at the first use and kept."""
        if self._key is None:
            if self._spent:
                raise RuntimeError("a single relaxed draw took a key that was not kept")
            self._key = source.fresh_key(self._generator)
        return self._key

    def index(self, logits: Tensor, mask: Tensor | None = None) -> Tensor:
        """Gumbel-Max indices ``[*shape, *rows]`` of stream 0."""
        return gumbel_max(logits.detach(), sample_shape=self.shape, mask=mask, key=self.key)

    def hard(self, logits: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """One-hot samples ``[*shape, *logits.shape]`` of stream 0 and their indices, without gradient.

        A row without classes is zeros, a row with NaN is NaN.
        """
        index, poison = self.checked_index(logits, mask)
        return one_hot(index, logits.shape[-1], logits.dtype, poison=poison), index

    def checked_index(self, logits: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Indices of stream 0 and, unless every row is known to be drawn, 0 or NaN for each row that is
        not.
        """
        index = self.index(logits, mask)
        values = logits.detach()
        if is_plain(logits) and index.device.type == "cpu" and not bool((index < 0).any()):
            return index, None
        # looking for NaN costs a pass over the logits, so on the CPU it waits for a row that was not drawn
        top = values.masked_fill(~allowed_classes(values, mask), -math.inf).amax(-1)
        return index, torch.where(top == -math.inf, 0.0, math.nan).to(values.dtype)

    def index_of_samples(self, logits: Tensor) -> Tensor:
        """Gumbel-Max indices of stream 0 for logits ``[*shape, *rows, C]`` that differ from sample to
        sample.
        """
        if self.samples is None:
            return self.index(logits)
        return gumbel_max(logits.detach(), noise=self.gumbel(logits[0]))

    def one_hot(self, logits: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """One-hot samples ``[*shape, *logits.shape]`` of stream 0, and which classes were allowed."""
        index = self.index(logits, mask)
        return one_hot(index, logits.shape[-1], logits.dtype), allowed_classes(logits.detach(), mask)

    def relaxed(self, logits: Tensor, tau: float | Tensor, *, hard: bool, mask: Tensor | None) -> Tensor:
        """Gumbel-Softmax samples ``[*shape, *logits.shape]`` of stream 0; a single one is the last draw."""
        if self.samples is None:
            self._spent = True
            if self._plain and mask is None and type(tau) is float:
                return sample_plain(logits, None, tau, hard, self._key, self._generator)
            return gumbel_softmax(logits, tau, hard, mask=mask, key=self._key, generator=self._generator)
        noise = self.gumbel(logits)
        return gumbel_softmax(logits.expand(noise.shape), tau, hard, mask=mask, noise=noise)

    def binary(self, logits: Tensor, tau: float | Tensor, *, hard: bool, mask: Tensor | None) -> Tensor:
        """One sample of ``gumbel_sigmoid`` for log odds of any shape."""
        return gumbel_sigmoid(logits, tau, hard, mask=mask, key=self.key)

    def gumbel(self, logits: Tensor, stream: int = 0, extra: int | None = None) -> Tensor:
        """Gumbel noise ``[*shape, *logits.shape]`` for such logits; ``extra`` puts one more dim in front."""
        return self._noise("gumbel", logits, stream, extra)

    def logistic(self, logits: Tensor) -> Tensor:
        """Logistic(0, 1) noise ``[*shape, *logits.shape]`` of stream 0."""
        return self._noise("logistic", logits, 0, None)

    def _noise(self, law: str, logits: Tensor, stream: int, extra: int | None) -> Tensor:
        lead = self.shape if extra is None else (extra, *self.shape)
        key = self.key if stream == 0 else self.key.fold_in(stream)
        drawn: Tensor = source.noise(law, logits.detach(), math.prod(lead), key, plain=is_plain(logits))
        return drawn.reshape(*lead, *logits.shape)

    def normal(self, logits: Tensor, stream: int = 0) -> Tensor:
        """Standard normal noise by inversion of two one-sided uniforms, so that both tails are fine."""
        noise = self.gumbel(logits, stream)
        upper = noise > 0.36651292  # the median of the Gumbel law
        e = torch.exp(-noise)
        # below the median the lower tail is u = exp(-e); above it, the upper tail 1 - u = -expm1(-e)
        tail = torch.where(upper, -torch.expm1(-e), torch.exp(-e)).clamp_min(torch.finfo(e.dtype).tiny)
        value = torch.special.ndtri(tail)
        return torch.where(upper, -value, value)
