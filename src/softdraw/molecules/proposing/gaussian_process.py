"""A Gaussian process over molecules: Cholesky factor, growing by rows, and what it predicts.

Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", algorithm 2.1 and section 5.4.1.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from softdraw.molecules.proposing.counts import Counts, Reference

__all__ = ["NOISES", "GaussianProcess", "fitted_noise"]

NOISES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)
"""Variances of the noise that are tried, in variances of the function."""


class GaussianProcess:
    """Values of molecules as a draw of a Gaussian process with the Tanimoto kernel, seen with noise.

    Its mean is that of the values given. The scale of the function has the closed form that maximises the
    likelihood for the noise given.

    Args:
        counts: of the molecules that are known, ``[n, 2048]``, at least one.
        noise: variance of the noise, in variances of the function, above 0.

    Example:
        >>> from softdraw.molecules.proposing.counts import count_substructures
        >>> process = GaussianProcess(count_substructures(["CCO", "CCN"]), noise=1e-3)
        >>> mean, std = process.predict(count_substructures(["CCO", "c1ccccc1"]), np.array([1.0, 0.0]))
        >>> mean.round(2).tolist(), bool(std[0] < std[1])
        ([1.0, 0.5], True)
    """

    def __init__(self, counts: Counts, noise: float) -> None:
        self.noise = noise
        self._reference = Reference(counts)
        self._factor = torch.linalg.cholesky(_noisy(self._reference.similarity(counts), noise))

    def __len__(self) -> int:
        return len(self._factor)

    def append(self, counts: Counts) -> None:
        """Take more molecules in: the factor gets rows, which costs the square of its size for each."""
        across = torch.from_numpy(self._reference.similarity(counts))
        here = _noisy(Reference(counts).similarity(counts), self.noise)
        left = torch.linalg.solve_triangular(self._factor, across.T, upper=False)
        corner = torch.linalg.cholesky(here - left.T @ left)
        old, new = len(self._factor), len(counts)
        factor = torch.zeros(old + new, old + new, dtype=torch.float64)
        factor[:old, :old], factor[old:, :old], factor[old:, old:] = self._factor, left.T, corner
        self._factor = factor
        self._reference.append(counts)

    def predict(
        self, counts: Counts, values: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Means and standard deviations of the function, without noise.

        Args:
            counts: of molecules, ``[m, 2048]``.
            values: of the molecules that are known, in the order in which they came, ``[n]``.

        Returns:
            Both ``[m]``, in units of the values.
        """
        known, centre, spread = _standard(values)
        weights = torch.cholesky_solve(known[:, None], self._factor)[:, 0]
        scale = float(known @ weights) / len(known)
        across = torch.from_numpy(self._reference.similarity(counts))
        mean = across @ weights
        explained = torch.linalg.solve_triangular(self._factor, across.T, upper=False).square().sum(0)
        std = (scale * (1 - explained).clamp(min=0)).sqrt()
        return (mean * spread + centre).numpy(), (std * spread).numpy()


def fitted_noise(counts: Counts, values: NDArray[np.float64]) -> float:
    """The noise of ``NOISES`` under which the values are the most likely, with the scale that is best for it.

    Args:
        counts: of molecules, ``[n, 2048]``; the cost grows with the third power of n.
        values: of each, ``[n]``.
    """
    known, _, _ = _standard(values)
    kernel = Reference(counts).similarity(counts)
    fits = []
    for noise in NOISES:
        factor = torch.linalg.cholesky(_noisy(kernel, noise))
        weights = torch.cholesky_solve(known[:, None], factor)[:, 0]
        scale = max(float(known @ weights) / len(known), 1e-300)
        fits.append(-0.5 * len(known) * math.log(scale) - float(factor.diagonal().log().sum()))
    return NOISES[int(np.argmax(fits))]


def _noisy(kernel: NDArray[np.float64], noise: float) -> Tensor:
    matrix = torch.from_numpy(kernel).clone()
    matrix.diagonal().add_(noise)
    return matrix


def _standard(values: NDArray[np.float64]) -> tuple[Tensor, float, float]:
    """Values with mean 0 and deviation 1, and what was taken away; equal values stay 0."""
    centre, spread = float(values.mean()), float(values.std())
    spread = spread if spread > 0 else 1.0
    return torch.from_numpy((values - centre) / spread), centre, spread
