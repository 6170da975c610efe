"""What an estimator may ask of a distribution, one promise a protocol.

Every law of this room keeps them as far as it can, and so may an object of a user's own. ``lacks`` asks
without computing anything, which ``isinstance`` would do for a property.
"""

import inspect
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from softdraw.random import Key

__all__ = ["Counts", "Draws", "Marginalises", "Relaxes", "Scores", "lacks"]


class Draws(Protocol):
    """Says how to draw: ``[*sample_shape, *batch, *event]``, without a gradient."""

    def sample(
        self,
        sample_shape: Sequence[int] = (),
        *,
        key: Key | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw from the law itself."""
        ...


class Scores(Protocol):
    """Says how probable a value is, with a gradient to the law's own parameters."""

    def log_prob(self, value: Tensor) -> Tensor:
        """Log probability ``[*sample_shape, *batch]`` of values."""
        ...


class Relaxes(Protocol):
    """Says how to relax a draw at a temperature."""

    def relax(
        self,
        tau: float | Tensor = 1.0,
        *,
        hard: bool = False,
        sample_shape: Sequence[int] = (),
        key: Key | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """A relaxed sample with a gradient; exactly zeros and ones in value for ``hard``."""
        ...


class Marginalises(Protocol):
    """Knows the mean of what it draws."""

    @property
    def marginals(self) -> Tensor:
        """How probable each part is, differentiable, in the shape ``[*batch, *event]`` of a sample."""
        ...


class Counts(Protocol):
    """Can list all that may be drawn."""

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values ``[count, *batch, *event]``."""
        ...


def lacks(distribution: object, *protocols: type[Any]) -> list[str]:
    """The names that the protocols ask for and ``distribution`` has not, in order; nothing is computed.

    Example:
        >>> import torch
        >>> from softdraw.structured.protocols import Draws, Marginalises, Relaxes, lacks
        >>> lacks(torch.distributions.Bernoulli(0.5), Draws, Relaxes, Marginalises)
        ['relax', 'marginals']
    """
    absent = object()
    return [
        name
        for protocol in protocols
        for name in vars(protocol)
        if not name.startswith("_") and inspect.getattr_static(distribution, name, absent) is absent
    ]
