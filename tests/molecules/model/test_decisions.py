import numpy as np
import pytest
import torch
from scipy.sparse.csgraph import shortest_path

from softdraw.molecules.model.decisions import SELF, UNREACHED, decisions_of

VALENCES = torch.tensor([4, 3, 2, 1])


def random_graphs(batch, atoms, seed):
    """Graphs of 1 to ``atoms`` atoms, each bonded to an earlier one, with no regard to valences."""
    rng = np.random.default_rng(seed)
    lower = np.tril(rng.choice(4, (batch, atoms, atoms), p=[0.7, 0.18, 0.08, 0.04]), -1)
    sizes = rng.integers(1, atoms + 1, batch)
    sizes[0] = atoms
    for b in range(batch):
        for i in range(1, atoms):
            if not lower[b, i].any():
                lower[b, i, rng.integers(i)] = rng.integers(1, 4)
        lower[b, sizes[b] :] = 0
    types = np.where(np.arange(atoms) < sizes[:, None], rng.integers(0, 4, (batch, atoms)), -1)
    return torch.from_numpy(types), torch.from_numpy(lower + lower.transpose(0, 2, 1))


def written_out(types, bonds):
    """The decisions of one graph one by one, told from the rule: latest partner first, then no more."""
    for i in range(1, int((types >= 0).sum())):
        partners = [j for j in reversed(range(i)) if bonds[i, j]]
        for step, j in enumerate(partners):
            limit = partners[step - 1] if step else i
            yield i, step, limit, partners[:step], 1 + 3 * j + int(bonds[i, j]) - 1
        if partners[-1] > 0:
            yield i, len(partners), partners[-1], partners, 0


def test_decisions_and_what_they_see_are_those_of_each_prefix():
    """Against the rule written out, scipy's shortest paths and sums over the prefix."""
    types, bonds = random_graphs(30, 8, 0)
    got = decisions_of(types, bonds, VALENCES, 8)
    for b in range(30):
        known = torch.zeros_like(bonds[b])
        rows = list(written_out(types[b], bonds[b]))
        assert (got.bonds[b] >= 0).sum() == len(rows)
        for d, (i, step, limit, partners, chosen) in enumerate(rows):
            assert (got.atom[b, d], got.step[b, d], got.limit[b, d]) == (i, step, limit)
            assert got.bonds[b, d] == chosen
            assert [j for j in got.partners[b, d].tolist() if j >= 0] == partners
            assert [o for o in got.orders[b, d].tolist() if o] == [int(bonds[b, i, j]) for j in partners]
            assert got.offset[b, i] == d - step
            known[:i, :i] = bonds[b, :i, :i]
            for j in partners:
                known[i, j] = known[j, i] = bonds[b, i, j]
            assert got.open_new[b, d] == VALENCES[types[b, i]] - known[i].sum()
            far = shortest_path(known.numpy() > 0, unweighted=True)[i, :i]
            assert got.distance[b, d, :i].tolist() == np.minimum(far, UNREACHED).tolist()
            if step == 0:
                others = [j for j in range(i) if bonds[b, i, j]]
                assert (got.count[b, i], got.gap[b, i]) == (len(others), i - max(others))
                assert got.first_order[b, i] == bonds[b, i, max(others)]
                assert len(others) > 1 or got.ring[b, i] == 0
            elif step == 1 and chosen:
                assert got.ring[b, i] == min(far[(chosen - 1) // 3], UNREACHED) + 1


def test_states_are_those_of_each_prefix():
    types, bonds = random_graphs(30, 8, 1)
    got = decisions_of(types, bonds, VALENCES, 8)
    for b in range(30):
        for i in range(int((types[b] >= 0).sum())):
            known = bonds[b, : i + 1, : i + 1]
            left = [VALENCES[types[b, c]] - bonds[b, c, : i + 1].sum() for c in range(i + 1)]
            assert got.open_valence[b, i, : i + 1].tolist() == left
            far = shortest_path(known.numpy() > 0, unweighted=True)[i]
            expected = [min(distance, UNREACHED) + 1 for distance in far]
            for j in range(i):
                if bonds[b, i, j]:
                    expected[j] = 3 - int(bonds[b, i, j])
            expected[i] = SELF
            assert got.relation[b, i, : i + 1].tolist() == expected


def test_a_full_graph_stops_without_a_decision():
    bonds = torch.zeros(1, 3, 3, dtype=torch.long)
    bonds[0, [0, 1, 1, 2], [1, 0, 2, 1]] = 1
    full = decisions_of(torch.tensor([[0, 0, 0]]), bonds, VALENCES, 3)
    assert full.types.tolist() == [[0, 0, 0, -100]]
    bonds[0, [1, 2], [2, 1]] = 0
    shorter = decisions_of(torch.tensor([[0, 0, -1]]), bonds, VALENCES, 3)
    assert shorter.types.tolist() == [[0, 0, 4, -100]]
    assert shorter.bonds.tolist() == [[1]]


def test_about_three_decisions_an_atom_whatever_its_size():
    """A chain of n atoms takes n types, n - 1 bonds and n - 2 times `no more`."""
    for atoms in (10, 40):
        bonds = torch.diag(torch.ones(atoms - 1, dtype=torch.long), 1)
        got = decisions_of(torch.zeros(1, atoms, dtype=torch.long), (bonds + bonds.T)[None], VALENCES, 99)
        assert int((got.bonds >= 0).sum()) == 2 * atoms - 3


def test_a_graph_in_two_pieces_is_refused():
    with pytest.raises(ValueError, match="no bond joins to an earlier one"):
        decisions_of(torch.tensor([[0, 0]]), torch.zeros(1, 2, 2, dtype=torch.long), VALENCES, 3)
