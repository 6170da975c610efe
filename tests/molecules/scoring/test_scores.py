import gzip
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import DataStructs
from rdkit.Chem import MolFromSmiles, rdFingerprintGenerator

from softdraw.molecules.data.dataset import load
from softdraw.molecules.errors import DataError
from softdraw.molecules.scoring import canonical
from softdraw.molecules.scoring.canonical import canonical_smiles
from softdraw.molecules.scoring.scores import Scores, score, score_file

from ..drugs import DRUGS

MODULE = sys.modules["softdraw.molecules.scoring.scores"]  # the room exports the function under this name

POOL = [
    "CCO",
    "OCC",
    "CCN",
    "c1ccccc1",
    "C1=CC=CC=C1",
    "C[C@H](N)O",
    "CC(N)O",
    "",
    "C1CC",
    "C.C",
    "CC(C)(C)(C)C",
]


@settings(deadline=None)
@given(st.lists(st.sampled_from(POOL), max_size=20), st.sets(st.sampled_from(["CCO", "CCN", "c1ccccc1"])))
def test_shares_are_counted_as_defined(samples, train):
    """Against a count by hand: invalid entries, two writings of one molecule, stereo that does not count."""
    names = dict(
        zip(POOL, ["CCO", "CCO", "CCN", "c1ccccc1", "c1ccccc1", "CC(N)O", "CC(N)O", *4 * [""]], strict=True)
    )
    valid = [names[s] for s in samples if names[s]]
    unique = set(valid)
    found = score(samples, train=train, whole=[*train, "CC(N)O"])
    assert found.count == len(samples)
    assert found.validity == (len(valid) / len(samples) if samples else None)
    assert found.uniqueness == (len(unique) / len(valid) if valid else None)
    assert found.novelty_train == (len(unique - train) / len(unique) if unique else None)
    assert found.novelty_whole == (len(unique - train - {"CC(N)O"}) / len(unique) if unique else None)
    new = len(unique - train - {"CC(N)O"})
    assert (
        found.valid_unique_novel
        == found.valid_unique_novel_whole
        == (new / len(samples) if samples else None)
    )
    assert found.valid_unique_novel_train == (len(unique - train) / len(samples) if samples else None)
    assert found.mean_atoms == (np.mean([MolFromSmiles(s).GetNumAtoms() for s in valid]) if valid else None)


def test_without_a_whole_set_novelty_is_against_train():
    found = score(["CCO", "CCN"], train=["CCO"])
    assert found.novelty_whole is None
    assert found.valid_unique_novel_whole is None
    assert found.valid_unique_novel == found.valid_unique_novel_train == 0.5
    assert found.fcd is None
    assert found.logp is None


def test_sets_that_are_not_canonical_are_canonicalised():
    samples = ["CCO", "c1ccccc1", "CC(N)O"]
    assert score(samples, train=["OCC", "C1=CC=CC=C1", "C[C@H](N)O", "not a molecule"]).novelty_train == 0
    assert score(samples, train=set(samples)).novelty_train == 0
    assert score(samples, train=[]).novelty_train == 1


@pytest.mark.parametrize("name", ["train", "whole"])
@pytest.mark.parametrize("entries", [["junk"], ["", ""], ["C.C", "C("] * 300])
def test_a_known_set_without_a_molecule_is_refused(name, entries):
    """All samples would count as new, whatever the set was meant to hold."""
    with pytest.raises(ValueError, match=f"{name}: got {len(entries)} entries of which none is a molecule"):
        score(["CCO"], **{"train": ["CCO"], name: entries})


@pytest.mark.parametrize("name", ["samples", "train", "whole", "reference"])
@pytest.mark.parametrize("value", ["CCO", Path("train.smi"), 5])
def test_what_is_no_list_is_refused(name, value):
    """Of text, every letter would be a molecule: a path would be scored without being read."""
    sets = {"samples": ["CCO"], "train": ["CCO"], name: value}
    with pytest.raises(TypeError, match=rf"{name}: got .*, expected a list of SMILES"):
        score(sets.pop("samples"), **sets)


def test_molecules_of_rdkit_and_missing_cells_are_taken():
    entries = [MolFromSmiles("OCC"), " CCN ", None, float("nan"), ""]
    found = score(entries, train=entries, fcd=False)
    assert (found.count, found.validity, found.novelty_train) == (5, 0.4, 0)
    assert canonical_smiles(entries) == ["CCO", "CCN", "", "", ""]


