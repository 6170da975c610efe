from collections import Counter

import numpy as np
import pytest
from rdkit.Chem import BRICS, GetMolFrags, MolFromSmiles, MolToSmiles

from softdraw.molecules.chemistry.patterns import read_patterns
from softdraw.molecules.runtime.team import Team
from softdraw.molecules.scoring import features
from softdraw.molecules.scoring.canonical import canonical_smiles
from softdraw.molecules.scoring.features import Features, features_of

from ..drugs import DRUGS

SMILES = list(DRUGS.values())


def assert_same(first, second):
    assert first.smiles == second.smiles
    np.testing.assert_array_equal(first.prints, second.prints)
    assert first.fragments == second.fragments
    assert first.scaffolds == second.scaffolds


def test_what_is_no_molecule_has_none():
    found = features_of(["", "C1CC", "OCC", "CC(", "C[C@H](N)O", "CC.O"], filters=True)
    assert found.smiles == ["CCO", "CC(N)O", "CC.O"]
    assert found.prints.shape == (3, 128)
    assert found.fragments == Counter({"CCO": 1, "CC(N)O": 1, "CC": 1, "O": 1})
    assert found.scaffolds == Counter()
    assert features_of([]).smiles == []


def test_fragments_are_what_brics_leaves():
    """Against RDKit's own module of BRICS, molecule by molecule."""
    for smiles in SMILES:
        left = GetMolFrags(BRICS.BreakBRICSBonds(MolFromSmiles(smiles)), asMols=True)
        assert features_of([smiles]).fragments == Counter(MolToSmiles(fragment) for fragment in left)


@pytest.mark.parametrize(
    ("smiles", "scaffold"),
    [
        ("c1ccccc1CCO", None),
        ("CCO", None),
        ("Cc1ccc(CC2CCNCC2)cc1", "c1ccc(CC2CCNCC2)cc1"),
        ("O=C(c1ccccc1)N1CCC1", "O=C(c1ccccc1)N1CCC1"),
    ],
)
def test_scaffolds_have_at_least_two_rings(smiles, scaffold):
    assert features_of([smiles]).scaffolds == Counter([] if scaffold is None else [scaffold])


def test_what_passes_the_filters_is_counted():
    patterns = read_patterns("moses")
    clean = sum(patterns.matches(MolFromSmiles(smiles)) is None for smiles in SMILES)
    assert features_of(SMILES, filters=True).clean == clean
    assert 10 < clean < 60
    assert features_of(SMILES).clean is None


def test_arrays_bring_it_back():
    for smiles in (SMILES, ["CCO"], []):
        found = features_of(smiles)
        assert_same(Features.from_arrays(found.to_arrays()), found)


def test_chunks_and_processes_are_no_difference(monkeypatch):
    whole = features_of(SMILES, filters=True)
    assert whole.smiles == canonical_smiles(SMILES)
    monkeypatch.setattr(features, "_CHUNK", 20)
    monkeypatch.setattr(features, "_WORTH", 10)
    for devices in (1, 2):
        parts = features_of(SMILES, filters=True, team=Team(devices))
        assert_same(parts, whole)
        assert list(parts.fragments) == list(whole.fragments)
        assert parts.clean == whole.clean
