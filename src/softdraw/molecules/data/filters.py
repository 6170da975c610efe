"""Which molecules a graph of atoms and bonds can stand for, and why others are left out."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rdkit import Chem, rdBase
from rdkit.Chem import rdMolDescriptors

from softdraw.arguments import read_count, wrong_type
from softdraw.molecules.chemistry.codec import Record, parse_smiles, plain, read_plain, write_molecule
from softdraw.molecules.errors import DataError, OptionError

__all__ = ["FRAGMENTS", "REASONS", "MoleculeFilter", "Rules", "Usable", "largest_fragment", "read_fragments"]

FRAGMENTS = ("drop", "largest")
"""What may be done with a molecule of several fragments."""

REASONS = (
    "no SMILES",
    "unreadable",
    "no heavy atom",
    "several fragments",
    "too many atoms",
    "dummy atom",
    "isotope",
    "other element",
    "radical",
    "charged atom",
    "unusual bond",
    "unusual hydrogen",
    "does not decode to itself",
    "stereoisomer",
    "duplicate",
)
"""Why a molecule is left out, in the order in which the reasons are looked at. A stereoisomer differs from a
molecule before it in nothing but stereo, which graphs do not hold."""

_MOST_ATOMS = 255
_STEREO = re.compile(r"[@/\\]")
_EXTENDED = re.compile(r"[@/\\\s|]")
"""Stereo, or what follows the SMILES: RDKit reads such text in more steps than sanitisation."""
_OWN_BRACKET = re.compile(r"\[(?!nH\])")
"""A bracket of other use than to give an aromatic nitrogen its hydrogen."""
_BRACKETED = re.compile(r"[\[*]")
"""Isotopes, radicals, dummy atoms and hydrogens of their own stand in brackets, or are a star."""


@dataclass(frozen=True)
class Rules:
    """What is asked of a molecule.

    Attributes:
        elements: atomic numbers allowed, in order; None for all.
        max_atoms: heavy atoms of the largest molecule.
        charges: whether an atom may be charged.
        fragments: what is done with a molecule of several fragments: ``"drop"`` leaves it out,
            ``"largest"`` keeps the fragment of most heavy atoms.
    """

    elements: tuple[int, ...] | None
    max_atoms: int
    charges: bool
    fragments: str = "drop"

    @classmethod
    def of(
        cls,
        elements: Sequence[str] | None,
        max_atoms: int,
        *,
        charges: bool,
        fragments: str | None = None,
    ) -> "Rules":
        """Rules from what a user writes.

        Raises:
            OptionError: ``elements`` holds no element, or something else; ``max_atoms`` is not in 1 to 255;
                ``fragments`` is not among ``FRAGMENTS``.
            TypeError: ``elements`` holds no symbols, or ``max_atoms`` is no int.

        Example:
            >>> Rules.of("C, O", 9, charges=False)
            Rules(elements=(6, 8), max_atoms=9, charges=False, fragments='drop')
        """
        if isinstance(elements, str):
            elements = elements.replace(",", " ").split()
        if elements is not None and not isinstance(elements, Iterable):
            raise wrong_type("elements", elements, "symbols such as C, N, O")
        numbers = None if elements is None else tuple(sorted({_atomic_number(symbol) for symbol in elements}))
        if numbers == ():
            raise OptionError("elements: got none, expected symbols such as C, N, O")
        try:
            size = read_count("max_atoms", max_atoms, 1, _MOST_ATOMS)
        except ValueError:
            raise OptionError(f"max_atoms: got {max_atoms}, expected 1 to {_MOST_ATOMS}") from None
        kept = "drop" if fragments is None else read_fragments("fragments", fragments)
        return cls(numbers, size, charges, kept)


def read_fragments(name: str, value: str) -> str:
    """What is to be done with a molecule of several fragments, as it was given.

    Args:
        name: of the argument, for the message.
        value: what was given.

    Raises:
        OptionError: it is not among ``FRAGMENTS``.

    Example:
        >>> read_fragments("--fragments", "largest")
        'largest'
    """
    if value not in FRAGMENTS:
        raise OptionError(f"{name}: got {value!r}, expected {' or '.join(FRAGMENTS)}")
    return value


class Usable(NamedTuple):
    """A molecule that a graph can stand for.

    Attributes:
        record: as ``codec.read_molecule`` gives it.
        isomeric: its canonical SMILES with stereo; that of the record where it has none.
        parted: whether it is the largest of several fragments.
    """

    record: Record
    isomeric: str
    parted: bool = False


class MoleculeFilter:
    """Reads one SMILES after another under the same rules. The caller mutes RDKit's log.

    Args:
        rules: what is asked of a molecule.

    Example:
        >>> check = MoleculeFilter(Rules.of(["C", "O"], 9, charges=False))
        >>> check("OC").record, check("CN")
        (('CO', [(6, 0), (8, 0)], [(1, 0, 1)]), 'other element')
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._allowed = None if rules.elements is None else frozenset(rules.elements)
        self._prototypes: dict[tuple[int, int], Chem.Atom] = {}

    def __call__(self, smiles: str | None) -> Usable | str:
        """The molecule, or one of ``REASONS`` to leave it out."""
        if not smiles:
            return "no SMILES" if smiles == "" else "unreadable"
        # Most of a large table is too big to keep. Without sanitisation that is told in a fifth of the time.
        rough = parse_smiles(smiles, sanitize=False)
        if rough is None:
            return "unreadable"
        heavy = rough.GetNumHeavyAtoms()
        if heavy == 0:
            return "no heavy atom"
        parted = "." in smiles and len(Chem.GetMolFrags(rough)) > 1
        if parted and self.rules.fragments == "drop":
            return "several fragments"
        if heavy > self.rules.max_atoms and not parted:
            return "too many atoms"
        simple = rough.GetNumAtoms() == heavy and not parted and not _EXTENDED.search(smiles)
        mol = (rough if _is_sane(rough) else None) if simple else parse_smiles(smiles)
        if mol is None:
            return "unreadable"
        if parted:
            mol = largest_fragment(mol)
            if mol.GetNumHeavyAtoms() > self.rules.max_atoms:
                return "too many atoms"
        bracketed = _BRACKETED.search(smiles) is not None
        reason = self._unfit(mol, bracketed)
        if reason is not None:
            return reason
        try:
            record = read_plain(mol if simple and not bracketed else plain(mol))
        except DataError:
            return "unusual bond"
        if bracketed and any(number == 1 for number, _ in record[1]):
            return "unusual hydrogen"
        if not (_is_told_by_its_graph(mol, record[0]) or self._decodes(record)):
            return "does not decode to itself"
        return Usable(record, _isomeric(mol) if _STEREO.search(smiles) else record[0], parted)

    def _unfit(self, mol: Chem.Mol, bracketed: bool) -> str | None:
        """The first reason in order, whichever atom it is that gives it."""
        if not bracketed and self._allowed is None and self.rules.charges:
            return None
        numbers = set()
        isotope = radical = charged = False
        for index in range(mol.GetNumAtoms()):  # in half the time of going over GetAtoms()
            atom = mol.GetAtomWithIdx(index)
            numbers.add(atom.GetAtomicNum())
            isotope = isotope or atom.GetIsotope() != 0
            radical = radical or atom.GetNumRadicalElectrons() != 0
            charged = charged or atom.GetFormalCharge() != 0
        if 0 in numbers:
            return "dummy atom"
        if isotope:
            return "isotope"
        # hydrogens that were written as atoms are looked at once those written for their stereo are gone
        if self._allowed is not None and numbers - self._allowed - {1}:
            return "other element"
        if radical:
            return "radical"
        return "charged atom" if charged and not self.rules.charges else None

    def _decodes(self, record: Record) -> bool:
        """Whether the graph is read back as what it was."""
        atoms = [self._prototypes.get(atom_type) or self._prototype(atom_type) for atom_type in record[1]]
        return write_molecule(atoms, record[2]) == record[0]

    def _prototype(self, atom_type: tuple[int, int]) -> Chem.Atom:
        atom = Chem.Atom(atom_type[0])
        atom.SetFormalCharge(atom_type[1])
        self._prototypes[atom_type] = atom
        return atom