def test_hydrogens_and_atom_maps_are_no_difference():
    """What the data reads as one molecule is one molecule to the scores."""
    writings = [r"[H]/N=C(\C)F", "CC(=N)F", "[CH3:1]C(=N)F"]
    assert canonical_smiles(writings) == ["CC(=N)F"] * 3
    for known in writings:
        assert score(["CC(=N)F"], train=[known]).novelty_train == 0


@given(st.sampled_from(sorted(DRUGS.values())))
def test_canonical_smiles_of_canonical_smiles_is_itself(smiles):
    once = canonical_smiles([smiles])
    assert once == canonical_smiles(once) != [""]


@pytest.fixture(scope="module")
def shuffled(embedded) -> list[str]:
    """The embedded set as it is stored goes from common to rare compounds."""
    return [embedded.graphs.smiles[i] for i in np.random.default_rng(0).permutation(len(embedded))]


@pytest.fixture(scope="module")
def reference(shuffled) -> list[str]:
    return shuffled[:300]


def test_a_set_scored_against_itself_has_no_distance(reference, tmp_path):
    found = score(reference, train=[], reference=reference, cache=tmp_path)
    assert found.fcd == pytest.approx(0, abs=1e-3)
    for name in ("atom_types", "bond_orders", "ring_sizes", "logp", "qed", "mw", "tpsa"):
        assert getattr(found, name) == 0
    assert found.to_dict().keys() == {field.name for field in fields(Scores)}


def test_distances_tell_a_shifted_set(reference, shuffled, tmp_path):
    near = score(shuffled[300:600], train=[], reference=reference, cache=tmp_path)
    oxygen_free = [s for s in shuffled[300:2000] if "O" not in s][:300]
    far = score(oxygen_free, train=[], reference=reference, cache=tmp_path)
    for name in ("fcd", "atom_types", "tpsa"):
        assert getattr(far, name) > 2 * getattr(near, name)


def test_fcd_can_be_left_out(reference, monkeypatch):
    monkeypatch.setattr("softdraw.molecules.scoring.frechet.activations", lambda _: 1 / 0)
    found = score(reference[:50], train=[], reference=reference, fcd=False)
    assert found.fcd is None
    assert found.logp is not None


def test_the_seed_decides_what_is_sampled(shuffled, monkeypatch):
    """The slow scores take 2,000 molecules; 200 show the same here."""
    monkeypatch.setattr(MODULE, "_SAMPLED", 200)
    samples = shuffled[:1000]
    first, again, other = (
        score(samples, train=[], reference=samples[::-1], fcd=False, seed=seed) for seed in (0, 0, 1)
    )
    assert first == again
    assert first.logp != other.logp
    assert first.atom_types == other.atom_types == 0
    assert abs(first.diversity - other.diversity) < 0.02


def test_diversity_is_one_less_the_mean_similarity(reference):
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    prints = [generator.GetFingerprint(MolFromSmiles(s)) for s in reference[:40]]
    mean = np.mean([DataStructs.BulkTanimotoSimilarity(p, prints) for p in prints])
    assert score(reference[:40], train=[]).diversity == pytest.approx(1 - mean, abs=1e-6)
    assert score(["CCO"] * 5, train=[]).diversity == pytest.approx(0, abs=1e-6)
    assert score(["CCO"], train=[]).diversity is None


def test_diversity_is_what_molecule_benchmarks_gives():
    """Its numbers, recorded with version 0.1.14, which adds up in float32."""
    assert score(list(DRUGS.values()), train=[]).diversity == pytest.approx(0.9420219802612628, abs=1e-7)
    assert score(["CCO", "CCN", "c1ccccc1"], train=[]).diversity == pytest.approx(16 / 27, abs=1e-12)
    assert score(["C", "O"], train=[]).diversity == 0.5


def test_nothing_valid_is_no_error(reference, tmp_path):
    found = score(["", "C1CC", "C.C"], train=["C"], reference=reference, cache=tmp_path)
    assert (found.count, found.validity, found.uniqueness, found.fcd, found.mean_atoms) == (
        3,
        0,
        None,
        None,
        None,
    )
    assert score(["CCO"], train=[], reference=reference, cache=tmp_path).fcd is None
    assert score([], train=[]).validity is None


