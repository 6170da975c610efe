"""From a number to a score between 0 and 1.

Reference:
    Brown et al. 2019, "GuacaMol: benchmarking models for de novo molecular design", J. Chem. Inf. Model. 59,
    1096, arXiv:1811.09621.
"""

import math
from dataclasses import dataclass

__all__ = ["AtLeast", "AtMost", "Clipped", "Gaussian"]


@dataclass(frozen=True)
class Clipped:
    """0 up to 0, 1 from ``upper`` on, a straight line between them; GuacaMol's thresholded modifier.

    Example:
        >>> Clipped(0.5)(0.25), Clipped(0.5)(0.75)
        (0.5, 1.0)
    """

    upper: float

    def __call__(self, value: float) -> float:
        """The score of a value."""
        return min(1.0, max(0.0, value / self.upper))


@dataclass(frozen=True)
class Gaussian:
    """1 at ``mean``, falling to both sides as a Gaussian of that ``width``.

    Example:
        >>> Gaussian(2.0, 0.5)(2.0), round(Gaussian(2.0, 0.5)(1.0), 4)
        (1.0, 0.1353)
    """

    mean: float
    width: float

    def __call__(self, value: float) -> float:
        """The score of a value."""
        return math.exp(-0.5 * ((value - self.mean) / self.width) ** 2)


@dataclass(frozen=True)
class AtMost(Gaussian):
    """1 up to ``mean``, half a Gaussian beyond it; GuacaMol's MinGaussian.

    Example:
        >>> AtMost(4.0, 1.0)(1.0), round(AtMost(4.0, 1.0)(5.0), 4)
        (1.0, 0.6065)
    """

    def __call__(self, value: float) -> float:
        """The score of a value."""
        return super().__call__(max(value, self.mean))


@dataclass(frozen=True)
class AtLeast(Gaussian):
    """1 from ``mean`` on, half a Gaussian below it; GuacaMol's MaxGaussian.

    Example:
        >>> AtLeast(4.0, 1.0)(9.0), round(AtLeast(4.0, 1.0)(3.0), 4)
        (1.0, 0.6065)
    """

    def __call__(self, value: float) -> float:
        """The score of a value."""
        return super().__call__(min(value, self.mean))
