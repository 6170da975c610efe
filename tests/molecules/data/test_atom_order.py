from collections import Counter

import numpy as np
import pytest

from softdraw.molecules.data.atom_order import LARGEST_PART, random_walks

from ...statistics import assert_frequencies


def walk_counts(edges: list[tuple[int, int]], atoms: int, draws: int, seed: int) -> Counter[tuple[int, ...]]:
    later, earlier = np.array(edges).T
    rank = random_walks(
        np.full(draws, atoms),
        atoms + 2,
        np.repeat(np.arange(draws), len(edges)),
        np.tile(later, draws),
        np.tile(earlier, draws),
        np.random.default_rng(seed),
    )
    return Counter(map(tuple, rank[:, :atoms].argsort(1).tolist()))


def walk_probabilities(edges: list[tuple[int, int]], atoms: int) -> dict[tuple[int, ...], float]:
    """Every depth-first order and its probability, by recursion over what a walker may do next."""
    near = {a: {b for e in edges for b in e if a in e and b != a} for a in range(atoms)}
    found: dict[tuple[int, ...], float] = {}

    def extend(path: tuple[int, ...], stack: tuple[int, ...], chance: float) -> None:
        if len(path) == atoms:
            found[path] = found.get(path, 0.0) + chance
            return
        while not (choices := near[stack[-1]] - set(path)):
            stack = stack[:-1]
        for choice in choices:
            extend((*path, choice), (*stack, choice), chance / len(choices))

    for root in range(atoms):
        extend((root,), (root,), 1 / atoms)
    return found


def test_walks_are_depth_first_with_a_uniform_root_and_uniform_turns():
    """A ring of three with two tails: chi-square over all orders, one seed."""
    edges = [(1, 0), (2, 1), (2, 0), (3, 0), (4, 1)]
    expected = walk_probabilities(edges, 5)
    draws = 20_000
    counts = walk_counts(edges, 5, draws, seed=7)
    assert set(counts) <= set(expected)
    assert_frequencies([counts[path] for path in expected], list(expected.values()))


def test_the_expected_frequencies_tell_a_wrong_walk():
    """The chi-square above has teeth: walks from a fixed root fail it."""
    edges = [(1, 0), (2, 0)]
    expected = walk_probabilities(edges, 3)
    assert sum(expected.values()) == 1.0
    counts = {path: 1000 for path in expected if path[0] == 0}
    with pytest.raises(AssertionError):
        assert_frequencies([counts.get(path, 0) for path in expected], list(expected.values()))


def test_a_part_is_finished_before_it_is_left():
    """A naphthalene with tails: the first atoms of every walk are all within some distance of the first."""
    edges = [(n + 1, n) for n in range(9)] + [(9, 0), (9, 4), (10, 2), (11, 10), (12, 11), (13, 7), (14, 13)]
    atoms, draws = 15, 400
    far = np.full((atoms, atoms), 99)
    np.fill_diagonal(far, 0)
    for one, other in edges:
        far[one, other] = far[other, one] = 1
    for middle in range(atoms):
        far = np.minimum(far, far[:, [middle]] + far[[middle]])
    later, earlier = np.array(edges).T
    arguments = (
        np.full(draws, atoms),
        atoms,
        np.repeat(np.arange(draws), len(edges)),
        np.tile(np.maximum(later, earlier), draws),
        np.tile(np.minimum(later, earlier), draws),
    )

    def finished(rank):
        """Numbers of atoms, more than one and not all, after which all within some distance were reached."""
        walk = rank.argsort()
        assert all(far[walk[step], walk[:step]].min() == 1 for step in range(1, atoms))
        parts = [(radius, int((far[walk[0]] <= radius).sum())) for radius in range(1, LARGEST_PART + 1)]
        return {n for radius, n in parts if n < atoms and (far[walk[0], walk[:n]] <= radius).all()}

    given, plain = (
        [finished(rank) for rank in random_walks(*arguments, np.random.default_rng(0), part_first=first)]
        for first in (True, False)
    )
    assert len(set.union(*given)) > 8
    # a radius of 0, and one that reaches all atoms, leave a plain walk
    assert sum(map(bool, given)) > 0.7 * draws
    assert sum(map(bool, plain)) < 0.45 * draws
