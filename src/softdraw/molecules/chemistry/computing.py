"""A property of many molecules: one after another, or as a list where its function takes one."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from rdkit import Chem

from softdraw.molecules.chemistry.property import Property, as_number

__all__ = ["LARGEST", "LIST", "computed"]

LARGEST = float(np.finfo(np.float32).max)
"""Values beyond it are undefined: the networks compute in float32."""
LIST = 64
"""Most molecules of a list that a function gets, however many there are: what one molecule breaks, and what
becomes of the others, then does not depend on how many processes share the work."""


def computed(record: Property, mols: Sequence[Chem.Mol]) -> list[tuple[float, str]]:
    """The values of molecules, and where there is none, why.

    A molecule has no value where the function raises, or gives no finite number. A function that takes lists
    and raises has none for the whole list: it is not asked for its molecules once more.

    Args:
        record: the property.
        mols: the molecules.

    Returns:
        For each, its value and ``""``, or NaN and the reason.

    Example:
        >>> inverse = Property("inverse", compute=lambda mol: 1 / (mol.GetNumAtoms() - 1))
        >>> computed(inverse, [Chem.MolFromSmiles(one) for one in ("CC", "C")])
        [(1.0, ''), (nan, 'ZeroDivisionError: division by zero')]
        >>> sizes = Property("sizes", compute=lambda mols: [one.GetNumAtoms() for one in mols], batched=True)
        >>> computed(sizes, [Chem.MolFromSmiles(one) for one in ("CC", "C")])
        [(2.0, ''), (1.0, '')]
    """
    if not record.batched:
        return [_checked(record, mol) for mol in mols]
    found: list[tuple[float, str]] = []
    for start in range(0, len(mols), LIST):
        found += _of_list(record, list(mols[start : start + LIST]))
    return found


def _checked(record: Property, mol: Chem.Mol) -> tuple[float, str]:
    try:
        return _finite(record(mol))
    except (Exception, SystemExit) as error:  # whatever the user's function raises
        return float("nan"), _reason(error)


def _of_list(record: Property, mols: list[Chem.Mol]) -> list[tuple[float, str]]:
    try:
        values = list(record.compute(mols))
        if len(values) != len(mols):
            raise ValueError(f"got {len(values)} values for a list of {len(mols)} molecules")
    except (Exception, SystemExit) as error:
        return [(float("nan"), _reason(error))] * len(mols)
    return [_read(value) for value in values]


def _read(value: Any) -> tuple[float, str]:
    try:
        return _finite(as_number(value))
    except Exception as error:
        return float("nan"), _reason(error)


def _finite(value: float) -> tuple[float, str]:
    return (value, "") if abs(value) <= LARGEST else (float("nan"), f"got {value:g}")


def _reason(error: BaseException) -> str:
    text = f"{type(error).__name__}: {error}"
    # what another program printed may be no text, and a file could not hold it
    return text.encode("utf-8", errors="backslashreplace").decode("utf-8")
