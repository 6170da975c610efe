"""Properties that are written as a kind and an argument: ``similarity:CCO``."""

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from softdraw.molecules.chemistry.property import Property
from softdraw.molecules.errors import TargetError
from softdraw.molecules.tasks.similarity import Similarity
from softdraw.molecules.tasks.terms import Holds

if TYPE_CHECKING:
    from rdkit import Chem

__all__ = ["KINDS", "SCORE_SPREAD", "of_kind"]

SCORE_SPREAD = 0.1
"""Spread of a score between 0 and 1."""


def _similarity(text: str) -> Callable[["Chem.Mol"], float]:
    _read(text, "SMILES")
    return Similarity(text)


def _smarts(text: str) -> Callable[["Chem.Mol"], float]:
    _read(text, "SMARTS")
    return Holds(text)


def _substructure(text: str) -> Callable[["Chem.Mol"], float]:
    _read(text, "SMILES")
    return Holds(text, smiles=True)


def _read(text: str, language: str) -> None:
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        read = Chem.MolFromSmiles(text) if language == "SMILES" else Chem.MolFromSmarts(text)
    if read is None or not read.GetNumAtoms():
        raise ValueError(f"got {text!r}, expected {language} that RDKit can read")


KINDS: dict[str, tuple[str, str, Callable[[str], Callable[["Chem.Mol"], float]]]] = {
    "similarity": ("SMILES", "similarity to {}", _similarity),
    "smarts": ("PATTERN", "holding {}", _smarts),
    "substructure": ("SMILES", "holding {}", _substructure),
}
"""By kind, what its argument is, what a report calls it, and what makes the function of a molecule."""


@lru_cache(maxsize=256)
def of_kind(name: str) -> Property | None:
    """The property that a kind and an argument name; None where the name begins with no kind.

    Args:
        name: ``similarity:SMILES``, the Tanimoto similarity to that molecule by counted circular fingerprints
            of diameter 4 (ECFP4, not folded); ``smarts:PATTERN``, 1 where a molecule holds the pattern, else
            0; ``substructure:SMILES``, the same for a molecule.

    Raises:
        TargetError: RDKit cannot read the argument.

    Example:
        >>> from rdkit import Chem
        >>> amide = of_kind("smarts:C(=O)N")
        >>> amide(Chem.MolFromSmiles("CC(=O)NC")), amide.spread
        (1.0, 0.1)
    """
    kind, colon, argument = name.partition(":")
    kind, argument = kind.strip().lower(), argument.strip()
    if not colon or kind not in KINDS:
        return None
    _, label, make = KINDS[kind]
    try:
        compute = make(argument)
    except ValueError as error:
        raise TargetError(f"property {name!r}: {error}") from None
    return Property(f"{kind}:{argument}", label.format(argument), "", 2, compute=compute, spread=SCORE_SPREAD)
