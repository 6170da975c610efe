import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem, rdBase

from softdraw.molecules.chemistry.vocabulary import STRICT, AtomType, Vocabulary, largest_valence

TYPES = [
    AtomType(s, q) for s in ("B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Br", "I") for q in (-1, 0, 1)
]


@given(st.permutations(TYPES))
def test_order_is_that_of_atomic_number_and_charge_whatever_comes_in(types):
    vocabulary = Vocabulary([*types, types[0]])
    table = Chem.GetPeriodicTable()
    keys = [(table.GetAtomicNumber(kind.symbol), kind.charge) for kind in vocabulary]
    assert keys == sorted(keys)
    assert len(vocabulary) == len(TYPES)
    assert [vocabulary.index(kind) for kind in vocabulary] == list(range(len(TYPES)))


@given(st.lists(st.sampled_from(TYPES), min_size=1))
def test_json_and_copies_give_an_equal_vocabulary(types):
    vocabulary = Vocabulary(types)
    assert Vocabulary.from_json(vocabulary.to_json()) == vocabulary
    assert pickle.loads(pickle.dumps(vocabulary)) == vocabulary
    assert copy.deepcopy(vocabulary) == vocabulary
    assert hash(Vocabulary(types)) == hash(vocabulary)
    assert (vocabulary == Vocabulary([*types, AtomType("U", 6)])) is False


@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_every_sum_of_bond_orders_up_to_the_valence_is_accepted_and_the_next_is_not(kind):
    def accepted(bonds):
        mol = Chem.RWMol()
        centre = Chem.Atom(kind.symbol)
        centre.SetFormalCharge(kind.charge)
        mol.AddAtom(centre)
        for _ in range(bonds):
            mol.AddBond(0, mol.AddAtom(Chem.Atom("F")), Chem.BondType.SINGLE)
        return Chem.SanitizeMol(mol, STRICT, catchErrors=True) == Chem.SanitizeFlags.SANITIZE_NONE

    with rdBase.BlockLogs():
        valence = largest_valence(kind)
        assert all(accepted(bonds) for bonds in range(1, valence + 1))
        assert not accepted(valence + 1)


def test_an_element_without_a_limit_gets_eight():
    assert largest_valence(AtomType("Fe")) == 8


def test_names_are_short():
    assert Vocabulary([AtomType("N", 1), AtomType("O", -2), AtomType("C")]).names == ("C", "N+", "O-2")


def test_vocabulary_cannot_be_changed():
    vocabulary = Vocabulary([AtomType("C")])
    with pytest.raises(AttributeError, match="immutable"):
        vocabulary.types = ()


@pytest.mark.parametrize(
    "types", [[], [("Xx", 0)], [("C", 0.5)], [("C", True)], [("", 0)], [("*", 0)], [(6, 0)]]
)
def test_what_is_no_atom_type_is_refused(types):
    with pytest.raises(ValueError, match=r"^(types|symbol): got"):
        Vocabulary(types)


def test_a_type_that_is_not_held_is_named():
    vocabulary = Vocabulary([AtomType("C"), AtomType("N", 1)])
    with pytest.raises(ValueError, match=r"atom_type: got O-, expected one of C, N\+"):
        vocabulary.index(AtomType("O", -1))
    assert AtomType("O", -1) not in vocabulary
    assert AtomType("N", 1) in vocabulary


@pytest.mark.parametrize("text", ["", "{", "3", '["C"]', '[["C"]]', '[["C", "x"]]', "null", '[["Xx", 0]]'])
def test_damaged_json_is_a_value_error(text):
    with pytest.raises(ValueError, match="got"):
        Vocabulary.from_json(text)
