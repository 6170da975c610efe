"""Properties of molecules, always as RDKit computes them."""

import importlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem import QED, Descriptors, rdMolDescriptors

from softdraw.molecules.chemistry.codec import parse_smiles
from softdraw.molecules.errors import TargetError

__all__ = ["PROPERTIES", "evaluate", "property_function"]

Property = Callable[[Chem.Mol], float]


def _sa(mol: Chem.Mol) -> float:
    # RDKit ships the scorer among its contributions; its table of fragments is read at the first call
    from rdkit.Contrib.SA_Score import sascorer

    return float(sascorer.calculateScore(mol))


def _heteroatoms(mol: Chem.Mol) -> float:
    return float(sum(atom.GetAtomicNum() not in (1, 6) for atom in mol.GetAtoms()))


def _heavy_atoms(mol: Chem.Mol) -> float:
    return float(mol.GetNumHeavyAtoms())


PROPERTIES: dict[str, Property] = {
    "logp": lambda mol: rdMolDescriptors.CalcCrippenDescriptors(mol)[0],
    "qed": QED.qed,
    "tpsa": rdMolDescriptors.CalcTPSA,
    "mw": Descriptors.MolWt,  # type: ignore[attr-defined]
    "sa": _sa,
    "heteroatoms": _heteroatoms,
    "heavy_atoms": _heavy_atoms,
}
"""By name: octanol-water partition coefficient (Wildman and Crippen 1999), drug-likeness (Bickerton et al.
2012), polar surface area (Ertl et al. 2000), molecular weight, synthetic accessibility (Ertl and
Schuffenhauer 2009), atoms that are neither carbon nor hydrogen, atoms other than hydrogen, each as RDKit
computes it."""


def property_function(name: str) -> Property:
    """The function that computes a property.

    Args:
        name: a key of ``PROPERTIES`` (``logp``, ``qed``, ``tpsa``, ``mw``, ``sa``, ``heteroatoms``,
            ``heavy_atoms``), or ``module:function`` for a function from an RDKit molecule to a number.
            The module is also looked for in the working folder.

    Returns:
        A function from an RDKit molecule to a number.

    Raises:
        TargetError: no such property, module or function.

    Example:
        >>> from rdkit import Chem
        >>> round(property_function("mw")(Chem.MolFromSmiles("CCO")), 2)
        46.07
        >>> property_function("rdkit.Chem.Lipinski:HeavyAtomCount")(Chem.MolFromSmiles("CCO"))
        3
    """
    if name in PROPERTIES:
        return PROPERTIES[name]
    module, colon, attribute = str(name).partition(":")
    if not colon or not module or not attribute:
        raise TargetError(
            f"property: got {name!r}, expected one of {', '.join(PROPERTIES)} or module:function"
        )
    try:
        with _working_folder_importable():
            found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except AttributeError:
        raise TargetError(f"property {name!r}: the module {module} has no function {attribute}") from None
    except Exception as error:  # whatever the user's module raises while it is imported
        raise TargetError(
            f"property {name!r}: cannot import {module} ({type(error).__name__}: {error})"
        ) from error
    if not callable(found):
        raise TargetError(f"property {name!r}: got {type(found).__name__}, expected a function of a molecule")
    return found  # type: ignore[no-any-return]


def evaluate(name: str, smiles: Sequence[str]) -> NDArray[np.float64]:
    """A property of many molecules; what is drawn twice is computed once.

    Args:
        name: as for ``property_function``.
        smiles: molecules.

    Returns:
        ``[len(smiles)]``; NaN where the SMILES is empty or RDKit cannot read it.

    Raises:
        TargetError: the name is unknown, or a user's function fails or returns no number.

    Example:
        >>> evaluate("mw", ["C", "", "O"]).round(2)
        array([16.04,   nan, 18.02])
    """
    compute = property_function(name)
    known: dict[str, float] = {"": float("nan")}
    with rdBase.BlockLogs():
        for one in smiles:
            if one not in known:
                mol = parse_smiles(one)
                known[one] = float("nan") if mol is None else _number(name, compute, mol, one)
    return np.array([known[one] for one in smiles], dtype=np.float64)


def _number(name: str, compute: Property, mol: Chem.Mol, smiles: str) -> float:
    try:
        return float(compute(mol))
    except Exception as error:  # whatever the user's function raises
        raise TargetError(
            f"property {name!r}: failed on {smiles} ({type(error).__name__}: {error})"
        ) from error


@contextmanager
def _working_folder_importable() -> Iterator[None]:
    """The ``softdraw`` command starts with its own folder on the path instead of the user's."""
    folder = os.getcwd()
    added = folder not in sys.path and "" not in sys.path
    if added:
        sys.path.insert(0, folder)
    try:
        yield
    finally:
        if added and folder in sys.path:
            sys.path.remove(folder)
