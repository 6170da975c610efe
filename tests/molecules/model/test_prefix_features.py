import numpy as np
import torch
from scipy.sparse.csgraph import shortest_path

from softdraw.molecules.model.prefix_features import UNREACHED, prefix_features

VALENCES = torch.tensor([4, 3, 2, 1])


def random_graphs(batch, atoms, seed):
    rng = np.random.default_rng(seed)
    lower = np.tril(rng.choice(4, (batch, atoms, atoms), p=[0.65, 0.2, 0.1, 0.05]), -1)
    types = torch.from_numpy(rng.integers(0, 4, (batch, atoms)))
    return types, torch.from_numpy(lower + lower.transpose(0, 2, 1))


def test_features_are_those_of_each_prefix():
    """Against scipy's shortest paths and sums over the prefix, one decision at a time."""
    types, bonds = random_graphs(20, 7, 0)
    got = prefix_features(types, bonds, VALENCES)
    for b in range(20):
        for i in range(7):
            left = [VALENCES[types[b, c]] - bonds[b, c, :i].sum() for c in range(7)]
            assert got.open_valence[b, i].tolist() == left
            for j in range(i):
                known = bonds[b, : i + 1, : i + 1].clone().numpy()
                after = shortest_path(known > 0, unweighted=True)[i, j]
                assert got.distance[b, i, j] == min(after, UNREACHED)
                known[i, : j + 1] = known[: j + 1, i] = 0  # not drawn yet
                before = shortest_path(known > 0, unweighted=True)[i, j]
                assert got.distance_new[b, i, j] == min(before, UNREACHED)
                assert got.open_new[b, i, j] == VALENCES[types[b, i]] - bonds[b, i, j + 1 : i].sum()
