"""Children of molecules: whole, new, no odder than their parents, and the same for the same state."""

import numpy as np
import pytest
from rdkit import Chem, rdBase
from tests.molecules.drugs import DRUGS

from softdraw.molecules.chemistry.codec import parse_smiles, read_molecule
from softdraw.molecules.proposing.crossover import LARGEST, SMALLEST, crossover
from softdraw.molecules.proposing.graph import read_parent, write_child
from softdraw.molecules.proposing.oddities import oddities
from softdraw.molecules.proposing.offspring import offspring, rank_weights

PARENTS = [
    "CC(=O)Oc1ccccc1C(=O)O",
    "CC(C)Cc1ccc(C(C)C(=O)O)cc1",
    "Cn1c(=O)c2c(ncn2C)n(C)c1=O",
    "CN1C(=O)CN=C(c2ccccc2)c2cc(Cl)ccc21",
    "COc1ccc2nc(S(=O)Cc3ncc(C)c(OC)c3C)[nH]c2c1",
    "CCCc1nn(C)c2c(=O)[nH]c(-c3cc(S(=O)(=O)N4CCN(C)CC4)ccc3OCC)nc12",
    "Cc1ccc(-c2cc(C(F)(F)F)nn2-c2ccc(S(N)(=O)=O)cc2)cc1",
    "CC1(C)SC2C(NC(=O)Cc3ccccc3)C(=O)N2C1C(=O)O",
    "CNCCC(Oc1ccc(C(F)(F)F)cc1)c1ccccc1",
    "O=C(NC(CO)C(O)c1ccc([N+](=O)[O-])cc1)C(Cl)Cl",
    "[NH3+]CC(=O)[O-]",
    "Cc1cn(C2CC(N=[N+]=[N-])C(CO)O2)c(=O)[nH]c1=O",
]
"""Aspirin, ibuprofen, caffeine, diazepam, omeprazole, sildenafil, celecoxib, penicillin G, fluoxetine,
chloramphenicol, glycine, zidovudine, as softdraw writes them."""
SCORES = np.linspace(1, 0, len(PARENTS))


@pytest.fixture(scope="module")
def children():
    return offspring(PARENTS, SCORES, 400, np.random.default_rng(5), mutation_rate=0.6, pressure=1.0)


def test_children_are_molecules_as_softdraw_writes_them(children):
    assert len(set(children)) == len(children) == 400
    assert not set(children) & set(PARENTS)
    for child in children:
        mol = parse_smiles(child)
        assert mol is not None
        assert "." not in child
        assert not any(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms())
        assert read_molecule(mol)[0] == child


def test_children_are_no_odder_than_the_oddest_parent(children):
    most = [max(counts) for counts in zip(*(read_parent(one).odd for one in PARENTS), strict=True)]
    for child in children:
        assert all(here <= limit for here, limit in zip(read_parent(child).odd, most, strict=True)), child


def test_edits_bring_no_charge(children):
    neutral = [one for one in PARENTS if "+" not in one]
    found = offspring(neutral, np.zeros(len(neutral)), 200, np.random.default_rng(1), mutation_rate=1.0)
    assert len(found) == 200
    assert not any("+" in child or "-]" in child for child in found)
    assert any("+" in child for child in children)


def test_the_same_state_gives_the_same_children(children):
    again = offspring(PARENTS, SCORES, 400, np.random.default_rng(5), mutation_rate=0.6, pressure=1.0)
    assert again == children
    assert offspring(PARENTS, SCORES, 20, np.random.default_rng(6)) != children[:20]


def test_known_molecules_are_not_wanted_again(children):
    again = offspring(
        PARENTS, SCORES, 400, np.random.default_rng(5), known=children, mutation_rate=0.6, pressure=1.0
    )
    assert again
    assert not set(again) & set(children)


def test_children_are_usable():
    def small(smiles):
        return parse_smiles(smiles).GetNumHeavyAtoms() <= 20

    found = offspring(PARENTS, SCORES, 50, np.random.default_rng(0), usable=small)
    assert len(found) == 50
    assert all(small(child) for child in found)
    assert offspring(PARENTS, SCORES, 5, np.random.default_rng(0), usable=lambda smiles: False) == []


