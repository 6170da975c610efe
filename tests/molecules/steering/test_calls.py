"""Steering by a budget of calls: what is paid for, what a kill costs, and what is told."""

import math
from collections import Counter

import pytest
import torch
from rdkit import Chem

from softdraw.molecules import MoleculeGenerator, Property
from softdraw.molecules.errors import CheckpointError, OutputError, TargetError
from softdraw.molecules.evaluating.evaluations import EVALUATIONS, read_evaluations
from softdraw.molecules.evaluating.evaluator import Evaluator
from softdraw.molecules.evaluating.ledger import Ledger
from softdraw.molecules.runtime.remarks import MoleculeWarning
from softdraw.molecules.steering.labels import labels_of
from softdraw.molecules.steering.steering import Steering
from softdraw.molecules.steering.targets import Target

from ..evaluating import counting
from ..small import MOLECULES, SIZES

DATA = [
    *MOLECULES,
    *(f"{one}C" for one in MOLECULES if not one.startswith("FCC")),
    *(f"C{'CCO' * n}" for n in (2, 3)),
]
# a few small steps need not come nearer
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*did not fall:softdraw.molecules.runtime.remarks.MoleculeWarning"
)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fitted")
    MoleculeGenerator(**SIZES, batch_size=8).fit(DATA, steps=40, holdout=0).save(folder)
    return folder


def counted(compute=counting.size, most=None, **options):
    """A property, and how often it was asked for each molecule; beyond ``most`` calls it is killed."""
    asked = Counter()

    def own(mol):
        if sum(asked.values()) == most:
            raise KeyboardInterrupt
        asked[Chem.MolToSmiles(mol)] += 1
        return compute(mol)

    return Property("mine", compute=own, **options), asked


def steered(fitted, own, calls=60, **options):
    options = {"estimator": "reinforce", "batch_size": 12, **options}
    return MoleculeGenerator.load(fitted).steer({own: "max"}, calls=calls, **options)


def same(mine, theirs):
    pairs = zip(mine.network.parameters(), theirs.network.parameters(), strict=True)
    return all(torch.equal(one, other) for one, other in pairs)


@pytest.mark.parametrize("estimator", ["log-variance", "reinforce", "st-gumbel-softmax"])
def test_every_call_is_paid_for_once_and_the_last_is_the_last_of_the_budget(fitted, tmp_path, estimator):
    own, asked = counted()
    generator = steered(fitted, own, estimator=estimator, property_steps=3, folder=tmp_path)
    assert max(asked.values()) == 1
    assert sum(asked.values()) == 60
    summary, labels = generator.steer_summary, len(generator.train_smiles)
    assert (summary["calls"], summary["calls_budget"], summary["labels"]) == (60, 60, labels)
    assert summary["budget"] == "60 calls"
    assert summary["progress"]["calls"][-1] == 60
    assert summary["progress"]["best"][-1] == max(map(counting.size, map(Chem.MolFromSmiles, asked)))
    assert 0 < summary["progress"]["auc_top10"] < summary["progress"]["best"][-1]
    assert [entry["calls"] for entry in generator.steer_history][-1] == 60
    _, found = read_evaluations(tmp_path)
    assert list(found) == list(asked)
    assert sum(row.step is None for row in found.values()) == labels


@pytest.mark.parametrize(
    ("most", "estimator"), [(10, "reinforce"), (33, "reinforce"), (52, "st"), (55, "log-variance")]
)
def test_a_killed_run_ends_where_an_undisturbed_one_does_and_pays_nothing_twice(
    fitted, tmp_path, most, estimator, monkeypatch
):
    options = {"estimator": estimator, "property_steps": 3}
    if estimator == "log-variance":
        options |= {"offspring": 0.5, "screen": 2, "updates": 2, "crowding": 0.1}
    whole = steered(fitted, counted()[0], **options)
    own, before = counted(most=most)
    # as after kill -9: neither the checkpoint of the error nor the sorted table is written
    with monkeypatch.context() as patch:
        patch.setattr("softdraw.molecules.steering.stage.write_state", lambda path, state: None)
        patch.setattr("softdraw.molecules.evaluating.ledger.Ledger.close", lambda self: self._file.close())
        with pytest.raises(KeyboardInterrupt):
            steered(fitted, own, folder=tmp_path, **options)
    with (tmp_path / EVALUATIONS).open("a") as file:
        file.write("34,CC")
    own, after = counted()
    with pytest.warns(MoleculeWarning, match="cut off"):
        again = steered(fitted, own, folder=tmp_path, resume=True, **options)
    assert sum(before.values()) == most
    assert max((before + after).values()) == 1
    assert sum((before + after).values()) == 60
    assert same(again, whole)
    assert again.steer_summary["progress"] == whole.steer_summary["progress"]


