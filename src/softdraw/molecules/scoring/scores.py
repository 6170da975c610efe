"""How good drawn molecules are: valid, unique, new, and distributed like a reference set."""

import os
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator
from torch.distributed import ProcessGroup

from softdraw.molecules.chemistry.composition import Composition, composition, total_variation, wasserstein
from softdraw.molecules.chemistry.properties import PROPERTIES, evaluate
from softdraw.molecules.data.files import read_rows
from softdraw.molecules.data.sources import listed_smiles
from softdraw.molecules.errors import SetError
from softdraw.molecules.runtime.team import Team
from softdraw.molecules.scoring.canonical import known_molecules, read_samples
from softdraw.molecules.scoring.frechet import ActivationStatistics, frechet_distance, reference_statistics

__all__ = ["Scores", "score", "score_file"]

Item = TypeVar("Item")

COMPARED_PROPERTIES = tuple(one.name for one in PROPERTIES.values() if one.compared)
_SAMPLED = 2000
"""Molecules for the slow scores: drug-likeness takes 0.6 ms each, and diversity grows with their square."""


@dataclass(frozen=True)
class Scores:
    """Scores of a set of samples; None where a score is undefined (no reference, no valid molecule).

    Attributes:
        count: samples, valid or not.
        validity: valid samples, as a share of all. Valid: RDKit reads it without repair, it is one fragment,
            and it has at least one atom.
        uniqueness: different molecules, as a share of the valid samples.
        novelty_train: molecules not in the training set, as a share of the different ones.
        novelty_whole: the same against the whole data set.
        valid_unique_novel: different valid molecules that are new against the whole data set if it is given,
            else against the training set, as a share of all samples.
        valid_unique_novel_train: the same, always against the training set.
        valid_unique_novel_whole: the same, always against the whole data set.
        fcd: Fréchet ChemNet distance of the valid samples to the reference.
        atom_types: total variation between the frequencies of atom types here and in the reference.
        bond_orders: the same for bond orders, kekulised.
        ring_sizes: the same for ring sizes, a molecule without a ring counting as size 0.
        logp: Wasserstein distance between the distributions of logP here and in the reference, in the
            property's unit.
        qed: the same for drug-likeness.
        mw: the same for molecular weight.
        tpsa: the same for the polar surface area.
        diversity: internal diversity, 1 less the mean Tanimoto similarity of Morgan fingerprints (radius 2,
            1024 bits).
        mean_atoms: heavy atoms of a valid sample, on average.
    """

    count: int
    validity: float | None
    uniqueness: float | None
    novelty_train: float | None
    novelty_whole: float | None
    valid_unique_novel: float | None
    valid_unique_novel_train: float | None
    valid_unique_novel_whole: float | None
    fcd: float | None
    atom_types: float | None
    bond_orders: float | None
    ring_sizes: float | None
    logp: float | None
    qed: float | None
    mw: float | None
    tpsa: float | None
    diversity: float | None
    mean_atoms: float | None

    def to_dict(self) -> dict[str, float | None]:
        """The scores by name, ready for JSON."""
        return asdict(self)


