import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem, rdBase

from softdraw.molecules.chemistry.codec import decode, decode_batch, encode, read_molecule
from softdraw.molecules.chemistry.vocabulary import AtomType, Vocabulary
from softdraw.molecules.data.dataset import load
from softdraw.molecules.errors import DataError

from ..drugs import DRUGS

CNOF = Vocabulary([AtomType(symbol) for symbol in "CNOF"])


def plain(smiles: str) -> str:
    mol = Chem.MolFromSmiles(smiles)
    Chem.RemoveStereochemistry(mol)
    return Chem.MolToSmiles(mol)


def own_vocabulary(mol: Chem.Mol) -> Vocabulary:
    return Vocabulary([AtomType(atom.GetSymbol(), atom.GetFormalCharge()) for atom in mol.GetAtoms()])


def test_every_molecule_of_the_embedded_set_decodes_to_itself(embedded):
    graphs = embedded.graphs
    for start in range(0, len(graphs), 2048):
        part = list(range(start, min(start + 2048, len(graphs))))
        assert decode_batch(*graphs.dense(part), graphs.vocabulary) == graphs.smiles[start : start + 2048]


@pytest.mark.parametrize("smiles", DRUGS.values(), ids=DRUGS.keys())
def test_drugs_and_awkward_molecules_decode_to_themselves(smiles):
    mol = Chem.MolFromSmiles(smiles)
    vocabulary = own_vocabulary(mol)
    types, bonds = encode(mol, vocabulary)
    assert types.dtype == bonds.dtype == np.uint8
    assert decode(types, bonds, vocabulary) == plain(smiles)
    assert (bonds == bonds.T).all()
    assert not bonds.diagonal().any()
    assert bonds.max(initial=0) <= 3
    assert all(bonds[i, :i].any() for i in range(1, len(types)))  # every atom touches the prefix
    valences = np.array(vocabulary.valences)
    assert (bonds.sum(1) <= valences[types]).all()


def test_a_file_of_drugs_is_kept_whole():
    data = load(DRUGS.values(), max_atoms=60, cache=None)
    assert len(data) == len(DRUGS)
    assert data.dropped == {}


@given(st.sampled_from(sorted(DRUGS.values())), st.randoms(use_true_random=False))
def test_neither_the_order_of_atoms_nor_the_writing_changes_the_graph(smiles, random):
    mol = Chem.MolFromSmiles(smiles)
    order = list(range(mol.GetNumAtoms()))
    random.shuffle(order)
    shuffled = Chem.RenumberAtoms(mol, order)
    assert read_molecule(shuffled) == read_molecule(mol)
    vocabulary = own_vocabulary(mol)
    types, bonds = encode(mol, vocabulary)
    assert decode(types[order], bonds[np.ix_(order, order)], vocabulary) == plain(smiles)


@given(st.data())
def test_a_graph_that_keeps_the_valences_and_hangs_together_is_a_molecule(data):
    vocabulary = data.draw(
        st.sampled_from([CNOF, Vocabulary([AtomType(s, q) for s in "CNOPS" for q in (-1, 0, 1)])])
    )
    size = data.draw(st.integers(1, 12))
    types: list[int] = []
    free: list[int] = []
    bonds = np.zeros((size, size), dtype=int)
    for i in range(size):
        kind = data.draw(st.integers(0, len(vocabulary) - 1))
        left = vocabulary.valences[kind]
        partners = [j for j in range(i) if free[j]]
        if i and not (partners and left):
            break
        if i:
            for j in data.draw(st.lists(st.sampled_from(partners), min_size=1, max_size=3, unique=True)):
                if left:
                    bonds[i, j] = data.draw(st.integers(1, min(left, free[j], 3)))
                    left -= bonds[i, j]
                    free[j] -= bonds[i, j]
        types.append(kind)
        free.append(left)
    size = len(types)
    smiles = decode(types, bonds[:size, :size], vocabulary)
    assert smiles
    mol = Chem.MolFromSmiles(smiles)
    assert mol is not None
    assert mol.GetNumAtoms() == size


@pytest.mark.parametrize(
    ("types", "bonds"),
    [
        ([], np.zeros((0, 0), int)),  # no atom
        ([0, 0], [[0, 0], [0, 0]]),  # two fragments
        ([2, 2], [[0, 3], [3, 0]]),  # oxygen with three bonds
        ([3, 0, 0], [[0, 1, 1], [1, 0, 0], [1, 0, 0]]),  # fluorine with two
        (
            [0, 1, 2, 2],
            [[0, 1, 0, 0], [1, 0, 2, 2], [0, 2, 0, 0], [0, 2, 0, 0]],
        ),  # a nitro group without charges
    ],
)
def test_what_is_no_molecule_is_not_repaired(types, bonds):
    assert decode(types, bonds, CNOF) == ""


