"""A guess at the values of molecules that were not evaluated, so that the promising ones are evaluated first.

A Gaussian process with Tanimoto kernels on counts of what molecules have, which needs few of them and knows
how sure it is. Which views of a molecule count is told by the likelihood: for a similarity to a drug it is
substructures, for a formula the composition. Such a surrogate is a strong one (Tripp et al. 2021,
"A fresh look at de novo molecular design benchmarks"; Griffiths et al. 2023, "GAUCHE", arXiv:2212.04450).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softdraw.molecules.proposing.counts import PLACES, count_views
from softdraw.molecules.proposing.gaussian_process import GaussianProcess, fitted_kernel

__all__ = ["BOLDNESS", "Surrogate"]

BOLDNESS = 1.0
"""Standard deviations in the upper confidence bound."""
_MOST = 3000
"""Molecules in the process at most: the factor then takes 72 MB."""
_BEST = 1500
_OTHERS = 1000
"""When there are more, it is made anew of the best and of others drawn at random."""
_FITTED = 600
"""Molecules on which the kernel is fitted."""
_GROWTH = 1.5
"""When a process has grown by so much since it was made, it is made anew, with another kernel."""


class Surrogate:
    """Values of molecules, predicted from those that are known.

    Args:
        seed: of which molecules are left out when there are too many; the same molecules in the same order
            give the same predictions.

    Example:
        >>> surrogate = Surrogate()
        >>> surrogate.learn(["CCO", "CCCO", "CCN", "CCCN"], [1.0, 0.9, 0.0, 0.1])
        >>> mean, std = surrogate.predict(["CCCCO", "CCCCN"])
        >>> bool(mean[0] > mean[1])
        True
    """

    def __init__(self, *, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)
        self._counts = np.zeros((0, PLACES), dtype=np.uint8)
        self._values = np.zeros(0)
        self._used = np.zeros(0, dtype=np.intp)
        self._process: GaussianProcess | None = None
        self._made_of = 0

    def __len__(self) -> int:
        return len(self._values)

    def learn(self, smiles: Sequence[str], values: ArrayLike) -> None:
        """Take values of molecules in.

        Args:
            smiles: molecules that were not learned before.
            values: of each, higher is better; those that are not finite are left out.

        Raises:
            ValueError: values are not one for each molecule, or RDKit cannot read one.
        """
        found = np.asarray(values, dtype=np.float64)
        if found.shape != (len(smiles),):
            raise ValueError(f"values: got shape {list(found.shape)}, expected [{len(smiles)}], by molecule")
        kept = np.isfinite(found)
        if not kept.any():
            return
        counts = count_views([one for one, good in zip(smiles, kept.tolist(), strict=True) if good])
        fresh = np.arange(len(self), len(self) + len(counts))
        self._counts = np.concatenate([self._counts, counts])
        self._values = np.concatenate([self._values, found[kept]])
        used = len(self._used) + len(fresh)
        if self._process is None or used > _MOST or used > _GROWTH * self._made_of:
            self._make()
        else:
            self._process.append(counts)
            self._used = np.concatenate([self._used, fresh])

    def predict(self, smiles: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Means and standard deviations of the values of molecules, without noise.

        Args:
            smiles: molecules.

        Returns:
            Both ``[molecules]``, in units of the values.

        Raises:
            ValueError: nothing was learned, or RDKit cannot read a molecule.
        """
        if self._process is None:
            raise ValueError("predict: no molecule with a value was learned, expected at least one")
        return self._process.predict(count_views(smiles), self._values[self._used])

    def promising(
        self, smiles: Sequence[str], count: int, rng: np.random.Generator, *, boldness: float = BOLDNESS
    ) -> NDArray[np.intp]:
        """Which molecules to evaluate: those with the highest upper confidence bounds.

        Args:
            smiles: molecules to choose from.
            count: how many are wanted.
            rng: decides between equal bounds.
            boldness: standard deviations that are added to the means; 0 asks for what is sure to be good.

        Returns:
            Their places, the most promising first; all of them where there are no more than ``count``.

        Raises:
            ValueError: as ``predict``.

        Reference:
            Srinivas et al. 2010, "Gaussian process optimization in the bandit setting", arXiv:0912.3995.

        Example:
            >>> surrogate = Surrogate()
            >>> surrogate.learn(["CCO", "CCCO", "CCN", "CCCN"], [1.0, 0.9, 0.0, 0.1])
            >>> surrogate.promising(["CCCCN", "CCCCO"], 1, np.random.default_rng(0)).tolist()
            [1]
        """
        if not len(smiles):
            return np.zeros(0, dtype=np.intp)
        mean, std = self.predict(smiles)
        order: NDArray[np.intp] = np.lexsort((rng.random(len(mean)), -(mean + boldness * std)))
        return order[:count]

    def _make(self) -> None:
        used = np.arange(len(self))
        if len(used) > _MOST:
            order = np.argsort(-self._values, kind="stable")
            others = self._rng.choice(order[_BEST:], _OTHERS, replace=False)
            used = np.sort(np.concatenate([order[:_BEST], others]))
        some = used if len(used) <= _FITTED else self._rng.choice(used, _FITTED, replace=False)
        kernel = fitted_kernel(self._counts[some], self._values[some])
        self._process = GaussianProcess(self._counts[used], kernel)
        self._used, self._made_of = used, len(used)