def test_a_reference_of_one_molecule_is_refused():
    with pytest.raises(ValueError, match="reference: got 1 valid molecules, expected at least 2"):
        score(["CCO"], train=[], reference=["CC", "C(", ""])


def test_a_file_of_samples_counts_its_blank_lines(tmp_path):
    (tmp_path / "samples.smi").write_text("CCO\n\nCCN name\nC1CC\n\n")
    found = score_file(tmp_path / "samples.smi", train=["CCO"])
    assert found == score(["CCO", "", "CCN", "C1CC", ""], train=["CCO"])
    assert (found.count, found.validity) == (5, 0.4)
    (tmp_path / "samples.csv").write_text("smiles,x\nCCO,1\n,2\n")
    assert score_file(tmp_path / "samples.csv", train=[]).validity == 0.5
    with pytest.raises(DataError, match="no such file"):
        score_file(tmp_path / "missing.smi", train=[])


def test_a_file_of_samples_is_read_in_the_encoding_that_is_named(tmp_path):
    path = tmp_path / "samples.csv"
    path.write_bytes("名前,構造\nエタノール,CCO\n壊れた,C1CC\n".encode("shift_jis"))
    found = score_file(path, train=["CCO"], smiles_column="構造", encoding="shift_jis")
    assert (found.count, found.validity, found.novelty_train) == (2, 0.5, 0.0)
    with pytest.raises(DataError):
        score_file(path, train=["CCO"], smiles_column="構造")


def test_molecules_that_are_drawn_often_are_read_once(monkeypatch):
    calls = []
    monkeypatch.setattr(canonical, "parse_smiles", lambda s: calls.append(s) or MolFromSmiles(s))
    canonical_smiles(["CCO"] * 10)
    assert calls == ["CCO"]


DATA = Path(os.environ.get("SOFTDRAW_SHARED_DATA", Path(__file__).parents[3].parent / "shared" / "data"))


@pytest.fixture(scope="module")
def qm9() -> tuple[list[str], list[str]]:
    """All of QM9, and 10,000 of it held out."""
    if not (DATA / "peer_samples").is_dir():
        pytest.skip(f"no peer samples in {DATA}; set SOFTDRAW_SHARED_DATA")
    whole = load(DATA / "qm9.smi.gz").graphs.smiles
    held = np.random.default_rng(0).permutation(len(whole))[:10_000]
    return whole, [whole[i] for i in held]


PEERS = {
    # validity, uniqueness, share that is valid, unique and new to QM9: as measured when this was written
    "digress_qm9": (0.9921, 0.9688, 0.2461),
    "graphvae_qm9": (0.5509, 0.6317, 0.2040),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PEERS)
def test_published_samples_of_peers_score_as_known(name, qm9):
    """The Fréchet distances known for these files are 0.302 and 4.6, against another draw of 10,000."""
    whole, held = qm9
    train = sorted(set(whole) - set(held))
    found = score_file(DATA / "peer_samples" / f"{name}.smi.gz", train=train, whole=whole, reference=held)
    validity, uniqueness, novel = PEERS[name]
    assert found.validity == pytest.approx(validity, abs=1e-3)
    assert found.uniqueness == pytest.approx(uniqueness, abs=1e-3)
    assert found.valid_unique_novel == pytest.approx(novel, abs=1e-3)
    assert found.fcd == pytest.approx({"digress_qm9": 0.302, "graphvae_qm9": 4.6}[name], rel=0.07)


def test_gzipped_samples_are_read(tmp_path):
    (tmp_path / "s.smi.gz").write_bytes(gzip.compress(b"CCO\nCC\n"))
    assert score_file(tmp_path / "s.smi.gz", train=[]).count == 2


def test_scoring_leaves_rdkits_log_as_it_was():
    """In a process of its own, where nothing was imported before."""
    code = (
        "from rdkit import rdBase; before = rdBase.LogStatus(); "
        "from softdraw.molecules import score; "
        "score(['CCO', 'CCN', 'CCC'], train=[], fcd=False); "
        "assert rdBase.LogStatus() == before, rdBase.LogStatus()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
