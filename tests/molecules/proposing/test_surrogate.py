"""The surrogate is the Gaussian process of the textbook, and of use."""

import numpy as np
import pytest
from tests.molecules.drugs import DRUGS

from softdraw.molecules.chemistry.codec import parse_smiles
from softdraw.molecules.proposing import surrogate as module
from softdraw.molecules.proposing.counts import PLACES, VIEWS, Reference, count_views
from softdraw.molecules.proposing.gaussian_process import GaussianProcess, Kernel, fitted_kernel, kernels
from softdraw.molecules.proposing.surrogate import Surrogate

MOLECULES = [smiles for smiles in DRUGS.values() if parse_smiles(smiles).GetNumHeavyAtoms() > 3]
COUNTS = count_views(MOLECULES)
VALUES = np.array([float(parse_smiles(smiles).GetNumHeavyAtoms()) for smiles in MOLECULES]) ** 0.5


def minmax(one, two):
    two = two.astype(int)
    rows = [(np.minimum(row, two).sum(1), np.maximum(row, two).sum(1)) for row in one.astype(int)]
    return np.array([least / np.maximum(most, 1) for least, most in rows])


def mean_kernel(one, two, weights):
    parts = [minmax(one[:, places], two[:, places]) for places in VIEWS.values()]
    return np.tensordot(weights, parts, 1)


def textbook(counts, values, others, kernel):
    """Means and deviations by inverses of matrices, Rasmussen and Williams 2006, equations 2.23 and 2.24."""
    centre, spread = values.mean(), values.std()
    known = (values - centre) / spread
    inverse = np.linalg.inv(mean_kernel(counts, counts, kernel.weights) + kernel.noise * np.eye(len(counts)))
    across = mean_kernel(others, counts, kernel.weights)
    scale = known @ inverse @ known / len(known)
    variance = scale * (1 - np.einsum("ij,jk,ik->i", across, inverse, across))
    return centre + spread * (across @ inverse @ known), spread * np.sqrt(variance)


def log_likelihood(views, values, kernel):
    """Of standardised values, at the best scale."""
    known = (values - values.mean()) / values.std()
    matrix = np.tensordot(kernel.weights, views, 1) + kernel.noise * np.eye(len(values))
    scale = known @ np.linalg.solve(matrix, known) / len(known)
    return -0.5 * len(known) * np.log(scale) - 0.5 * np.linalg.slogdet(matrix)[1]


def test_similarities_are_those_of_counts():
    reference = Reference(COUNTS[:20])
    reference.append(COUNTS[20:30])
    reference.append(COUNTS[30:])
    assert reference.similarity(COUNTS) == pytest.approx(minmax(COUNTS, COUNTS), abs=1e-15)


def test_similarities_of_odd_counts():
    counts = np.zeros((3, PLACES), dtype=np.uint8)
    counts[0, 5], counts[1, 5] = 255, 51
    assert Reference(counts).similarity(counts).tolist() == [[1, 0.2, 0], [0.2, 1, 0], [0, 0, 1]]


def test_counts_of_a_small_molecule():
    (counts,) = count_views(["CN1CC1c1ccncc1"])
    composition = counts[VIEWS["composition"]]
    assert {int(place): int(composition[place]) for place in np.flatnonzero(composition)} == {
        1: 10,
        6: 8,
        7: 2,
        120 + 3: 1,
        120 + 12 + 6: 1,
    }
    assert counts[VIEWS["pairs"]].sum() == 10 * 9 / 2
    assert counts[VIEWS["substructures"]].sum() > 10
    with pytest.raises(ValueError, match="got 'nonsense', expected SMILES"):
        count_views(["CC", "nonsense"])


def test_views_see_what_they_should():
    alike = {}
    for name, pair in {"isomers": ["CCCO", "CC(C)O"], "roles": ["CCCCl", "CCCBr"]}.items():
        counts = count_views(pair)
        alike[name] = {view: minmax(counts[:, at], counts[:, at])[0, 1] for view, at in VIEWS.items()}
    assert alike["isomers"]["composition"] == 1 > alike["isomers"]["substructures"]
    assert alike["roles"]["roles"] == 1 > alike["roles"]["substructures"]


