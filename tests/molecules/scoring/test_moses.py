import json
import os
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from softdraw.molecules.errors import SetError
from softdraw.molecules.scoring import features as features_module
from softdraw.molecules.scoring.canonical import canonical_smiles
from softdraw.molecules.scoring.moses import MosesScores, moses_scores
from softdraw.molecules.scoring.table import MOSES_ROWS

from ..drugs import DRUGS

LISTED = list(DRUGS.values())
SAMPLES = [*LISTED[::2], "", "C1CC", "CC(", *LISTED[:10:2]]
SETS = {"train": LISTED[:20], "reference": LISTED[1::2], "scaffold_reference": LISTED[2::3]}

# of SAMPLES and SETS, train as canonical SMILES, by molsets 0.3.1 with fcd_torch 1.0.7 and RDKit 2026.09.1
MOLSETS = {
    "valid": 0.9333333333333333,
    "fcd_test": 25.822236665200645,
    "snn_test": 0.1705017164793043,
    "frag_test": 0.12907554420784328,
    "scaf_test": 0.0,
    "fcd_scaffolds": 17.469540606231945,
    "snn_scaffolds": 0.4278197771026975,
    "frag_scaffolds": 0.5913443579574845,
    "scaf_scaffolds": 0.4714045207910317,
    "int_div": 0.9251809816917325,
    "int_div2": 0.8171710823273847,
    "filters": 0.4523809523809524,
    "novelty": 0.7297297297297297,
}


def test_the_scores_are_those_of_molsets(tmp_path):
    """It adds up in float32, so that means agree to 1e-7."""
    found = moses_scores(SAMPLES, **SETS, cache=tmp_path).to_dict()
    for name, theirs in MOLSETS.items():
        assert found[name] == pytest.approx(theirs, rel=2e-7, abs=1e-12), name
    assert found["count"] == len(SAMPLES)
    again = moses_scores(SAMPLES, **SETS, cache=tmp_path).to_dict()
    assert again == found


@pytest.mark.skipif("SOFTDRAW_MOLSETS" not in os.environ, reason="no Python with molsets in SOFTDRAW_MOLSETS")
def test_the_scores_are_those_that_molsets_computes_now():
    """On more than a thousand samples, half of them drawn from another set, some invalid, some twice."""
    from softdraw.molecules.data.dataset import load

    listed = load("chemicals").graphs.smiles
    samples = [*listed[:2000:2], *LISTED, *listed[:40:2], "", "C1CC"]
    sets = {"test": listed[1:3000:3], "test_scaffolds": listed[2:3000:3], "train": listed[:1000]}
    script = Path(__file__).with_name("molsets_scores.py")
    asked = json.dumps({"gen": samples, "k": [1000], **{n: list(s) for n, s in sets.items()}})
    ran = subprocess.run(
        [os.environ["SOFTDRAW_MOLSETS"], script], input=asked, capture_output=True, text=True, check=True
    )
    theirs = json.loads(ran.stdout)
    found = moses_scores(
        samples,
        train=sets["train"],
        reference=sets["test"],
        scaffold_reference=sets["test_scaffolds"],
        cache=None,
    )
    for ours, name in {
        found.valid: "valid",
        found.unique_1k: "unique@1000",
        found.fcd_test: "FCD/Test",
        found.snn_test: "SNN/Test",
        found.frag_test: "Frag/Test",
        found.scaf_test: "Scaf/Test",
        found.fcd_scaffolds: "FCD/TestSF",
        found.snn_scaffolds: "SNN/TestSF",
        found.frag_scaffolds: "Frag/TestSF",
        found.scaf_scaffolds: "Scaf/TestSF",
        found.int_div: "IntDiv",
        found.int_div2: "IntDiv2",
        found.filters: "Filters",
        found.novelty: "Novelty",
    }.items():
        assert ours == pytest.approx(theirs[name], rel=1e-5), name


