"""Properties that are written as a kind and an argument."""

import pickle

import pytest
from rdkit import Chem
from rdkit.Chem import DataStructs, rdFingerprintGenerator

from softdraw.molecules.chemistry.properties import evaluate, property_of
from softdraw.molecules.errors import TargetError
from softdraw.molecules.evaluating.evaluator import Evaluator
from softdraw.molecules.steering.targets import parse_target

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
MOLECULES = [ASPIRIN, "CC(=O)NC", "c1ccccc1", "C1CCCCC1", "CCO"]


def test_similarity_is_tanimoto_of_counted_circular_fingerprints():
    found = evaluate(f"similarity:{ASPIRIN}", MOLECULES)
    made = rdFingerprintGenerator.GetMorganGenerator(radius=2)
    prints = [made.GetSparseCountFingerprint(Chem.MolFromSmiles(one)) for one in MOLECULES]
    assert found.tolist() == [DataStructs.TanimotoSimilarity(prints[0], one) for one in prints]
    assert found[0] == 1
    assert 0 < found[1] < 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("smarts:C(=O)N", [0, 1, 0, 0, 0]),
        ("smarts:[#6]1:[#6]:[#6]:[#6]:[#6]:[#6]:1", [1, 0, 1, 0, 0]),
        ("smarts:[$(C(=O)[OX2]),$(C(=O)N)]", [1, 1, 0, 0, 0]),
        ("SUBSTRUCTURE: C1=CC=CC=C1", [1, 0, 1, 0, 0]),
        ("smarts:C1=CC=CC=C1", [0, 0, 0, 0, 0]),
        ("substructure:CC", [1, 1, 0, 1, 1]),
    ],
)
def test_a_pattern_is_held_or_not(name, expected):
    assert evaluate(name, MOLECULES).tolist() == expected


@pytest.mark.parametrize("name", [f"similarity:{ASPIRIN}", "smarts:[C;R]=O", "substructure:CC=O"])
def test_a_kind_is_a_score_that_other_processes_look_up(name):
    record = property_of(name)
    assert (record.name, record.spread) == (name, 0.1)
    assert pickle.loads(pickle.dumps(record)) == record
    assert pickle.loads(pickle.dumps(record))(Chem.MolFromSmiles(ASPIRIN)) == record(
        Chem.MolFromSmiles(ASPIRIN)
    )


def test_two_processes_give_what_one_does():
    names = [f"similarity:{ASPIRIN}", "smarts:C=O", "albuterol_similarity"]
    with Evaluator([names[0], names[1], property_of(names[2])], workers=2) as evaluate_both:
        found = sorted(evaluate_both(MOLECULES))
    expected = zip(*(evaluate(name, MOLECULES) for name in names), strict=True)
    assert [row for _, (row, _) in found] == list(expected)


@pytest.mark.parametrize(
    "name", ["similarity:C1CC", "similarity:", "smarts:[", "substructure:CC(", "smarts:"]
)
def test_what_rdkit_cannot_read_is_named(name):
    argument = name.partition(":")[2]
    with pytest.raises(TargetError, match=r"expected SM.* that RDKit can read") as caught:
        property_of(name)
    assert repr(name) in str(caught.value)
    assert repr(argument) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "name", "goal", "weight"),
    [
        ("similarity:CC(=O)O=max@0.5", "similarity:CC(=O)O", "max", 0.5),
        ("similarity:C[C@@H](N)C(=O)O=0.6..0.8", "similarity:C[C@@H](N)C(=O)O", "0.6..0.8", 1),
        (
            "smarts:[CX3](=[OX1])[$([NX3;H2]),$(N=C)]=min@2",
            "smarts:[CX3](=[OX1])[$([NX3;H2]),$(N=C)]",
            "min",
            2,
        ),
        ("substructure:N[C@H](C)C=O=1", "substructure:N[C@H](C)C=O", 1.0, 1),
        ("zaleplon_mpo=step(0.5)", "zaleplon_mpo", "step(0.5)", 1),
    ],
)
def test_smiles_and_smarts_stand_in_a_target_as_they_are(text, name, goal, weight):
    target = parse_target(text)
    assert (target.property, target.weight) == (name, weight)
    assert str(target.goal) == str(goal)
    assert target.record.name == name
    assert parse_target(str(target)) == target
