"""How the property that a user means is found, and the values of one over many molecules."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from softdraw.molecules.chemistry.kinds import KINDS, SCORE_SPREAD, of_kind
from softdraw.molecules.chemistry.known import PROPERTIES
from softdraw.molecules.chemistry.property import WORDS, Property
from softdraw.molecules.errors import TargetError
from softdraw.molecules.tasks.suite import TASKS
from softdraw.user_objects import is_user_name, user_object

if TYPE_CHECKING:
    from rdkit import Chem

__all__ = [
    "PROPERTIES",
    "Evaluation",
    "Property",
    "described_property",
    "evaluate",
    "evaluation",
    "moments",
    "property_function",
    "property_of",
    "provided_property",
]


def property_of(which: "str | Property | Callable[[Chem.Mol], Any]") -> Property:
    """The property that a user means.

    Args:
        which: a name of ``PROPERTIES`` or of a task in any case (``"QED"``, ``"celecoxib_rediscovery"``); a
            kind and its argument (``"similarity:CCO"``, ``"smarts:C(=O)N"``, ``"substructure:c1ccccc1"``, see
            ``kinds.of_kind``); ``module:function`` for a function or a ``Property`` of your own (the module
            is also looked for in the working folder), a ``Property``, or a function from an RDKit molecule to
            a number.

    Returns:
        Its record.

    Raises:
        TargetError: no such property, module or function, or RDKit cannot read the argument of a kind.

    Example:
        >>> property_of("QED").name, property_of("rdkit.Chem.Lipinski:HeavyAtomCount").label
        ('qed', 'HeavyAtomCount')
    """
    if isinstance(which, Property):
        return which
    if not isinstance(which, str) and callable(which):
        return Property.of(which)
    name = str(which)
    known = provided_property(name)
    if known is not None:
        return known
    if not is_user_name(name):
        raise TargetError(f"property: got {which!r}{_near(name)}, expected one of {_expected()}")
    try:
        found = user_object(name)
    except ValueError as error:
        raise TargetError(f"property {name!r}: {error}") from error
    if isinstance(found, Property):
        if found.name == name:
            return found
        return Property(
            name, compute=found.compute, batched=found.batched, spread=found.spread, **found.words()
        )
    if not callable(found):
        raise TargetError(f"property {name!r}: got {type(found).__name__}, expected a function of a molecule")
    return Property(name, compute=found, batched=bool(getattr(found, "batched", False)))


def provided_property(name: str) -> Property | None:
    """A property that softdraw computes itself: of ``PROPERTIES``, a task, or of a kind; None for any other.

    Raises:
        TargetError: RDKit cannot read the argument of a kind.

    Example:
        >>> [one and one.name for one in map(provided_property, ("QED", "smarts:C=O", "my_module:score"))]
        ['qed', 'smarts:C=O', None]
    """
    lowered = name.lower()
    if lowered in PROPERTIES:
        return PROPERTIES[lowered]
    return _task(lowered) if lowered in TASKS else of_kind(name)


@cache
def _task(name: str) -> Property:
    return Property(name, name, "", 3, compute=TASKS[name], spread=SCORE_SPREAD)


def _near(name: str) -> str:
    near = get_close_matches(name.lower(), [*PROPERTIES, *TASKS], cutoff=0.5)
    return f" (near: {', '.join(near)})" if near else ""


def _expected() -> str:
    kinds = [f"{kind}:{argument}" for kind, (argument, *_) in KINDS.items()]
    return (
        ", ".join([*PROPERTIES, *kinds])
        + ", a task of softdraw molecules optimize --list, or module:function"
    )


def property_function(name: str) -> Callable[["Chem.Mol"], Any]:
    """The function that computes a property: ``property_of(name).compute``.

    Example:
        >>> from rdkit import Chem
        >>> round(property_function("mw")(Chem.MolFromSmiles("CCO")), 2)
        46.07
        >>> property_function("rdkit.Chem.Lipinski:HeavyAtomCount")(Chem.MolFromSmiles("CCO"))
        3
    """
    return property_of(name).compute


def described_property(name: str, words: Mapping[str, Any] | None = None) -> Property:
    """A property to be written about, without importing anybody's module; a user's own cannot be computed.

    Args:
        name: a name of ``PROPERTIES``, or any other.
        words: what ``Property.words`` gave for it.

    Example:
        >>> described_property("tpsa").title, described_property("my_module:weight", {"unit": "g"}).title
        ('polar surface, Å²', 'weight, g')
    """
    if name in PROPERTIES:
        return PROPERTIES[name]
    kept = {key: value for key, value in (words or {}).items() if key in WORDS}
    return Property(name, compute=_not_imported, **kept)


def _not_imported(mol: "Chem.Mol") -> float:
    raise TargetError(
        "this property was read from a file that says what it is called, not how it is computed"
    )


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A property of many molecules.

    Attributes:
        values: ``[molecules]`` float64, NaN where there is no molecule and where the property is undefined.
        molecules: how many of them are molecules.
        defined: for how many of those the property is a number.
        reason: what the function raised or gave for the first molecule for which it is none; empty otherwise.
    """

    values: NDArray[np.float64]
    molecules: int
    defined: int
    reason: str = ""


def evaluation(which: str | Property, smiles: Sequence[str]) -> Evaluation:
    """A property of many molecules, with an account of where it is undefined.

    A property is undefined for a molecule where its function raises, or gives no finite number: such a
    molecule never ends a run. What comes twice is computed once. A function of lists gets lists.

    Args:
        which: as for ``property_of``.
        smiles: molecules; empty where there is none.

    Raises:
        TargetError: there is no such property.

    Example:
        >>> inverse = Property("inverse", compute=lambda mol: 1 / (mol.GetNumAtoms() - 1))
        >>> found = evaluation(inverse, ["CC", "C"])
        >>> found.values, found.defined, found.molecules, found.reason
        (array([ 1., nan]), 1, 2, 'C: ZeroDivisionError: division by zero')
    """
    from rdkit import rdBase

    from softdraw.molecules.chemistry.codec import parse_smiles
    from softdraw.molecules.chemistry.computing import LIST, computed

    record = property_of(which)
    known: dict[str, float] = {}
    reason = ""
    distinct = list(dict.fromkeys(smiles))
    with rdBase.BlockLogs():
        for start in range(0, len(distinct), LIST):
            read = {one: parse_smiles(one) for one in distinct[start : start + LIST] if one}
            mols = {one: mol for one, mol in read.items() if mol is not None}
            for one, (value, why) in zip(mols, computed(record, list(mols.values())), strict=True):
                known[one] = value
                reason = reason or (f"{one}: {why}" if why else "")
    values = np.array([known.get(one, np.nan) for one in smiles], dtype=np.float64)
    count = sum(one in known for one in smiles)
    return Evaluation(values, count, int(np.isfinite(values).sum()), reason)


def moments(name: str, values: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and standard deviation of a property over the molecules of the data that have it.

    Raises:
        TargetError: none has.

    Example:
        >>> moments("mine", np.array([1.0, 3.0, np.nan]))
        (2.0, 1.0)
    """
    known = values[np.isfinite(values)]
    if not len(known):
        raise TargetError(f"property {name!r}: is not a number for any molecule of the data")
    return float(known.mean()), float(known.std())


def evaluate(which: str | Property, smiles: Sequence[str]) -> NDArray[np.float64]:
    """``evaluation(which, smiles).values``.

    Example:
        >>> evaluate("mw", ["C", "", "O"]).round(2)
        array([16.04,   nan, 18.02])
    """
    return evaluation(which, smiles).values
