"""Each mutation does what it says, and leaves a molecule."""

import numpy as np
import pytest
from rdkit import rdBase
from tests.molecules.drugs import DRUGS

from softdraw.molecules.proposing import grouping, mutation
from softdraw.molecules.proposing.graph import read_parent, write_child
from softdraw.molecules.proposing.mutation import MUTATIONS, mutate

SMALL = {
    "append_atom": ("C", {"CC", "CN", "CO", "CF", "CS", "CCl", "CBr", "C=C", "C=N", "C=O", "C=S"}),
    "insert_atom": ("CC", {"CCC", "CNC", "COC", "CSC"}),
    "delete_atom": ("CCO", {"CO", "CC"}),
    "change_atom": ("CC", {"CN", "CO", "CF", "CS", "CCl", "CBr"}),
    "swap_atoms": ("CCO", {"COC"}),
    "change_order": ("CC", {"C=C"}),
    "close_ring": ("CCCC", {"CC1CC1", "C1CCC1"}),
    "open_ring": ("C1CC1", {"CCC"}),
    "neutralise": ("C[NH3+]", {"CN"}),
    "move_group": ("CCCF", {"CC(C)F"}),
}


def edits(edit, smiles, count=300, seed=0):
    parent = read_parent(smiles)
    rng = np.random.default_rng(seed)
    found = set()
    with rdBase.BlockLogs():
        for _ in range(count):
            graph = parent.graph.copy()
            if edit(graph, rng):
                found.add(write_child(graph, parent.odd._replace(poor=9)))
    return found


@pytest.mark.parametrize("name", SMALL)
def test_edits_of_a_small_molecule(name):
    smiles, expected = SMALL[name]
    edit = {one.__name__: one for one, _ in MUTATIONS}[name]
    found = edits(edit, smiles) - {"", smiles}
    if name == "move_group":
        assert expected <= found
    elif name == "append_atom":
        assert found <= expected
        assert len(found) >= 9
    else:
        assert found == expected


def test_groups_are_appended_and_changed():
    assert "CC(F)(F)F" in edits(grouping.append_group, "C", 500)
    appended = edits(grouping.append_group, "C1CC1", 500)
    assert len(appended) == len(grouping.GROUPS)
    changed = edits(grouping.change_group, "ClC1CC1", 1000)
    assert changed == appended


@pytest.mark.parametrize("name", ["celecoxib", "chloramphenicol", "betaine", "sulfur hexafluoride", "cubane"])
def test_every_mutation_leaves_molecules_or_says_no(name):
    for edit, _ in MUTATIONS:
        before = read_parent(DRUGS[name])
        found = edits(edit, DRUGS[name], 60)
        assert read_parent(DRUGS[name]) == before
        assert len(found - {""}) > 0.4 * len(found) - 1, edit.__name__


def test_no_radical_and_no_new_stretch():
    # sulfur may become a sulfoxide's or a sulfone's, and nothing else beyond two bonds
    found = edits(mutation.append_atom, "CSC", 400) | edits(mutation.change_order, "CS(C)=O", 100)
    assert not any("[SH" in one or "[PH" in one for one in found)


def test_weights_are_those_of_the_table():
    rng = np.random.default_rng(0)
    sizes = [len(mutate(read_parent("CCCCCC").graph, rng)) - 6 for _ in range(800)]
    assert {-1, 0, 1} <= set(sizes)
    assert max(sizes) == 7  # the largest group
    assert sum(weight for _, weight in MUTATIONS) == pytest.approx(1)


def test_nothing_to_edit():
    assert mutate(read_parent("C").graph, np.random.default_rng(0)) is not None
    assert edits(mutation.neutralise, "CCO") == set()
    assert edits(mutation.neutralise, "C[N+](=O)[O-]") == set()
    assert edits(mutation.open_ring, "CCO") == set()
