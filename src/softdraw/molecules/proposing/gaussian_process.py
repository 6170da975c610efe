"""A Gaussian process over molecules: Cholesky factor, growing by rows, and what it predicts.

Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", algorithm 2.1 and section 5.4.1.
"""

import math
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from softdraw.molecules.proposing.counts import VIEWS, Counts, Reference

__all__ = ["NOISES", "GaussianProcess", "Kernel", "fitted_kernel", "kernels"]

NOISES = (1e-3, 1e-2, 1e-1)
"""Variances of the noise that are tried, in variances of the function."""
_PARTS = 4
"""Weights are quarters."""


class Kernel(NamedTuple):
    """A weighted mean of the Tanimoto kernels of the views of a molecule.

    Attributes:
        weights: of each of ``VIEWS``, in their order; their sum is 1.
        noise: variance of the noise, in variances of the function, above 0.
    """

    weights: tuple[float, ...]
    noise: float


def kernels() -> Iterator[Kernel]:
    """Those that are tried. None is of the composition alone, for which isomers are one molecule.

    Example:
        >>> len({kernel.weights for kernel in kernels()})
        34
    """
    for parts in product(range(_PARTS + 1), repeat=len(VIEWS)):
        if sum(parts) == _PARTS and parts[-1] < _PARTS:
            for noise in NOISES:
                yield Kernel(tuple(part / _PARTS for part in parts), noise)


class GaussianProcess:
    """Values of molecules as a draw of a Gaussian process with a Tanimoto kernel, seen with noise.

    Its mean is that of the values given. The scale of the function has the closed form that maximises the
    likelihood for the noise given.

    Args:
        counts: of the molecules that are known, as ``count_views`` gives them, at least one.
        kernel: how alike they are, and the noise.

    Example:
        >>> from softdraw.molecules.proposing.counts import count_views
        >>> kernel = Kernel((1.0, 0.0, 0.0, 0.0), noise=1e-3)
        >>> process = GaussianProcess(count_views(["CCO", "CCN"]), kernel)
        >>> mean, std = process.predict(count_views(["CCO", "c1ccccc1"]), np.array([1.0, 0.0]))
        >>> mean.round(2).tolist(), bool(std[0] < std[1])
        ([1.0, 0.5], True)
    """

    def __init__(self, counts: Counts, kernel: Kernel) -> None:
        self.kernel = kernel
        self._references = _references(counts, kernel)
        self._factor = torch.linalg.cholesky(_noisy(self._similarity(counts), kernel.noise))

    def __len__(self) -> int:
        return len(self._factor)

    def append(self, counts: Counts) -> None:
        """Take more molecules in: the factor gets rows, which costs the square of its size for each."""
        across = torch.from_numpy(self._similarity(counts))
        here = _noisy(_similarity(_references(counts, self.kernel), counts), self.kernel.noise)
        left = torch.linalg.solve_triangular(self._factor, across.T, upper=False)
        corner = torch.linalg.cholesky(here - left.T @ left)
        old, new = len(self._factor), len(counts)
        factor = torch.zeros(old + new, old + new, dtype=torch.float64)
        factor[:old, :old], factor[old:, :old], factor[old:, old:] = self._factor, left.T, corner
        self._factor = factor
        for view, (_, reference) in self._references.items():
            reference.append(counts[:, VIEWS[view]])

    def predict(
        self, counts: Counts, values: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Means and standard deviations of the function, without noise.

        Args:
            counts: of m molecules, as ``count_views`` gives them.
            values: of the molecules that are known, in the order in which they came, ``[n]``.

        Returns:
            Both ``[m]``, in units of the values.
        """
        known, centre, spread = _standard(values)
        weights = torch.cholesky_solve(known[:, None], self._factor)[:, 0]
        scale = float(known @ weights) / len(known)
        across = torch.from_numpy(self._similarity(counts))
        mean = across @ weights
        explained = torch.linalg.solve_triangular(self._factor, across.T, upper=False).square().sum(0)
        std = (scale * (1 - explained).clamp(min=0)).sqrt()
        return (mean * spread + centre).numpy(), (std * spread).numpy()

    def _similarity(self, counts: Counts) -> NDArray[np.float64]:
        return _similarity(self._references, counts)


def fitted_kernel(counts: Counts, values: NDArray[np.float64]) -> Kernel:
    """The kernel of those tried under which the values are the most likely, with the scale best for it.

    Args:
        counts: of n molecules, as ``count_views`` gives them; the cost grows with the third power of n.
        values: of each, ``[n]``.
    """
    known, _, _ = _standard(values)
    parts = [counts[:, places] for places in VIEWS.values()]
    views = np.stack([Reference(part).similarity(part) for part in parts])
    best, most = next(kernels()), -math.inf
    for kernel in kernels():
        factor = torch.linalg.cholesky(_noisy(np.tensordot(kernel.weights, views, 1), kernel.noise))
        weights = torch.cholesky_solve(known[:, None], factor)[:, 0]
        scale = max(float(known @ weights) / len(known), 1e-300)
        likelihood = -0.5 * len(known) * math.log(scale) - float(factor.diagonal().log().sum())
        if likelihood > most:
            best, most = kernel, likelihood
    return best


_References = dict[str, tuple[float, Reference]]
"""By view: its weight, and the molecules that are known."""


def _references(counts: Counts, kernel: Kernel) -> _References:
    weighted = zip(VIEWS.items(), kernel.weights, strict=True)
    return {view: (weight, Reference(counts[:, places])) for (view, places), weight in weighted if weight}


def _similarity(references: _References, counts: Counts) -> NDArray[np.float64]:
    parts = (weight * kept.similarity(counts[:, VIEWS[view]]) for view, (weight, kept) in references.items())
    total: NDArray[np.float64] = sum(parts, np.zeros(()))
    return total


def _noisy(kernel: NDArray[np.float64], noise: float) -> Tensor:
    matrix = torch.from_numpy(kernel).clone()
    matrix.diagonal().add_(noise)
    return matrix


def _standard(values: NDArray[np.float64]) -> tuple[Tensor, float, float]:
    """Values with mean 0 and deviation 1, and what was taken away; equal values stay 0."""
    centre, spread = float(values.mean()), float(values.std())
    spread = spread if spread > 0 else 1.0
    return torch.from_numpy((values - centre) / spread), centre, spread
