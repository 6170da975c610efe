import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from softdraw.molecules.runtime.team import Team
from softdraw.molecules.scoring import frechet
from softdraw.molecules.scoring.frechet import (
    ActivationStatistics,
    activations,
    frechet_distance,
    reference_statistics,
)

from ..drugs import DRUGS

CHEMNET = str(Path(find_spec("fcd").origin).parent / "ChemNet_v0.13_pretrained.pt")
SMILES = sorted(DRUGS.values(), key=len)[:40]


@pytest.fixture
def _quiet_fcd():
    """``fcd`` uses what numpy and scipy have deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture(scope="module")
def known() -> dict[str, np.ndarray]:
    """Activations, computed once: a molecule takes 3 ms."""
    return dict(zip(SMILES, activations(SMILES), strict=True))


def gaussian(rng: np.random.Generator, size: int) -> ActivationStatistics:
    root = rng.normal(size=(size, size))
    return ActivationStatistics(rng.normal(size=size), root @ root.T / size)


@pytest.mark.usefixtures("_quiet_fcd")
@pytest.mark.parametrize("seed", range(5))
def test_the_distance_is_that_of_fcd(seed):
    import fcd

    rng = np.random.default_rng(seed)
    a, b = gaussian(rng, 12), gaussian(rng, 12)
    theirs = fcd.calculate_frechet_distance(a.mean, a.covariance, b.mean, b.covariance)
    assert frechet_distance(a, b) == pytest.approx(theirs, rel=1e-6)
    assert frechet_distance(b, a) == pytest.approx(theirs, rel=1e-6)


@given(
    arrays(float, 5, elements=st.floats(-3, 3)),
    arrays(float, 5, elements=st.floats(0, 4)),
    arrays(float, 5, elements=st.floats(-3, 3)),
    arrays(float, 5, elements=st.floats(0, 4)),
)
def test_for_diagonal_covariances_there_is_a_closed_form(m, s, n, t):
    """``|m - n|² + |s - t|²`` for standard deviations s and t, singular ones included."""
    found = frechet_distance(ActivationStatistics(m, np.diag(s**2)), ActivationStatistics(n, np.diag(t**2)))
    assert found == pytest.approx(((m - n) ** 2).sum() + ((s - t) ** 2).sum(), abs=1e-6)


def test_the_distance_of_a_set_to_itself_is_zero():
    a = gaussian(np.random.default_rng(0), 30)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)


@pytest.mark.usefixtures("_quiet_fcd")
def test_activations_are_those_of_fcd_and_repeats_cost_nothing(known, monkeypatch):
    import fcd

    theirs = fcd.get_predictions(fcd.load_ref_model(CHEMNET), SMILES[:6], n_jobs=0, device="cpu")
    np.testing.assert_allclose(np.stack([known[s] for s in SMILES[:6]]), theirs, atol=1e-6)
    asked = []
    monkeypatch.setattr(
        fcd,
        "get_predictions",
        lambda model, smiles, **_: asked.append(smiles) or np.zeros((len(smiles), 512)),
    )
    assert activations(["C", "CC", "C"]).shape == (3, 512)
    assert asked == [["C", "CC"]]


def test_statistics_are_mean_and_covariance(known, monkeypatch):
    monkeypatch.setattr(frechet, "activations", lambda smiles: np.stack([known[s] for s in smiles]))
    found = ActivationStatistics.of(SMILES)
    matrix = np.stack(list(known.values())).astype(float)
    np.testing.assert_allclose(found.mean, matrix.mean(0), atol=1e-12)
    centred = matrix - matrix.mean(0)
    np.testing.assert_allclose(found.covariance, centred.T @ centred / (len(matrix) - 1), atol=1e-12)
    monkeypatch.setattr(frechet, "_BLOCK", 7)
    told = []
    repeated = [*SMILES, *SMILES[:9], SMILES[3]]
    in_blocks = ActivationStatistics.of(repeated, Team(report=lambda what, share: told.append(share)))
    values = np.stack([known[s] for s in repeated]).astype(float)
    np.testing.assert_allclose(in_blocks.mean, values.mean(0), atol=1e-12)
    np.testing.assert_allclose(in_blocks.covariance, np.cov(values.T), atol=1e-12)
    assert told == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1])
    with pytest.raises(ValueError, match="got 1 molecules, expected at least 2"):
        ActivationStatistics.of(["C"])


def test_a_reference_is_remembered_and_made_again_when_damaged(known, tmp_path, monkeypatch):
    calls = []

    def count(smiles):
        calls.append(len(smiles))
        return np.stack([known[s] for s in smiles])

    monkeypatch.setattr(frechet, "activations", count)
    first = reference_statistics(SMILES, tmp_path)
    second = reference_statistics(SMILES[::-1], tmp_path)
    assert calls == [len(SMILES)]
    np.testing.assert_array_equal(first.covariance, second.covariance)
    (entry,) = tmp_path.iterdir()
    entry.write_bytes(entry.read_bytes()[:100])
    np.testing.assert_array_equal(reference_statistics(SMILES, tmp_path).mean, first.mean)
    assert len(calls) == 2
    reference_statistics(SMILES[1:], tmp_path)
    reference_statistics(SMILES, None)
    assert len(calls) == 4
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_that_cannot_be_written_costs_time_only(known, tmp_path, monkeypatch):
    monkeypatch.setattr(frechet, "activations", lambda smiles: np.stack([known[s] for s in smiles]))
    (tmp_path / "file").write_text("")
    assert reference_statistics(SMILES, tmp_path / "file").mean.shape == (512,)
