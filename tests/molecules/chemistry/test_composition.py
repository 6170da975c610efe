from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem
from scipy.stats import wasserstein_distance

from softdraw.molecules.chemistry.composition import composition, total_variation, wasserstein

NUMBERS = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=30)
COUNTS = st.dictionaries(st.sampled_from("CNOFSP"), st.integers(1, 50), max_size=6)


@given(NUMBERS, NUMBERS)
def test_wasserstein_is_that_of_scipy(first, second):
    assert wasserstein(first, second) == pytest.approx(
        wasserstein_distance(first, second), rel=1e-9, abs=1e-9
    )


@given(NUMBERS, st.floats(-100, 100))
def test_wasserstein_of_a_shift_is_the_shift(values, shift):
    moved = np.array(values) + shift
    assert wasserstein(values, moved) == pytest.approx(abs(shift), abs=1e-6)
    assert wasserstein(values, values) == 0


def test_wasserstein_needs_numbers():
    with pytest.raises(ValueError, match="second: got no numbers"):
        wasserstein([1.0], [])


@given(COUNTS, COUNTS)
def test_total_variation_is_half_the_summed_difference(first, second):
    found = total_variation(first, second)
    assert 0 <= found <= 1 + 1e-12
    assert found == pytest.approx(total_variation(second, first))
    assert total_variation(first, {key: 3 * value for key, value in first.items()}) == pytest.approx(
        0, abs=1e-12
    )
    if first and second:
        events = [
            sum(first.get(k, 0) for k in event) / sum(first.values())
            - sum(second.get(k, 0) for k in event) / sum(second.values())
            for event in ({k for i, k in enumerate("CNOFSP") if mask >> i & 1} for mask in range(64))
        ]
        assert found == pytest.approx(max(events), abs=1e-12)  # the largest gap over all events


def test_total_variation_of_nothing():
    assert total_variation({}, {}) == 0
    assert total_variation({}, {"C": 1}) == 1


def test_composition_counts_kekulised_bonds_rings_and_charges():
    found = composition(Chem.MolFromSmiles(s) for s in ["c1ccc2ccccc2c1", "C[N+](=O)[O-]", "CC#N", "C1CC1"])
    assert found.atom_types == Counter({(6, 0): 16, (7, 1): 1, (8, 0): 1, (8, -1): 1, (7, 0): 1})
    assert found.bond_orders == Counter({1: 6 + 2 + 1 + 3, 2: 5 + 1, 3: 1})
    assert found.ring_sizes == Counter({6: 2, 0: 2, 3: 1})
    assert found.atoms == [10, 4, 3, 3]


def test_composition_leaves_the_molecule_as_it_was():
    mol = Chem.MolFromSmiles("c1ccccc1")
    composition([mol])
    assert Chem.MolToSmiles(mol) == "c1ccccc1"
