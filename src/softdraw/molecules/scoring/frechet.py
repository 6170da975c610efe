"""The Fréchet ChemNet distance between two sets of molecules (Preuer et al. 2018, arXiv:1803.09518)."""

import hashlib
import os
import warnings
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from softdraw.files import cache_folder
from softdraw.molecules.errors import DataError, OutputError
from softdraw.molecules.runtime.team import ALONE, Team
from softdraw.molecules.storage.arrays import read_arrays, write_arrays

__all__ = ["ActivationStatistics", "activations", "frechet_distance", "reference_statistics"]


_FEATURES = 512
_BLOCK = 1024
"""Molecules whose activations are computed together: 3 s of a core, and 4 MB in float64."""
_WORTH = 4096
"""Molecules from which further processes pay, which need 2 s to start."""


def activations(smiles: Sequence[str]) -> NDArray[np.float32]:
    """What the last layer of ChemNet says of each molecule, with the weights that ``fcd`` carries.

    The work is done in this process on the CPU: nearly all of it is one recurrent layer of 512 units over 88
    steps, whatever the length of the SMILES, since ``fcd`` pads them to 350 characters.

    Args:
        smiles: as ChemNet should read them: canonical, by convention. What occurs twice is computed once.

    Returns:
        ``[len(smiles), 512]``.
    """
    import fcd

    rows: dict[str, int] = {}
    for one in smiles:
        rows.setdefault(one, len(rows))
    # without a path, fcd copies its weights into a folder that it leaves to the garbage collector
    weights = Path(fcd.__file__).parent / "ChemNet_v0.13_pretrained.pt"
    model = fcd.load_ref_model(str(weights)) if weights.exists() else fcd.load_ref_model()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of np.row_stack, which fcd calls
        values = fcd.get_predictions(model, list(rows), n_jobs=0, device="cpu")
    return np.asarray(values, dtype=np.float32)[[rows[one] for one in smiles]]


@dataclass(frozen=True, eq=False)
class ActivationStatistics:
    """Mean ``[512]`` and covariance ``[512, 512]`` of ChemNet's activations over a set of molecules."""

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]

    @classmethod
    def of(cls, smiles: Sequence[str], team: Team = ALONE) -> "ActivationStatistics":
        """The statistics of a set, a thousand molecules at a time: memory does not grow with the set.

        Args:
            smiles: at least two molecules, as canonical SMILES. What occurs twice is computed once.
            team: who shares the work; processes of its own do, if there are some thousand molecules, and one
                process uses torch's threads.

        Raises:
            ValueError: there are fewer than two.
        """
        if len(smiles) < 2:
            raise ValueError(f"smiles: got {len(smiles)} molecules, expected at least 2")
        times = Counter(smiles)
        different = list(times.items())
        blocks = [different[start : start + _BLOCK] for start in range(0, len(different), _BLOCK)]
        total, products = np.zeros(_FEATURES), np.zeros((_FEATURES, _FEATURES))
        pooled = len(different) >= _WORTH
        for part, part_products in team.do(_sums, blocks, "Fréchet distance", pooled=pooled):
            total += part
            products += part_products
        mean = total / len(smiles)
        covariance = (products - len(smiles) * np.outer(mean, mean)) / (len(smiles) - 1)
        return cls(mean, covariance)


def _sums(block: list[tuple[str, int]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The sum of the activations of a block, and of their products; activations are within -1 and 1."""
    values = activations([one for one, _ in block]).astype(np.float64)
    weighted = values * np.array([times for _, times in block], dtype=np.float64)[:, None]
    return weighted.sum(0), weighted.T @ values


def frechet_distance(first: ActivationStatistics, second: ActivationStatistics) -> float:
    """The squared Fréchet distance between two Gaussians, ``|m - n|² + tr(S + T - 2 (S T)^{1/2})``.

    The trace of the root is the sum of the roots of the eigenvalues of ``S^{1/2} T S^{1/2}``, which is
    symmetric: no complex numbers and no regularisation, however few molecules there are.

    Args:
        first: statistics of one set.
        second: statistics of the other.

    Returns:
        The distance, at least 0.

    Example:
        >>> import numpy as np
        >>> unit = ActivationStatistics(np.zeros(2), np.eye(2))
        >>> round(frechet_distance(unit, ActivationStatistics(np.array([3.0, 0.0]), 4 * np.eye(2))), 6)
        11.0
    """
    values, vectors = np.linalg.eigh(first.covariance)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    overlap = np.linalg.eigvalsh(root @ second.covariance @ root)
    gap = first.mean - second.mean
    trace = np.trace(first.covariance) + np.trace(second.covariance) - 2 * np.sqrt(overlap.clip(0)).sum()
    return max(0.0, float(gap @ gap + trace))


def reference_statistics(
    smiles: Sequence[str],
    cache: str | os.PathLike[str] | Literal["user"] | None = "user",
    team: Team = ALONE,
) -> ActivationStatistics:
    """``ActivationStatistics.of``, remembered on disk by the molecules' hash; a damaged entry is made again.

    Args:
        smiles: at least two molecules, as canonical SMILES; their order does not matter.
        cache: a folder, ``"user"`` for the user's cache folder, or None.
        team: as for ``ActivationStatistics.of``.

    Raises:
        ValueError: there are fewer than two molecules.
    """
    if cache is None:
        return ActivationStatistics.of(smiles, team)
    folder = cache_folder() if cache == "user" else Path(cache)
    content = "\n".join(sorted(smiles)).encode()
    path = folder / f"fcd-{hashlib.sha256(content).hexdigest()[:32]}.npz"
    known: ActivationStatistics | None = None
    with suppress(DataError, KeyError):
        stored = read_arrays(path)
        if stored["mean"].shape == (_FEATURES,) and stored["covariance"].shape == (_FEATURES, _FEATURES):
            known = ActivationStatistics(stored["mean"], stored["covariance"])
    if team.agree(known is not None) and known is not None:
        return known
    statistics = ActivationStatistics.of(smiles, team)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_arrays(path, {"mean": statistics.mean, "covariance": statistics.covariance})
    except (OutputError, OSError):
        pass  # it is only slower next time; the encoded molecules have warned of the same folder
    return statistics