@pytest.mark.parametrize("kernel", [Kernel((1.0, 0.0, 0.0, 0.0), 1e-3), Kernel((0.25, 0.25, 0.0, 0.5), 0.1)])
def test_predictions_are_those_of_the_textbook(kernel):
    process = GaussianProcess(COUNTS[:30], kernel)
    process.append(COUNTS[30:31])
    process.append(COUNTS[31:50])
    assert len(process) == 50
    mean, std = process.predict(COUNTS[40:], VALUES[:50])
    expected_mean, expected_std = textbook(COUNTS[:50], VALUES[:50], COUNTS[40:], kernel)
    assert mean == pytest.approx(expected_mean, abs=1e-9)
    assert std == pytest.approx(expected_std, abs=1e-6)


def test_the_kernel_is_the_most_likely_of_those_tried():
    rng = np.random.default_rng(0)
    views = [minmax(COUNTS[:, places], COUNTS[:, places]) for places in VIEWS.values()]
    tried = list(kernels())
    assert all(sum(kernel.weights) == 1 for kernel in tried)
    likely = []
    for sigma in (0.0, 3.0):
        values = VALUES + sigma * rng.standard_normal(len(VALUES))
        likely.append(fitted_kernel(COUNTS, values))
        assert likely[-1] == max(tried, key=lambda kernel: log_likelihood(views, values, kernel))
    assert likely[0].weights[-1] == 0.75  # the number of atoms is told by the composition
    assert likely[0].noise < likely[1].noise


def test_learning_in_parts_is_learning_at_once():
    parts, whole = Surrogate(), Surrogate()
    whole.learn(MOLECULES[:45], VALUES[:45])
    for start, stop in ((0, 40), (40, 41), (41, 45)):
        parts.learn(MOLECULES[start:stop], VALUES[start:stop])
    for one, other in zip(parts.predict(MOLECULES), whole.predict(MOLECULES), strict=True):
        assert one == pytest.approx(other, abs=1e-6)


def test_what_failed_is_left_out():
    with_failures, without = Surrogate(), Surrogate()
    values = VALUES.copy()
    values[::3] = np.nan
    values[1] = np.inf
    kept = np.isfinite(values)
    with_failures.learn(MOLECULES, values)
    with_failures.learn(["CC"], [np.nan])
    without.learn([one for one, good in zip(MOLECULES, kept, strict=True) if good], values[kept])
    assert len(with_failures) == len(without) == kept.sum()
    assert with_failures.predict(MOLECULES)[0] == pytest.approx(without.predict(MOLECULES)[0])


def test_of_too_many_the_best_are_kept(monkeypatch):
    monkeypatch.setattr(module, "_MOST", 40)
    monkeypatch.setattr(module, "_BEST", 20)
    monkeypatch.setattr(module, "_OTHERS", 10)
    one, two = Surrogate(seed=1), Surrogate(seed=1)
    for surrogate in (one, two):
        for start in range(0, len(MOLECULES), 7):
            surrogate.learn(MOLECULES[start : start + 7], VALUES[start : start + 7])
            assert len(surrogate._process) <= 40
    assert [part.tolist() for part in one.predict(MOLECULES)] == [p.tolist() for p in two.predict(MOLECULES)]
    best = np.argsort(-VALUES)[:10]
    mean, std = one.predict([MOLECULES[place] for place in best])
    assert mean == pytest.approx(VALUES[best], abs=0.3)
    assert std.max() < one.predict(MOLECULES)[1].max() / 2


def test_equal_values_are_no_error():
    surrogate = Surrogate()
    surrogate.learn(MOLECULES, np.full(len(MOLECULES), 0.25))
    mean, std = surrogate.predict(["CCO", "c1ccccc1"])
    assert mean == pytest.approx([0.25, 0.25])
    assert np.isfinite(std).all()


def test_the_promising_are_better_than_chance():
    surrogate = Surrogate()
    surrogate.learn(MOLECULES[::2], VALUES[::2])
    others, values = MOLECULES[1::2], VALUES[1::2]
    chosen = surrogate.promising(others, 8, np.random.default_rng(0))
    assert len(set(chosen.tolist())) == 8
    assert values[chosen].mean() > values.mean() + values.std()
    assert len(surrogate.promising(others[:3], 8, np.random.default_rng(0))) == 3


def test_what_will_not_do_is_said():
    with pytest.raises(ValueError, match="no molecule with a value was learned"):
        Surrogate().predict(["CC"])
    with pytest.raises(ValueError, match=r"values: got shape \[1\], expected \[2\]"):
        Surrogate().learn(["CC", "CCC"], [1.0])