def test_what_is_not_given_or_too_little_has_no_score():
    found = moses_scores(["CCO", "CCO", "CCN"], fcd=False, cache=None).to_dict()
    given = {name for name, value in found.items() if value is not None}
    assert given == {"count", "valid", "int_div", "int_div2", "filters"}
    empty = moses_scores(["", "C1CC"], **SETS, fcd=False, cache=None).to_dict()
    assert {name: value for name, value in empty.items() if value is not None} == {"count": 2, "valid": 0}
    assert moses_scores([], train=["C"]).valid is None
    none_shared = moses_scores(["CCO"], reference=["CCN", "CCC"], cache=None)
    assert (none_shared.scaf_test, none_shared.fcd_test) == (None, None)
    assert none_shared.frag_test == 0


@pytest.mark.parametrize(("samples", "first", "second"), [(999, None, None), (1001, 0.5, None)])
def test_unique_is_of_the_first_valid_ones(samples, first, second):
    """Of 500 molecules, each drawn twice in a row; what is invalid does not count."""
    drawn = [f"{'C' * (1 + n // 2 // 20)}{'O' * (1 + n // 2 % 20)}" for n in range(samples)]
    found = moses_scores(["C(", *drawn, ""], fcd=False)
    assert (found.unique_1k, found.unique_10k) == (first, second)


def test_several_fragments_and_stereo():
    """Fragments are valid, as in MOSES, and stereo is no difference, as everywhere here."""
    found = moses_scores(["CC.O", "C[C@H](N)O", "C[C@@H](N)O"], train=["CC(N)O"], fcd=False)
    assert (found.valid, found.novelty) == (1, 0.5)


@pytest.mark.parametrize("name", ["reference", "scaffold_reference"])
def test_a_set_of_one_molecule_is_refused(name):
    with pytest.raises(SetError, match=rf"^{name}: got 1 valid molecules, expected at least 2"):
        moses_scores(["CCO"], **{name: ["CC", "C("]}, cache=None)
    with pytest.raises(TypeError, match=rf"{name}: got .*, expected a list of SMILES"):
        moses_scores(["CCO"], **{name: "CCO"}, cache=None)
    with pytest.raises(SetError, match="train: got 1 entries of which none is a molecule"):
        moses_scores(["CCO"], train=["C("])


def test_a_test_set_is_remembered_and_made_again_when_damaged(tmp_path, monkeypatch):
    calls = []
    compute = features_module.features_of
    monkeypatch.setattr(
        features_module, "features_of", lambda smiles, **more: calls.append(smiles) or compute(smiles, **more)
    )
    ask = lambda: moses_scores(SAMPLES, reference=SETS["reference"], fcd=False, cache=tmp_path)  # noqa: E731
    first = ask()
    assert ask() == first
    assert calls == [SETS["reference"]]
    (entry,) = tmp_path.iterdir()
    entry.write_bytes(entry.read_bytes()[:500])
    assert ask() == first
    assert len(calls) == 2
    (tmp_path / "file").write_text("")
    moses_scores(SAMPLES, reference=SETS["reference"], fcd=False, cache=tmp_path / "file")
    assert len(calls) == 3


def test_what_is_done_is_told(tmp_path):
    told = []
    moses_scores(SAMPLES[:5], **SETS, cache=tmp_path, report=lambda what, share: told.append((what, share)))
    assert dict(told) == {"features": 1, "nearest neighbours": 1, "Fréchet distance": 1, "diversity": 1}


def test_the_table_has_every_score():
    assert [row.name for row in MOSES_ROWS] == [field.name for field in fields(MosesScores)]


def test_the_sets_hold_what_they_should():
    """The numbers of molsets are worth something only if nothing is empty and no stereo is in the way."""
    assert canonical_smiles(LISTED).count("") == 0
    assert all(value > 0 for name, value in MOLSETS.items() if name != "scaf_test")