def test_rdkit_says_nothing_on_the_terminal_and_keeps_its_log(capfd):
    rdBase.EnableLog("rdApp.error")  # other libraries turn it off for the process
    decode([2, 2], [[0, 3], [3, 0]], CNOF)
    assert capfd.readouterr() == ("", "")
    assert Chem.MolFromSmiles("C1CC") is None
    assert "unclosed ring" in capfd.readouterr().err


def test_a_batch_is_its_molecules():
    graphs = load(["C", "CCO", "CC#N", "FC(F)F"], cache=None).graphs
    types, bonds = graphs.dense(range(4), atoms=6)
    single = [
        decode(t[t >= 0], b[: (t >= 0).sum(), : (t >= 0).sum()], graphs.vocabulary)
        for t, b in zip(types.numpy(), bonds.numpy(), strict=True)
    ]
    assert decode_batch(types, bonds, graphs.vocabulary) == single == graphs.smiles
    assert decode_batch(types.to(torch.int8), bonds.to(torch.uint8), graphs.vocabulary) == single
    assert decode_batch(torch.zeros(0, 5, dtype=torch.long), torch.zeros(0, 5, 5), graphs.vocabulary) == []
    assert (
        decode_batch(torch.zeros(3, 0, dtype=torch.long), torch.zeros(3, 0, 0), graphs.vocabulary) == [""] * 3
    )


def test_only_the_lower_triangle_is_read():
    assert decode([0, 0], [[0, 3], [1, 0]], CNOF) == "CC"


BATCH_ERRORS = {
    "types: got shape": ([0, 1], [[0, 1], [1, 0]]),
    "bonds: got shape": ([[0, 1]], [[[0]]]),
    "types: got -2": ([[-2]], [[[0]]]),
    "types: got 0 to 4, expected -1 to 3": ([[0, 4]], [[[0, 1], [1, 0]]]),
    "bonds: got 0 to 4": ([[0, 0]], [[[0, 4], [4, 0]]]),
    "bonds: got -1": ([[0, 0]], [[[0, -1], [-1, 0]]]),
    "an atom follows padding": ([[-1, 0]], [[[0, 0], [0, 0]]]),
    "a bond reaches into padding": ([[0, -1]], [[[0, 1], [1, 0]]]),
    "types: got dtype float": ([[0.5]], [[[0]]]),
}


@pytest.mark.parametrize(("message", "batch"), BATCH_ERRORS.items())
def test_a_batch_that_makes_no_sense_is_refused(message, batch):
    with pytest.raises(ValueError, match=message):
        decode_batch(*batch, CNOF)


def test_single_graphs_are_checked_too():
    with pytest.raises(ValueError, match=r"types: got shape \[1, 1\]"):
        decode([[0]], [[0]], CNOF)
    with pytest.raises(ValueError, match="types: got -1, expected 0 to 3"):
        decode([-1], [[0]], CNOF)


@pytest.mark.parametrize(
    ("smiles", "message"),
    [
        ("C.C", "several fragments"),
        ("CCl", "holds Cl, expected only C, N, O, F"),
        ("CO->[Fe]", "bond of type DATIVE"),
    ],
)
def test_encode_says_what_it_cannot_hold(smiles, message):
    with pytest.raises(DataError, match=message):
        encode(Chem.MolFromSmiles(smiles), CNOF)


def test_decode_agrees_with_rdkit_on_every_graph_of_three_atoms():
    """Enumeration: a graph is a molecule exactly when no valence is exceeded and the atoms hang together."""
    vocabulary = Vocabulary([AtomType("C"), AtomType("O")])
    found = 0
    for types in itertools.product(range(2), repeat=3):
        for a, b, c in itertools.product(range(4), repeat=3):
            bonds = np.array([[0, a, b], [a, 0, c], [b, c, 0]])
            fits = (bonds.sum(1) <= np.array(vocabulary.valences)[list(types)]).all()
            connected = (np.array([a, b, c]) > 0).sum() >= 2
            assert bool(decode(types, bonds, vocabulary)) == bool(fits and connected)
            found += 1
    assert found == 8 * 64
