"""Bins of molecules: how many came before, whatever the calls, and after a resume."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator
from rdkit.Chem.Scaffolds import MurckoScaffold

from softdraw.molecules.steering.crowding import BINS, SIMILAR, Crowding

POOL = [
    "", "no molecule", "CCO", "OCC", "CC[O]", "CCCO", "CCCCO", "c1ccccc1", "Cc1ccccc1", "Oc1ccccc1",
    "C1CCCCC1", "CC1CCCCC1", "Cc1ccccc1O", "CCc1ccccc1", "CCCc1ccccc1", "CCCCCCCCCC", "CCCCCCCCCCC",
    "C[C@H](N)O", "C[C@@H](N)O", "c1ccc(-c2ccccc2)cc1", "Cc1ccc(-c2ccccc2)cc1", "c1ccc2ccccc2c1",
    "CC(C)Cc1ccc(C(C)C(=O)O)cc1", "CC(C)Cc1ccc(C(C)C(=O)N)cc1", "CC(C)Cc1ccc(CC(=O)O)cc1", "C", "CC", "CCC",
]  # fmt: skip
DRAWS = st.lists(st.sampled_from(POOL), max_size=40)
MORGAN = rdFingerprintGenerator.GetMorganGenerator(radius=2)


def plain(smiles):
    mol = Chem.MolFromSmiles(smiles) if smiles else None
    if mol is not None:
        Chem.RemoveStereochemistry(mol)
    return mol


def expected(by, drawn):
    """As the docstring says it, molecule by molecule, with RDKit's own similarity."""
    counts, leaders, found = Counter(), [], []
    for one in drawn:
        mol = plain(one)
        if mol is None:
            found.append(0)
            continue
        name = Chem.MolToSmiles(mol)
        if by == "scaffold":
            name = Chem.MolToSmiles(MurckoScaffold.GetScaffoldForMol(mol)) or name
        if by == "similarity":
            counted = MORGAN.GetSparseCountFingerprint(mol)
            near = [DataStructs.TanimotoSimilarity(counted, leader) >= SIMILAR for leader in leaders]
            name = near.index(True) if any(near) else len(leaders)
            if name == len(leaders):
                leaders.append(counted)
        found.append(counts[name])
        counts[name] += 1
    return found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("by", BINS)
@settings(deadline=None)  # machines are shared
@given(drawn=DRAWS)
def test_counts_are_of_what_came_before(by, drawn):
    found = Crowding(by).crowds(drawn)
    assert found.dtype == np.int64
    assert found.tolist() == expected(by, drawn)


@pytest.mark.parametrize("by", BINS)
@settings(deadline=None)  # machines are shared
@given(drawn=DRAWS, more=DRAWS, last=DRAWS)
def test_calls_and_a_resume_change_nothing(by, drawn, more, last):
    whole = Crowding(by).crowds([*drawn, *more, *last]).tolist()
    crowding = Crowding(by)
    parts = [*crowding.crowds(drawn), *crowding.crowds(more)]
    resumed = Crowding(by)
    resumed.load_state_dict(crowding.state_dict())
    assert [*parts, *resumed.crowds(last)] == whole


def test_the_state_passes_through_a_checkpoint(tmp_path):
    crowding = Crowding("similarity", room=3)
    crowding.crowds(POOL)
    torch.save(crowding.state_dict(), tmp_path / "state")
    resumed = Crowding("similarity", room=3)
    resumed.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    assert resumed.state_dict() == crowding.state_dict()
    for other in (Crowding("similarity", room=4), Crowding("molecule", room=3)):
        with pytest.raises(ValueError, match="got bins by similarity with room for 3, expected"):
            other.load_state_dict(crowding.state_dict())


def test_what_shares_a_bin():
    def together(by, one, other):
        return Crowding(by).crowds([one, other])[1] == 1

    assert together("molecule", "OCC", "CCO")
    assert together("molecule", "C[C@H](N)O", "C[C@@H](N)O")
    assert not together("molecule", "CCO", "CCCO")
    assert together("scaffold", "Cc1ccccc1O", "CCCc1ccccc1")
    assert not together("scaffold", "c1ccccc1", "C1CCCCC1")
    # without a ring there is no scaffold, and no bin for all of them
    assert not together("scaffold", "CCO", "CCCO")
    assert together("similarity", "CCCCCCCCCC", "CCCCCCCCCCC")
    assert not together("similarity", "CCO", "c1ccccc1")


@settings(deadline=None)  # machines are shared
@given(st.lists(st.integers(0, 1000), min_size=1), st.integers(1, 50))
def test_a_full_bin_gives_less_and_less_and_never_nothing(crowds, room):
    shares = Crowding("molecule", room).shares(sorted(crowds))
    assert (np.diff(shares) <= 0).all()
    assert (shares > 0).all()
    for crowd, share in zip(sorted(crowds), shares, strict=True):
        # as many molecules as there is room for count in full, and all the later ones share as much
        assert share == (1 if crowd < room else pytest.approx(room / (crowd + 1)))


def test_mistakes_are_named():
    with pytest.raises(
        ValueError, match="by: got 'colour', expected one of 'molecule', 'scaffold', 'similarity'"
    ):
        Crowding("colour")
    with pytest.raises(ValueError, match="room"):
        Crowding("molecule", 0)
    broken = Crowding("similarity")
    with pytest.raises(ValueError, match="expected SMILES"):
        broken.load_state_dict({"by": "similarity", "room": 25, "bins": ["x("], "counts": [1]})
