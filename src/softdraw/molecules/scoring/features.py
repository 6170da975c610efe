"""What the scores of MOSES are made of, for a set of molecules: computed in chunks by several processes."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem.Scaffolds import MurckoScaffold

from softdraw.files import cache_folder
from softdraw.molecules.chemistry.codec import parse_smiles, plain
from softdraw.molecules.chemistry.patterns import read_patterns
from softdraw.molecules.errors import DataError, OutputError
from softdraw.molecules.runtime.team import ALONE, Team
from softdraw.molecules.scoring.fingerprints import PRINT_BYTES, pack_fingerprints
from softdraw.molecules.storage.arrays import as_bytes, as_text, read_arrays, write_arrays

__all__ = ["Features", "features_of", "reference_features"]

_VERSION = 1
"""Part of the cache's names: raise it when the same molecules would have other features."""
_CHUNK = 1000
_WORTH = 4000
"""Molecules from which further processes pay, which need 2 s to start where these take 4 s."""
_SMALLEST_SCAFFOLD = 2
"""Rings, as in the code of MOSES."""


@dataclass(frozen=True, eq=False)
class Features:
    """Of the molecules of a set.

    Attributes:
        smiles: of those that RDKit reads, in their order; canonical, without stereo.
        prints: their fingerprints, ``[molecules, 128]``.
        fragments: how often each fragment occurs that is left when the BRICS bonds are cut (Degen et al.
            2008, doi:10.1002/cmdc.200800178).
        scaffolds: how many molecules have each scaffold (Bemis and Murcko 1996, doi:10.1021/jm9602928) of at
            least two rings.
        clean: how many pass the filters of MOSES; None where that was not asked for.
    """

    smiles: list[str]
    prints: NDArray[np.uint8]
    fragments: Counter[str]
    scaffolds: Counter[str]
    clean: int | None

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """For ``write_arrays``; a set that was filtered is not kept."""
        arrays: dict[str, NDArray[Any]] = {"smiles": as_bytes("\n".join(self.smiles)), "prints": self.prints}
        for name, counter in (("fragments", self.fragments), ("scaffolds", self.scaffolds)):
            arrays[name] = as_bytes("\n".join(counter))
            arrays[f"{name}_count"] = np.fromiter(counter.values(), np.int64, len(counter))
        return arrays

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> "Features":
        """What ``to_arrays`` gave.

        Raises:
            ValueError: they do not fit each other.
            KeyError: one is missing.
        """
        fragments, scaffolds = (
            Counter(dict(zip(_split(arrays[name]), arrays[f"{name}_count"].tolist(), strict=True)))
            for name in ("fragments", "scaffolds")
        )
        smiles = _split(arrays["smiles"])
        return cls(smiles, arrays["prints"].reshape(len(smiles), PRINT_BYTES), fragments, scaffolds, None)


def features_of(smiles: Sequence[str], *, filters: bool = False, team: Team = ALONE) -> Features:
    """Features of those entries that RDKit reads.

    Args:
        smiles: ``""`` where a sample is no molecule.
        filters: whether to count what passes the filters of MOSES, which takes nearly half of the time.
        team: who shares the work; processes of its own do, if there are some thousand molecules.

    Returns:
        The features.
    """
    chunks = [smiles[start : start + _CHUNK] for start in range(0, len(smiles), _CHUNK)]
    parts = list(team.do(partial(_chunk, filters), chunks, "features", pooled=len(smiles) >= _WORTH))
    fragments, scaffolds = Counter[str](), Counter[str]()
    for part in parts:
        fragments.update(part.fragments)
        scaffolds.update(part.scaffolds)
    return Features(
        [one for part in parts for one in part.smiles],
        np.concatenate([pack_fingerprints([]), *(part.prints for part in parts)]),
        fragments,
        scaffolds,
        sum(part.clean or 0 for part in parts) if filters else None,
    )


def reference_features(
    smiles: Sequence[str],
    cache: str | os.PathLike[str] | Literal["user"] | None = "user",
    *,
    team: Team = ALONE,
) -> Features:
    """``features_of``, remembered on disk by the text of the SMILES; a damaged entry is made again.

    Args:
        smiles: as for ``features_of``.
        cache: a folder, ``"user"`` for the user's cache folder, or None.
        team: as for ``features_of``.
    """
    if cache is None:
        return features_of(smiles, team=team)
    folder = cache_folder() if cache == "user" else Path(cache)
    content = "\n".join([f"{_VERSION} {rdBase.rdkitVersion}", *smiles]).encode(errors="replace")
    path = folder / f"moses-{hashlib.sha256(content).hexdigest()[:32]}.npz"
    features: Features | None = None
    with suppress(DataError, KeyError, ValueError):
        features = Features.from_arrays(read_arrays(path))
    if team.agree(features is not None) and features is not None:
        return features
    features = features_of(smiles, team=team)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_arrays(path, features.to_arrays())
    except (OutputError, OSError):
        pass  # it is only slower next time
    return features


def _chunk(filters: bool, smiles: Sequence[str]) -> Features:
    with rdBase.BlockLogs():
        read = (parse_smiles(one) for one in smiles if one)
        molecules = [plain(mol) for mol in read if mol is not None and mol.GetNumAtoms()]
        fragments = Counter(fragment for mol in molecules for fragment in _fragments(mol))
        scaffolds = Counter(scaffold for mol in molecules if (scaffold := _scaffold(mol)))
        clean = None
        if filters:
            patterns = read_patterns("moses")
            clean = sum(patterns.matches(mol) is None for mol in molecules)
        canonical = [Chem.MolToSmiles(mol) for mol in molecules]
    return Features(canonical, pack_fingerprints(molecules), fragments, scaffolds, clean)


def _fragments(mol: Chem.Mol) -> list[str]:
    cut: str = Chem.MolToSmiles(Chem.FragmentOnBRICSBonds(mol))
    return cut.split(".")


def _scaffold(mol: Chem.Mol) -> str:
    get_scaffold: Callable[[Chem.Mol], Chem.Mol] = MurckoScaffold.GetScaffoldForMol
    try:
        scaffold = get_scaffold(mol)
    except (ValueError, RuntimeError):  # what is left cannot be sanitised
        return ""
    if scaffold.GetRingInfo().NumRings() < _SMALLEST_SCAFFOLD:
        return ""
    smiles: str = Chem.MolToSmiles(scaffold)
    return smiles


def _split(text: NDArray[np.uint8]) -> list[str]:
    return as_text(text).split("\n") if text.size else []