def _is_told_by_its_graph(mol: Chem.Mol, smiles: str) -> bool:
    """Whether a molecule decodes to itself for certain; to try it takes half of the time of reading one.

    Hydrogens outside of brackets follow from bond orders, that of ``[nH]`` too. Whether a ring is aromatic
    follows from its own atoms and what hangs from them, and from no choice of double bonds, where it shares
    no atom with another ring.
    """
    if _OWN_BRACKET.search(smiles):
        return False
    rings = mol.GetRingInfo().AtomRings()
    return not rings or sum(map(len, rings)) == len(set().union(*rings))


def _is_sane(mol: Chem.Mol) -> bool:
    """Sanitise a molecule in place, as reading its SMILES at once would."""
    return bool(Chem.SanitizeMol(mol, catchErrors=True) == Chem.SanitizeFlags.SANITIZE_NONE)


def largest_fragment(mol: Chem.Mol) -> Chem.Mol:
    """The fragment of most heavy atoms; of several the heaviest, then the first by its SMILES.

    RDKit's ``LargestFragmentChooser`` counts deuterium among the heavy atoms, of which solvents are full.
    """
    fragments: tuple[Chem.Mol, ...] = Chem.GetMolFrags(mol, asMols=True)
    return min(fragments, key=_smallness)


def _smallness(mol: Chem.Mol) -> tuple[int, float, str]:
    weight = round(rdMolDescriptors.CalcExactMolWt(mol), 3)  # a sum, whose last digits hang on the order
    return -mol.GetNumHeavyAtoms(), -weight, Chem.MolToSmiles(mol)


def _isomeric(mol: Chem.Mol) -> str:
    for atom in mol.GetAtoms():
        atom.SetAtomMapNum(0)
    return Chem.MolToSmiles(mol)


def _atomic_number(symbol: str) -> int:
    with rdBase.BlockLogs():
        try:
            number = Chem.GetPeriodicTable().GetAtomicNumber(str(symbol).strip().capitalize())
        except RuntimeError:
            number = 0
    if number < 2:
        raise OptionError(f"elements: got {symbol!r}, expected symbols of heavy elements such as C, N, O")
    return int(number)
