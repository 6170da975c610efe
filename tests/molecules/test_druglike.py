import pytest
from rdkit import Chem

import softdraw as sd
from softdraw.molecules import MoleculeGenerator

from .drugs import DRUGS
from .small import SIZES


@pytest.fixture(scope="module")
def generator():
    return MoleculeGenerator(**SIZES).fit(DRUGS.values(), steps=12, max_atoms=40)


def test_druglike_molecules_train_with_their_charges_and_elements(generator):
    names = set(generator.dataset_summary["vocabulary"])
    assert {"C", "N", "O", "F", "S", "Cl", "N+", "O-"} <= names
    assert generator.dataset_summary["max_atoms"] > 25
    assert generator.fit_history[-1]["loss"] < 2 * generator.fit_history[-1]["validation_loss"]


def test_druglike_graphs_are_drawn_valid_under_the_mask(generator):
    drawn = generator.sample(40, key=sd.Key(0), mask=True)
    assert all(drawn)
    assert max(Chem.MolFromSmiles(one).GetNumHeavyAtoms() for one in drawn) > 12


def test_druglike_graphs_are_steered(generator):
    generator.steer({"heteroatoms": 4}, steps=2, batch_size=8)
    assert generator.steer_summary["steps"] == 2
