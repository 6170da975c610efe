import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softdraw.molecules.chemistry.codec import decode_batch
from softdraw.molecules.data.batches import Batches
from softdraw.molecules.data.dataset import load

GRAPHS = load([f"{'C' * n}{end}" for n in range(1, 24) for end in ("O", "N")], cache=None).graphs


@given(size=st.integers(1, 60), seed=st.integers(0, 2**64 - 1), world=st.integers(1, 3))
def test_every_molecule_comes_once_an_epoch_over_all_processes(size, seed, world):
    ranks = [Batches(GRAPHS, size, seed, rank=rank, world=world) for rank in range(world)]
    per_epoch = ranks[0].per_epoch
    for epoch in range(2):
        steps = range(epoch * per_epoch, (epoch + 1) * per_epoch)
        seen = [i for step in steps for one in ranks for i in one.indices(step)[one.rank :: world]]
        assert sorted(seen) == list(range(len(GRAPHS)))


def test_the_order_of_an_epoch_is_drawn_once_whatever_step_comes_first(monkeypatch):
    """A step costs what its batch does, not the set: the order is found where the epoch begins, and kept."""
    drawn = []
    default_rng = np.random.default_rng
    monkeypatch.setattr(np.random, "default_rng", lambda seed: drawn.append(seed) or default_rng(seed))
    for start in (0, 3):
        stream = Batches(GRAPHS, 8, 7)
        for step in range(start, 2 * stream.per_epoch):
            assert len(stream.indices(step))
        assert drawn == [[7, 0], [7, 1]]
        drawn.clear()


def test_batches_are_of_like_size_and_come_in_any_order_of_sizes():
    stream = Batches(GRAPHS, 4, 3)
    sizes = [GRAPHS.sizes[stream.indices(step)] for step in range(stream.per_epoch)]
    assert max(np.ptp(one) for one in sizes) < 12 < np.ptp(np.concatenate(sizes))
    means = [one.mean() for one in sizes]
    assert means != sorted(means)


def test_a_stream_started_later_goes_on_exactly():
    stream = Batches(GRAPHS, 8, 1, augment=0.5)
    later = Batches(GRAPHS, 8, 1, augment=0.5, start=5)
    for mine, theirs in zip(itertools.islice(stream, 5, 10), itertools.islice(later, 5), strict=True):
        assert (mine[0] == theirs[0]).all()
        assert (mine[1] == theirs[1]).all()


@pytest.mark.parametrize("augment", [0.0, 1.0])
def test_batches_hold_the_molecules_of_their_indices(augment):
    stream = Batches(GRAPHS, 8, 1, augment=augment)
    types, bonds, whole, other = stream.batch(3)
    assert not other
    assert len(types) == whole
    expected = [GRAPHS.smiles[i] for i in stream.indices(3)]
    assert decode_batch(types, bonds, GRAPHS.vocabulary) == expected
    plain, _ = GRAPHS.dense(stream.indices(3))
    assert (plain == types).all() == (augment == 0)


def test_a_share_of_batches_has_other_orders_on_all_processes_alike():
    ranks = [Batches(GRAPHS, 8, 5, augment=0.25, rank=rank, world=2) for rank in range(2)]
    others = []
    for step in range(200):
        mine, theirs = (one.batch(step) for one in ranks)
        assert mine[3] == theirs[3]
        others.append(mine[3])
        if not mine[3]:
            plain, _ = GRAPHS.dense(ranks[0].indices(step)[0::2])
            assert (mine[0] == plain).all()
    assert 25 < sum(others) < 75
