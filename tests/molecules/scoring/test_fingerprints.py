import numpy as np
import pytest
import torch
from rdkit import DataStructs
from rdkit.Chem import MolFromSmiles, rdFingerprintGenerator

from softdraw.molecules.scoring import fingerprints
from softdraw.molecules.scoring.fingerprints import internal_diversity, nearest, pack_fingerprints

from ..drugs import DRUGS

MOLECULES = [MolFromSmiles(smiles) for smiles in DRUGS.values()]
PRINTS = pack_fingerprints(MOLECULES)


@pytest.fixture(scope="module")
def similarities() -> np.ndarray:
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    known = [generator.GetFingerprint(mol) for mol in MOLECULES]
    return np.array([DataStructs.BulkTanimotoSimilarity(one, known) for one in known])


@pytest.fixture(params=[torch.float32, torch.bfloat16])
def _kind(request, monkeypatch):
    """Either dtype, whichever is faster here, and sets that take several blocks."""
    monkeypatch.setattr(fingerprints, "_faster", lambda: request.param)
    monkeypatch.setattr(fingerprints, "_ROWS", 7)


@pytest.mark.usefixtures("_kind")
def test_the_nearest_is_that_of_rdkit(similarities):
    found = nearest(PRINTS[:30], PRINTS[20:])
    np.testing.assert_allclose(found, similarities[:30, 20:].max(1), rtol=1e-14)
    assert (found[20:] == 1).all()


@pytest.mark.usefixtures("_kind")
@pytest.mark.parametrize("count", [1, 2, 20, len(MOLECULES)])
def test_the_diversity_is_that_of_rdkit(similarities, count):
    alike = similarities[:count, :count]
    first, second = internal_diversity(PRINTS[:count])
    assert first == pytest.approx(1 - alike.mean(), abs=1e-7)
    assert second == pytest.approx(1 - np.sqrt((alike**2).mean(1)).mean(), abs=1e-7)


def test_counts_that_bfloat16_cannot_hold_are_exact(monkeypatch):
    """257 bits in common would be rounded to 256."""
    monkeypatch.setattr(fingerprints, "_faster", lambda: torch.bfloat16)
    many = np.zeros((2, 1024), np.uint8)
    many[0, :257] = 1
    many[1, :258] = 1
    packed = np.packbits(many, axis=1)
    assert nearest(packed[:1], packed[1:]) == pytest.approx(257 / 258, rel=1e-14)
    assert internal_diversity(packed)[0] == pytest.approx((1 - 257 / 258) / 2, abs=1e-7)


def test_nothing_has_no_fingerprint():
    assert pack_fingerprints([]).shape == (0, 128)
    assert nearest(PRINTS[:0], PRINTS).shape == (0,)


def test_one_of_two_dtypes_is_faster():
    assert fingerprints._faster() in (torch.float32, torch.bfloat16)
