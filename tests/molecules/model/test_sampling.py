"""Many molecules from one key, on several threads."""

import pytest
import torch
from rdkit import Chem

from softdraw.molecules.chemistry.vocabulary import AtomType, Vocabulary
from softdraw.molecules.model import sampling
from softdraw.random import Key

from ..small import random_network


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_threads_say_nothing_of_graphs_that_are_no_molecules(two_threads, monkeypatch, capfd):
    """Also a thread that is in the middle of a molecule while another one has ended."""

    def refused(types, bonds, vocabulary):
        Chem.MolFromSmiles("C(C)(C)(C)(C)C")
        return [""] * len(types)

    monkeypatch.setattr(sampling, "decode_batch", refused)
    vocabulary = Vocabulary([AtomType("C"), AtomType("N"), AtomType("O"), AtomType("F")])
    count = 2 * sampling.BLOCK
    drawn = sampling.sample_smiles(random_network(max_atoms=3), vocabulary, count, Key(0), mask=False)
    assert drawn == [""] * count
    assert "valence" not in capfd.readouterr().err