def score(
    samples: Sequence[str],
    *,
    train: Collection[str],
    whole: Collection[str] | None = None,
    reference: Sequence[str] | None = None,
    fcd: bool = True,
    seed: int = 0,
    cache: str | os.PathLike[str] | None = "user",
    devices: int = 1,
    group: ProcessGroup | None = None,
) -> Scores:
    """Score drawn molecules.

    The protocol: nothing is repaired, and a molecule of several fragments is invalid. Sets are compared by
    canonical SMILES without stereo; those that are given otherwise are canonicalised first (0.07 ms a
    molecule), which is found out from 200 entries, evenly spaced.

    Args:
        samples: SMILES or molecules of RDKit; ``""`` or anything else where a graph is no molecule.
        train: SMILES that the generator learned from.
        whole: SMILES of the whole data set, if it is larger.
        reference: SMILES to compare distributions with, best held out from training; without it those scores
            are None.
        fcd: whether to compute the Fréchet ChemNet distance, by far the slowest score.
        seed: draws the 2,000 molecules, here and in the reference, for the property distances and the
            diversity, if there are more.
        cache: where statistics of the reference are kept for the next time: a folder, ``"user"`` for the
            user's cache folder, or None.
        devices: processes of this machine that share the Fréchet distance; with 1, torch's
            threads do.
        group: ranks that share it instead (of a gloo group): all of them call this with the same arguments,
            and get the same scores.

    Returns:
        The scores.

    Raises:
        ValueError: ``reference`` holds fewer than two valid molecules, or ``train`` or ``whole`` has
            entries of which none is valid: everything would be new.
        TypeError: one of them is text (of which every letter would be a molecule), or no list.

    Example:
        >>> scores = score(["CCO", "OCC", "CCN", "C1CC"], train=["CCO"])
        >>> scores.validity, round(scores.uniqueness, 3), scores.novelty_train, scores.valid_unique_novel
        (0.75, 0.667, 0.5, 0.25)
    """
    samples = listed_smiles("samples", samples)
    valid = [pair for pair in read_samples(samples) if pair is not None]
    smiles = [pair[0] for pair in valid]
    unique = set(smiles)
    new_train = unique - known_molecules("train", train)
    new_whole = None if whole is None else unique - known_molecules("whole", whole)
    count = len(samples)
    novel = new_train if new_whole is None else new_whole
    rng = np.random.default_rng(seed)
    compared: dict[str, float | None] = dict.fromkeys(
        ("fcd", "atom_types", "bond_orders", "ring_sizes", *COMPARED_PROPERTIES)
    )
    if reference is not None and valid:
        known = _reference(tuple(listed_smiles("reference", reference)), seed)
        drawn_composition = composition(pair[1] for pair in valid)
        compared["atom_types"] = total_variation(drawn_composition.atom_types, known.composition.atom_types)
        compared["bond_orders"] = total_variation(
            drawn_composition.bond_orders, known.composition.bond_orders
        )
        compared["ring_sizes"] = total_variation(drawn_composition.ring_sizes, known.composition.ring_sizes)
        drawn = _some(smiles, rng)
        for name in COMPARED_PROPERTIES:
            compared[name] = wasserstein(evaluate(name, drawn), known.properties[name])
        if fcd and len(valid) > 1:
            team = Team(devices, group)
            there = reference_statistics(known.smiles, cache, team)
            compared["fcd"] = frechet_distance(ActivationStatistics.of(smiles, team), there)
    return Scores(
        count=count,
        validity=_share(len(valid), count),
        uniqueness=_share(len(unique), len(valid)),
        novelty_train=_share(len(new_train), len(unique)),
        novelty_whole=None if new_whole is None else _share(len(new_whole), len(unique)),
        valid_unique_novel=_share(len(novel), count),
        valid_unique_novel_train=_share(len(new_train), count),
        valid_unique_novel_whole=None if new_whole is None else _share(len(new_whole), count),
        **compared,
        diversity=_diversity(_some([pair[1] for pair in valid], rng)),
        mean_atoms=float(np.mean([pair[1].GetNumHeavyAtoms() for pair in valid])) if valid else None,
    )


def score_file(
    path: str | os.PathLike[str],
    *,
    train: Collection[str],
    whole: Collection[str] | None = None,
    reference: Sequence[str] | None = None,
    fcd: bool = True,
    seed: int = 0,
    cache: str | os.PathLike[str] | None = "user",
    smiles_column: str | int | None = None,
    encoding: str | None = None,
) -> Scores:
    """``score`` for a file of samples.

    Args:
        path: any file that ``files.read_rows`` reads. A blank line of a list of SMILES, an empty cell of a
            table and a damaged record of an SD file each count as an invalid sample.
        train: as for ``score``, like all that follow.
        whole: as for ``score``.
        reference: as for ``score``.
        fcd: as for ``score``.
        seed: as for ``score``.
        cache: as for ``score``.
        smiles_column: the column of SMILES in a file with several, by its heading or its number from 1; by
            default it is found.
        encoding: of the file's text, as Python names it; by default it is found.

    Returns:
        The scores.

    Raises:
        DataError: the file cannot be read (see ``files.read_rows``).
        ValueError: as for ``score``.
    """
    samples = [smiles or "" for _, smiles in read_rows(path, smiles_column, encoding)]
    return score(samples, train=train, whole=whole, reference=reference, fcd=fcd, seed=seed, cache=cache)


@dataclass(frozen=True, eq=False)
class _Reference:
    smiles: list[str]
    composition: Composition
    properties: dict[str, NDArray[np.float64]]


@lru_cache(maxsize=4)
def _reference(smiles: tuple[str, ...], seed: int) -> _Reference:
    """What samples are compared with; several sets of samples of one run share it."""
    valid = [pair for pair in read_samples(smiles) if pair is not None]
    if len(valid) < 2:
        raise SetError(f"reference: got {len(valid)} valid molecules, expected at least 2")
    canonical = [pair[0] for pair in valid]
    some = _some(canonical, np.random.default_rng(seed))
    properties = {name: evaluate(name, some) for name in COMPARED_PROPERTIES}
    return _Reference(canonical, composition(pair[1] for pair in valid), properties)


def _some(items: list[Item], rng: np.random.Generator) -> list[Item]:
    if len(items) <= _SAMPLED:
        return items
    return [items[index] for index in rng.choice(len(items), _SAMPLED, replace=False)]


def _diversity(molecules: list[Chem.Mol]) -> float | None:
    """One less the mean over all ordered pairs, each with itself too: MOSES (Polykovskiy et al. 2020)."""
    if len(molecules) < 2:
        return None
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    prints = [generator.GetFingerprint(mol) for mol in molecules]
    alike = sum(sum(DataStructs.BulkTanimotoSimilarity(one, prints[:i])) for i, one in enumerate(prints))
    return 1 - (2 * alike + len(prints)) / len(prints) ** 2


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
