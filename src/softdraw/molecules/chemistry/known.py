"""The properties that come with softdraw: one record each.

RDKit is imported when one is first computed, so that the command line can list them without it.
"""

from typing import TYPE_CHECKING

from softdraw.molecules.chemistry.property import Property

if TYPE_CHECKING:
    from rdkit import Chem

__all__ = ["PROPERTIES"]


def _logp(mol: "Chem.Mol") -> float:
    from rdkit.Chem import rdMolDescriptors

    return float(rdMolDescriptors.CalcCrippenDescriptors(mol)[0])


def _qed(mol: "Chem.Mol") -> float:
    from rdkit.Chem import QED

    return float(QED.qed(mol))  # type: ignore[no-untyped-call]


def _tpsa(mol: "Chem.Mol") -> float:
    from rdkit.Chem import rdMolDescriptors

    return float(rdMolDescriptors.CalcTPSA(mol))


def _mw(mol: "Chem.Mol") -> float:
    from rdkit.Chem import Descriptors

    return float(Descriptors.MolWt(mol))  # type: ignore[attr-defined]


def _sa(mol: "Chem.Mol") -> float:
    # RDKit ships the scorer among its contributions; its table of fragments is read at the first call
    from rdkit.Contrib.SA_Score import sascorer

    return float(sascorer.calculateScore(mol))


def _heteroatoms(mol: "Chem.Mol") -> float:
    return float(sum(atom.GetAtomicNum() not in (1, 6) for atom in mol.GetAtoms()))


def _heavy_atoms(mol: "Chem.Mol") -> float:
    return float(mol.GetNumHeavyAtoms())


def _is_heteroatom(symbol: str) -> float:
    return float(symbol not in ("C", "H"))


def _is_atom(symbol: str) -> float:
    return 1.0


PROPERTIES: dict[str, Property] = {
    one.name: one
    for one in (
        Property("logp", "logP", "", 2, _logp, shown=True, compared=True),
        Property("qed", "QED", "", 2, _qed, shown=True, compared=True),
        Property("tpsa", "polar surface", "Å²", 0, _tpsa, shown=True, compared=True),
        Property("mw", "weight", "g/mol", 0, _mw, shown=True, compared=True),
        Property(
            "sa",
            "synthetic accessibility",
            "",
            1,
            _sa,
            scale="1 easy, 10 hard",
            lowest="the easiest synthesis (lowest SA score)",
            highest="the hardest synthesis (highest SA score)",
            shown=True,
        ),
        Property("heteroatoms", "heteroatoms", "", 0, _heteroatoms, _is_heteroatom),
        Property("heavy_atoms", "heavy atoms", "", 0, _heavy_atoms, _is_atom),
    )
}
"""By name: octanol-water partition coefficient (Wildman and Crippen 1999), drug-likeness (Bickerton et al.
2012), polar surface area (Ertl et al. 2000), molecular weight, synthetic accessibility (Ertl and
Schuffenhauer 2009), atoms that are neither carbon nor hydrogen, atoms other than hydrogen, each as RDKit
computes it. A new property is one more entry; reports, scores and the command line read the rest from it."""
