"""The front of a run: which molecules, in what order, and the table of them."""

import csv
import io

import numpy as np

from softdraw.molecules.chemistry.properties import evaluate
from softdraw.molecules.run.front import front_csv, front_of, measured_front
from softdraw.molecules.steering.targets import Target

TARGETS = [Target("logp", 2.0), Target("qed", "max")]
SCALE = {"logp": (0.0, 1.0), "qed": (0.5, 0.1), "mine:f": (0.0, 1.0)}


def test_of_each_molecule_once_and_the_nearest_to_the_first_target_first():
    values = np.array([[3.0, 0.9], [2.0, 0.5], [3.0, 0.9], [1.0, 0.4], [np.nan, 9.0], [0.0, 2.0]])
    front = front_of(TARGETS, SCALE, ["CO", "CC", "CO", "CN", "CF", ""], values)
    assert front == {"smiles": ["CC", "CO"], "values": {"logp": [2.0, 3.0], "qed": [0.5, 0.9]}}
    assert front_of(TARGETS[:1], SCALE, ["CC"], values[:1, :1]) is None


def test_where_all_meet_their_targets_all_are_on_it():
    targets = [Target("logp", (None, 5)), Target("qed", "step(0.1)")]
    front = front_of(targets, SCALE, ["CC", "CO"], np.array([[1.0, 0.5], [2.0, 0.6]]))
    assert front["smiles"] == ["CC", "CO"]


def test_the_table_is_read_back():
    front = {"smiles": ["CC", "CO"], "values": {'similarity:"C,C"': [2.0, 1 / 3], "qed": [0.5, 0.25]}}
    rows = list(csv.reader(io.StringIO(front_csv(front))))
    assert rows == [
        ["smiles", 'similarity:"C,C"', "qed"], ["CC", "2", "0.5"], ["CO", "0.333333", "0.25"],
    ]  # fmt: skip


def test_what_was_paid_for_has_a_front_of_its_own():
    targets = [Target("mine:f", "max"), Target("qed", "max")]
    properties = {"mine:f": {"steered": np.array([np.nan])}, "qed": {"steered": np.array([0.9])}}
    paid = {"mine:f": {"CC": 1.0, "CCO": 0.5, "C": float("nan"), "CCCC": 0.25}}
    front = measured_front(targets, SCALE, ["CN"], properties, paid)
    assert front["of"] == "evaluated"
    assert front["smiles"] == ["CC", "CCO", "CCCC"]
    qed = evaluate("qed", front["smiles"]).tolist()
    assert front["values"] == {"mine:f": [1.0, 0.5, 0.25], "qed": qed}
    assert qed == sorted(qed)  # else one of them would be beaten
    drawn = {name: {"steered": np.array([1.0, 2.0])} for name in ("mine:f", "qed")}
    assert measured_front(targets, SCALE, ["CN", "CO"], drawn, {}) == {
        "of": "steered", "smiles": ["CO"], "values": {"mine:f": [2.0], "qed": [2.0]},
    }  # fmt: skip
