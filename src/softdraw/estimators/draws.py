"""Where an estimator's noise comes from: one key, S samples, as many streams as the estimator needs."""

import torch
from torch import Tensor

import softdraw.random
from softdraw.estimators.categorical import allowed_classes, as_tau, compute_dtype, one_hot
from softdraw.functional import gumbel_max, gumbel_softmax
from softdraw.random import Key

__all__ = ["Draws"]


class Draws:
    """The noise of one call.

    Stream 0 is the noise of the caller's key itself, so the sample an estimator draws is that of
    ``sd.gumbel_max`` at the same key; further streams fold a number into the key. ``samples`` is the leading
    dim of all that is drawn, or None for a single sample without that dim.
    """

    def __init__(self, key: Key | None, generator: torch.Generator | None, samples: int | None) -> None:
        if key is not None and generator is not None:
            raise ValueError("key= and generator= were both given: expected at most one of them")
        self._key = key
        self._generator = generator
        self.samples = samples

    def single(self) -> "Draws":
        """The same noise for one sample without the leading dim."""
        return Draws(self._key, self._generator, None)

    @property
    def shape(self) -> tuple[int, ...]:
        """The sample shape: ``(S,)`` or ``()``."""
        return () if self.samples is None else (self.samples,)

    @property
    def key(self) -> Key:
        """The key; without one, a fresh key is made at the first use and kept."""
        if self._key is None:
            self._key = softdraw.random.fresh_key(self._generator)
        return self._key

    def index(self, logits: Tensor, mask: Tensor | None = None) -> Tensor:
        """Gumbel-Max indices ``[*shape, *rows]`` of stream 0."""
        generator = self._generator if self._key is None else None
        return gumbel_max(
            logits.detach(), sample_shape=self.shape, mask=mask, key=self._key, generator=generator
        )

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
        """Gumbel-Softmax samples ``[*shape, *logits.shape]`` of stream 0."""
        if isinstance(tau, Tensor) and tau.dim():
            tau = as_tau(tau, logits)
        if self.samples is None:
            generator = self._generator if self._key is None else None
            return gumbel_softmax(logits, tau, hard, mask=mask, key=self._key, generator=generator)
        noise = self.gumbel(logits)
        if isinstance(tau, Tensor) and tau.dim():
            tau = tau.unsqueeze(0)
        return gumbel_softmax(logits.expand(noise.shape), tau, hard, mask=mask, noise=noise)

    def gumbel(self, logits: Tensor, stream: int = 0, extra: int | None = None) -> Tensor:
        """Gumbel noise ``[*shape, *logits.shape]`` for such logits; ``extra`` puts one more dim in front."""
        return softdraw.random.gumbel(
            tuple(logits.shape),
            sample_shape=self.shape if extra is None else (extra, *self.shape),
            key=self.key if stream == 0 else self.key.fold_in(stream),
            dtype=compute_dtype(logits.dtype),
            device=logits.device,
        )

    def logistic(self, logits: Tensor) -> Tensor:
        """Logistic(0, 1) noise ``[*shape, *logits.shape]`` of stream 0."""
        return softdraw.random.logistic(
            tuple(logits.shape),
            sample_shape=self.shape,
            key=self.key,
            dtype=compute_dtype(logits.dtype),
            device=logits.device,
        )

    def normal(self, logits: Tensor, stream: int = 0) -> Tensor:
        """Standard normal noise by inversion of two one-sided uniforms, so that both tails are fine."""
        noise = self.gumbel(logits, stream)
        upper = noise > 0.36651292  # the median of the Gumbel law
        e = torch.exp(-noise)
        # below the median the lower tail is u = exp(-e); above it, the upper tail 1 - u = -expm1(-e)
        tail = torch.where(upper, -torch.expm1(-e), torch.exp(-e)).clamp_min(torch.finfo(e.dtype).tiny)
        value = torch.special.ndtri(tail)
        return torch.where(upper, -value, value)
