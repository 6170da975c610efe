"""The scores of MOSES (Polykovskiy et al. 2020, arXiv:1811.12823, doi:10.3389/fphar.2020.565644)."""

import math
import os
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from torch.distributed import ProcessGroup

from softdraw.molecules.data.sources import listed_smiles
from softdraw.molecules.errors import SetError
from softdraw.molecules.runtime.progress import Report
from softdraw.molecules.runtime.team import Team
from softdraw.molecules.scoring.canonical import known_molecules
from softdraw.molecules.scoring.features import Features, features_of, reference_features
from softdraw.molecules.scoring.fingerprints import internal_diversity, nearest
from softdraw.molecules.scoring.frechet import ActivationStatistics, frechet_distance, reference_statistics

__all__ = ["MosesScores", "moses_scores"]

Cache = str | os.PathLike[str] | Literal["user"] | None


@dataclass(frozen=True)
class MosesScores:
    """The table of MOSES; None where a score is undefined (no such set, nothing valid, too few for unique@k).

    Attributes:
        count: samples, valid or not.
        valid: samples that RDKit reads, as a share of all; those of several fragments too. All that follow is
            of these.
        unique_1k: different ones among the first 1,000, as a share.
        unique_10k: the same of the first 10,000.
        fcd_test: Fréchet ChemNet distance to the test set.
        snn_test: Tanimoto similarity to the nearest molecule of the test set, on average.
        frag_test: cosine similarity of the counts of BRICS fragments with those of the test set.
        scaf_test: the same for Bemis-Murcko scaffolds of at least two rings.
        fcd_scaffolds: as ``fcd_test``, for the scaffold test set.
        snn_scaffolds: as ``snn_test``, for the scaffold test set.
        frag_scaffolds: as ``frag_test``, for the scaffold test set.
        scaf_scaffolds: as ``scaf_test``, for the scaffold test set.
        int_div: internal diversity: one less the mean Tanimoto similarity of all pairs.
        int_div2: the same with the root of the mean square, taken for each molecule.
        filters: share that passes the filters (``read_patterns("moses")``).
        novelty: share of the different ones that are not in the training set.
    """

    count: int
    valid: float | None
    unique_1k: float | None
    unique_10k: float | None
    fcd_test: float | None
    snn_test: float | None
    frag_test: float | None
    scaf_test: float | None
    fcd_scaffolds: float | None
    snn_scaffolds: float | None
    frag_scaffolds: float | None
    scaf_scaffolds: float | None
    int_div: float | None
    int_div2: float | None
    filters: float | None
    novelty: float | None

    def to_dict(self) -> dict[str, float | None]:
        """The scores by name, ready for JSON."""
        return asdict(self)


def moses_scores(
    samples: Sequence[str],
    *,
    train: Collection[str] | None = None,
    reference: Sequence[str] | Features | None = None,
    scaffold_reference: Sequence[str] | Features | None = None,
    fcd: bool = True,
    cache: Cache = "user",
    devices: int = 1,
    group: ProcessGroup | None = None,
    report: Report | None = None,
) -> MosesScores:
    """Score drawn molecules as MOSES does.

    The definitions are those of the package ``molsets`` 0.3.1, with one exception: molecules are compared
    without stereo, as everywhere here; the data of MOSES has none. MOSES scores 30,000 samples.

    Args:
        samples: SMILES or molecules of RDKit; ``""`` where a graph is no molecule.
        train: SMILES that the generator learned from; those of MOSES are the 1,584,663 of its training set.
        reference: SMILES of the test set, 176,074 in MOSES, or its ``reference_features``.
        scaffold_reference: SMILES of the scaffold test set, 176,225 molecules of MOSES whose scaffolds are in
            neither of the others.
        fcd: whether to compute the two Fréchet ChemNet distances.
        cache: where what is computed of the two test sets is kept for the next time: a folder, ``"user"`` for
            the user's cache folder, or None.
        devices: processes of this machine that share the work; similarities use torch's threads
            instead.
        group: ranks that share it instead (of a gloo group): all of them call this with the same arguments,
            and get the same scores.
        report: is told what is being done, and which share of it is done.

    Returns:
        The scores.

    Raises:
        SetError: ``reference`` or ``scaffold_reference`` holds fewer than two molecules, or ``train`` has
            entries of which none is one.
        TypeError: one of them is text, or no list.

    Example:
        >>> samples = ["CCO", "OCC", "c1ccccc1C(=O)NC", "C1CC", ""]
        >>> known = {"train": ["CCO"], "reference": ["CCN", "c1ccccc1CC"]}
        >>> scores = moses_scores(samples, **known, fcd=False, cache=None)
        >>> scores.valid, round(scores.snn_test, 4), scores.novelty, scores.filters
        (0.6, 0.312, 0.5, 1.0)
    """
    listed = listed_smiles("samples", samples)
    team = Team(devices, group, report)
    drawn = features_of(listed, filters=True, team=team)
    sets = {"test": ("reference", reference), "scaffolds": ("scaffold_reference", scaffold_reference)}
    compared: dict[str, float | None] = {}
    statistics: ActivationStatistics | None = None
    for suffix, (name, known) in sets.items():
        scores: dict[str, float | None] = dict.fromkeys(("fcd", "snn", "frag", "scaf"))
        if known is not None:
            there = _reference(name, known, cache, team)
            if drawn.smiles:
                scores |= _similarities(drawn, there, team)
            if fcd and len(drawn.smiles) > 1:
                statistics = statistics or ActivationStatistics.of(drawn.smiles, team)
                known_statistics = reference_statistics(there.smiles, cache, team)
                scores["fcd"] = frechet_distance(statistics, known_statistics)
        compared |= {f"{score}_{suffix}": value for score, value in scores.items()}
    count, valid, unique = len(listed), len(drawn.smiles), set(drawn.smiles)
    diversity = internal_diversity(drawn.prints, team) if valid else (None, None)
    return MosesScores(
        count=count,
        valid=valid / count if count else None,
        unique_1k=_unique(drawn.smiles, 1000),
        unique_10k=_unique(drawn.smiles, 10_000),
        **compared,
        int_div=diversity[0],
        int_div2=diversity[1],
        filters=drawn.clean / valid if valid and drawn.clean is not None else None,
        novelty=None if train is None or not unique else _novelty(unique, train),
    )


def _reference(name: str, known: Sequence[str] | Features, cache: Cache, team: Team) -> Features:
    there = known
    if not isinstance(there, Features):
        there = reference_features(listed_smiles(name, there), cache, team=team)
    if len(there.smiles) < 2:
        raise SetError(f"{name}: got {len(there.smiles)} valid molecules, expected at least 2")
    return there


def _similarities(drawn: Features, there: Features, team: Team) -> dict[str, float | None]:
    return {
        "snn": float(nearest(drawn.prints, there.prints, team).mean()),
        "frag": _cosine(drawn.fragments, there.fragments),
        "scaf": _cosine(drawn.scaffolds, there.scaffolds),
    }


def _novelty(unique: set[str], train: Collection[str]) -> float:
    return len(unique - known_molecules("train", train)) / len(unique)


def _cosine(first: Counter[str], second: Counter[str]) -> float | None:
    """Of two vectors of counts; None where one is empty."""
    shared = sum(number * second[name] for name, number in first.items() if name in second)
    norms = math.prod(math.hypot(*counts.values()) for counts in (first, second))
    return shared / norms if norms else None


def _unique(smiles: Sequence[str], first: int) -> float | None:
    return len(set(smiles[:first])) / first if len(smiles) >= first else None