def test_a_run_resumes_from_its_checkpoint_with_a_larger_budget(fitted, tmp_path):
    own, before = counted()
    first = steered(fitted, own, calls=30, folder=tmp_path)
    own, after = counted()
    again = steered(fitted, own, calls=70, folder=tmp_path, resume=True)
    assert max((before + after).values()) == 1
    assert sum(after.values()) == 40
    assert again.steer_summary["labels"] == first.steer_summary["labels"] == 15
    assert again.property_statistics["mine"] == first.property_statistics["mine"]
    assert again.steer_summary["calls"] == 70
    with pytest.raises(CheckpointError, match=r"steer\.ckpt: is of another .* targets are mine=max"):
        MoleculeGenerator.load(fitted).steer(
            {own: "min"}, calls=70, estimator="reinforce", folder=tmp_path, resume=True
        )
    with pytest.raises(CheckpointError, match="holds values of mine, and qed was asked for"):
        MoleculeGenerator.load(fitted).steer("qed=max", calls=70, folder=tmp_path, resume=True)
    with pytest.raises(CheckpointError, match="its budget is in calls"):
        MoleculeGenerator.load(fitted).steer(
            {own: "max"}, steps=3, estimator="reinforce", folder=tmp_path, resume=True
        )


def test_in_steps_too_a_molecule_is_evaluated_once(fitted):
    own, asked = counted()
    steered(fitted, own, calls=None, steps=4)
    assert max(asked.values()) == 1
    again = steered(fitted, own, calls=None, steps=4)
    assert again.steer_summary["calls"] > 0
    assert "calls_budget" not in again.steer_summary


def test_failures_are_counted_and_not_fatal(fitted):
    with pytest.warns(MoleculeWarning, match="molecules without it do not count"):
        generator = steered(fitted, Property("mine", compute=size_or_nothing))
    summary = generator.steer_summary
    assert 0 < summary["failed"] < summary["calls"] == 60
    assert "no oxygen" in summary["reason"]


def size_or_nothing(mol):
    if any(atom.GetSymbol() == "O" for atom in mol.GetAtoms()):
        raise ValueError("no oxygen")
    return mol.GetNumAtoms()


def test_all_that_fail_are_an_error_after_the_trial(fitted):
    own, asked = counted(lambda mol: 1 / 0)
    with pytest.raises(TargetError, match=r"defined for 0 of .* molecules tried"):
        steered(fitted, own)
    assert sum(asked.values()) <= 25


def test_a_property_that_breaks_on_the_way_stops_the_run_and_keeps_the_rest(fitted, monkeypatch):
    monkeypatch.setattr("softdraw.molecules.evaluating.watch.FAILING", 10)
    left = iter([True] * 40)
    own, asked = counted(lambda mol: counting.size(mol) if next(left, False) else math.nan)
    with pytest.warns(MoleculeWarning, match="all failed"):
        generator = steered(fitted, own, calls=200)
    assert generator.steer_summary["interrupted"]
    assert "all failed" in generator.steer_summary["ended"]
    assert 50 <= sum(asked.values()) < 100


def test_an_end_of_the_disk_keeps_what_was_steered(fitted, tmp_path, monkeypatch):
    step = Steering.step

    def full(self):
        if self.steps == 2:
            raise OutputError("disk")
        return step(self)

    monkeypatch.setattr(Steering, "step", full)
    before, generator = MoleculeGenerator.load(fitted), MoleculeGenerator.load(fitted)
    with pytest.raises(OutputError, match="disk"):
        generator.steer("heteroatoms=2", calls=90, batch_size=8, folder=tmp_path)
    assert not same(generator, before)
    assert len(generator.steer_history) == 2
    monkeypatch.setattr(Steering, "step", step)
    again = MoleculeGenerator.load(fitted)
    again.steer("heteroatoms=2", calls=90, batch_size=8, folder=tmp_path, resume=True)
    assert again.steer_history[:2] == generator.steer_history
    assert again.steer_summary["calls"] == 90