def test_parents_are_drawn_by_rank():
    # the best is octane, the others are amines: what is made without nitrogen has it on both sides
    parents = ["CCCCCCCC"] + ["N" + "C" * length + "N" for length in range(4, 60)]
    scores = -np.arange(len(parents), dtype=float)
    bare = []
    for pressure in (1e-3, 1e3):
        found = offspring(
            parents, scores, 150, np.random.default_rng(0), mutation_rate=0.0, pressure=pressure
        )
        bare.append(np.mean(["N" not in child for child in found]))
    assert bare[0] > 3 * bare[1]
    assert rank_weights(4, 0.5) == pytest.approx(np.array([1 / 2, 1 / 3, 1 / 4, 1 / 5]) / (77 / 60))


def test_failed_and_unreadable_parents_have_no_children():
    with rdBase.BlockLogs():
        assert (
            offspring(["CCO", "nonsense", "CC.CC", ""], [np.nan, 1, 1, 1], 3, np.random.default_rng(0)) == []
        )
    assert offspring([], [], 3, np.random.default_rng(0)) == []
    found = offspring(["CCO", "CCN", "CCS"], [np.inf, 1.0, 1.0], 9, np.random.default_rng(0), mutation_rate=0)
    assert found == offspring(["CCN", "CCS"], [1.0, 1.0], 9, np.random.default_rng(0), mutation_rate=0)
    assert len(offspring(["CCO"], [1.0], 3, np.random.default_rng(0))) == 3


def test_what_will_not_do_is_said():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"scores: got shape \[1\], expected \[2\]"):
        offspring(["C", "CC"], [1.0], 1, rng)
    with pytest.raises(ValueError, match=r"mutation_rate: got 2"):
        offspring(["C", "CC"], [1.0, 2.0], 1, rng, mutation_rate=2)
    with pytest.raises(ValueError, match=r"pressure: got 0"):
        offspring(["C", "CC"], [1.0, 2.0], 1, rng, pressure=0)


@pytest.mark.parametrize(
    "pair", [("celecoxib", "diazepam"), ("caffeine", "indole"), ("aspirin", "ibuprofen")]
)
def test_a_crossover_has_parts_of_both(pair):
    rng = np.random.default_rng(2)
    one, two = (read_parent(DRUGS[name]) for name in pair)
    sizes = SMALLEST * min(len(one.graph), len(two.graph)), LARGEST * max(len(one.graph), len(two.graph))
    odd = type(one.odd)(*map(max, one.odd, two.odd))
    made = set()
    with rdBase.BlockLogs():
        for _ in range(60):
            child = crossover(one, two, rng)
            if child is not None:
                assert sizes[0] <= len(child) <= sizes[1]
                made.add(write_child(child, odd))
    made.discard("")
    assert len(made) > 10
    assert one.smiles == read_parent(one.smiles).smiles  # parents are kept in a cache: nothing was edited
    assert write_child(one.graph, one.odd) == one.smiles


@pytest.mark.parametrize(
    ("smiles", "name", "count"),
    [
        ("C1CCCCCCCCC1", "ring", 10),
        ("CCO", "ring", 8),
        ("C1CCC2(C1)CCCC2", "crowded", 1),
        ("C1CC2CCC1C2", "bridged", 1),
        ("C1CCC2CCCCC2C1", "bridged", 0),
        ("C1=CC1", "tight", 1),
        ("C1=CC=CC=C1", "tight", 0),
        ("C1=CC2=C(C=C1)C2", "tight", 1),
        ("C1CC2=C1C=CC=C2", "tight", 1),
        ("C1CCC=C=CCC1", "bent", 1),
        ("C1CC#CCCCC1", "bent", 2),
        ("COOC", "poor", 1),
        ("CN(Cl)Cl", "poor", 2),
        ("CON=C", "poor", 0),
        ("CS(C)=C", "poor", 1),
        ("CS(C)(=O)=NC", "poor", 0),
        ("CC=S", "poor", 0),
    ],
)
def test_oddities(smiles, name, count):
    assert getattr(read_parent(smiles).odd, name) == count


def test_oddities_of_rings_are_those_of_rdkit():
    mol = Chem.MolFromSmiles("C1CC2CCC1C2")
    near = [{bond.GetOtherAtomIdx(atom.GetIdx()): 1 for bond in atom.GetBonds()} for atom in mol.GetAtoms()]
    atoms = [(6, 0)] * mol.GetNumAtoms()
    assert oddities(atoms, near, mol.GetRingInfo().AtomRings()) == read_parent("C1CC2CCC1C2").odd
