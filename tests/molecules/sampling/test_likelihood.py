import numpy as np
import pytest
import torch
from rdkit import Chem

from softdraw.molecules import MoleculeGenerator
from softdraw.molecules.chemistry.codec import encode
from softdraw.molecules.model.likelihood import log_likelihood
from softdraw.molecules.sampling import likelihood as module
from softdraw.molecules.sampling.likelihood import UNDRAWN, likelihoods

from ..small import MOLECULES, SIZES


@pytest.fixture(scope="module")
def generator():
    return MoleculeGenerator(**SIZES).fit(MOLECULES, steps=40)


def by_hand(generator, smiles):
    """Of one molecule alone, encoded by the codec."""
    types, bonds = (
        torch.from_numpy(part).long() for part in encode(Chem.MolFromSmiles(smiles), generator.vocabulary)
    )
    with torch.no_grad():
        return float(log_likelihood(generator.network, types[None], bonds[None]))


def test_it_is_that_of_the_canonical_order_whatever_stands_beside_it(generator, monkeypatch):
    smiles = ["OCC", "C", "O=CCN", "CC(C)O", "NC"] * 3
    expected = [by_hand(generator, one) for one in smiles]
    assert len({round(value, 3) for value in expected}) == 5
    np.testing.assert_allclose(generator.likelihood(smiles), expected, rtol=1e-5)
    for name, value in (("_CHUNK", 4), ("_BATCH", 3)):
        monkeypatch.setattr(module, name, value)
    np.testing.assert_allclose(generator.likelihood(smiles), expected, rtol=1e-5)


def test_training_raises_it():
    before, after = (MoleculeGenerator(**SIZES).fit(MOLECULES, steps=steps, holdout=0) for steps in (1, 60))
    assert after.likelihood(MOLECULES).mean() > before.likelihood(MOLECULES).mean() + 2
    assert after.likelihood(MOLECULES).max() < 0


def test_what_the_model_cannot_draw_has_none_and_why(generator):
    smiles = ["CCO", "CCS", "C(", "", "C.C", "C" * 9, "[2H]C", "C[NH3+]", None, "C[C@H](O)N"]
    found = likelihoods(generator.network, generator.vocabulary, list(enumerate(smiles, 1)))
    assert np.isfinite(found.nats).tolist() == [True] + [False] * 8 + [True]
    assert found.atoms.tolist() == [3, 0, 0, 0, 0, 0, 0, 0, 0, 4]
    assert {why: entry.first_lines for why, entry in found.undefined.items()} == {
        "no SMILES": (4,),
        "unreadable": (3, 9),
        "several fragments": (5,),
        "too many atoms": (6,),
        "isotope": (7,),
        UNDRAWN: (2, 8),
    }
    assert found.stereo == 1


def test_of_nothing_there_is_none(generator):
    assert generator.likelihood([]).shape == (0,)
    assert np.isnan(generator.likelihood(["S"])).all()
    with pytest.raises(TypeError, match="smiles: got 'CCO'"):
        generator.likelihood("CCO")
    with pytest.raises(RuntimeError, match="call fit"):
        MoleculeGenerator().likelihood(["C"])