def test_a_collapse_ends_the_run_with_a_remark(fitted, monkeypatch):
    monkeypatch.setattr("softdraw.molecules.evaluating.watch.STALE", 3)
    monkeypatch.setattr("softdraw.molecules.steering.steering.decode_batch", lambda *rest: ["CC", "CCO"] * 6)
    with pytest.warns(MoleculeWarning, match="3 steps in a row drew only molecules that were known"):
        generator = steered(fitted, counted()[0], calls=500)
    assert not generator.steer_summary["interrupted"]
    assert generator.steer_summary["steps"] <= 5


def test_workers_give_what_one_process_does(fitted):
    name = f"{counting.__name__}:sizes"
    one, two = (steered(fitted, name, calls=40, workers=workers) for workers in (1, 2))
    assert same(one, two)
    assert one.steer_summary["progress"] == two.steer_summary["progress"]


def test_budgets_are_one_of_three(fitted):
    generator = MoleculeGenerator.load(fitted)
    with pytest.raises(ValueError, match="minutes, steps, calls: got None and 3 and 30"):
        generator.steer("qed=max", steps=3, calls=30)
    with pytest.raises(ValueError, match="calls: got 3, expected an int >= 4"):
        generator.steer("qed=max", calls=3)
    with pytest.raises(ValueError, match="divergence: got -1"):
        generator.steer("qed=max", calls=30, divergence=-1.0)


def test_with_a_known_spread_hardly_a_molecule_of_the_data_is_paid_for(fitted):
    """A score that is 0 for all that is drawn can be steered to, at the scale that it names."""
    rare, _ = counted(lambda mol: float(mol.GetNumAtoms() > 90), spread=0.1)
    generator = steered(fitted, rare)
    assert generator.property_statistics["mine"] == (0.0, 0.1)
    summary = generator.steer_summary
    assert (summary["calls"], summary["labels"]) == (60, 4)
    assert summary["distance_last"] == 0.0


def test_where_nothing_is_counted_a_known_spread_needs_no_labels(fitted):
    rare, asked = counted(lambda mol: 0.0, spread=0.1)
    generator = MoleculeGenerator.load(fitted)
    ledger = Ledger(["mine"], Evaluator([rare]))
    labels = labels_of([Target(rare, "max")], ledger, generator.parts.train, "reinforce", {})
    assert labels.statistics == ((0.0, 0.1),)
    assert labels.values.shape == (0, 1)
    assert sum(asked.values()) == 4


def test_a_known_spread_is_the_scale_with_a_property_network_and_beside_others_too(fitted):
    own, _ = counted(spread=0.5)
    generator = MoleculeGenerator.load(fitted).steer(
        {own: "max", "heavy_atoms": 5}, calls=60, estimator="st", batch_size=12, property_steps=3
    )
    assert generator.property_statistics["mine"] == (0.0, 0.5)
    mean, std = generator.property_statistics["heavy_atoms"]
    assert mean > 0
    assert std > 0
    assert generator.steer_summary["labels"] > 4


def test_a_property_network_learns_a_score_that_is_0_for_all_of_the_data_at_its_spread(fitted):
    rare, _ = counted(lambda mol: 0.5 * mol.GetRingInfo().NumRings(), spread=0.25)
    chains = [one for one in DATA if "1" not in one]
    generator = MoleculeGenerator(**SIZES, batch_size=8).fit(chains, steps=2, holdout=0)
    generator.steer({rare: "max"}, steps=2, estimator="st", batch_size=12, property_steps=3)
    gaps = [entry["predicted_gap"] for entry in generator.steer_history]
    # an error of a ring is two spreads: by the spread of the labels, which is 0, it would be a million
    assert all(gap < 20 for gap in gaps)
