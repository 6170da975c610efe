import itertools
import json
import pickle

import numpy as np
import pytest
import torch
from rdkit import Chem

import softdraw as sd
from softdraw.molecules import MoleculeGenerator, Property
from softdraw.molecules.data.dataset import load
from softdraw.molecules.errors import CheckpointError, DataError, OutputError, TargetError
from softdraw.molecules.runtime.remarks import MoleculeWarning

from .small import MOLECULES, SIZES


@pytest.fixture(scope="module")
def generator():
    return MoleculeGenerator(**SIZES).fit(MOLECULES * 1, steps=30)


def test_the_same_key_gives_the_same_molecules_whatever_the_count(generator):
    many = generator.sample(1100, key=sd.Key(3), mask=False)
    assert generator.sample(7, key=sd.Key(3), mask=False) == many[:7]
    assert generator.sample(1030, key=sd.Key(3), mask=False) == many[:1030]
    assert generator.sample(7, key=sd.Key(4), mask=False) != many[:7]


def test_without_a_key_torch_seeds_the_draw(generator):
    torch.manual_seed(0)
    first = generator.sample(20)
    second = generator.sample(20)
    torch.manual_seed(0)
    assert generator.sample(20) == first
    assert first != second


def test_masked_samples_are_molecules(generator):
    assert all(generator.sample(50, key=sd.Key(0), mask=True))
    assert generator.sample(0) == []
    with pytest.raises(ValueError, match="count: got -1"):
        generator.sample(-1)


def test_a_saved_generator_is_the_same_generator(generator, tmp_path):
    generator.save(tmp_path / "saved")
    again = MoleculeGenerator.load(tmp_path / "saved")
    assert again.sample(20, key=sd.Key(1)) == generator.sample(20, key=sd.Key(1))
    assert again.train_smiles == generator.train_smiles
    assert again.heldout_smiles == generator.heldout_smiles
    assert again.fit_history == json.loads(json.dumps(generator.fit_history))
    assert again.dataset_summary == generator.dataset_summary
    assert again.statistics_of("mw") == generator.statistics_of("mw")


@pytest.mark.parametrize("name", ["model.safetensors", "molecules.npz", "generator.json"])
@pytest.mark.parametrize("damage", ["gone", "empty", "cut", "other"])
def test_a_damaged_folder_is_refused(generator, tmp_path, name, damage):
    generator.save(tmp_path)
    path = tmp_path / name
    content = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes({"empty": b"", "cut": content[: len(content) // 2], "other": b"[1, 2]"}[damage])
    with pytest.raises(CheckpointError, match=str(tmp_path)):
        MoleculeGenerator.load(tmp_path)


def test_of_a_run_its_model_is_asked_for(generator, tmp_path):
    model = tmp_path / "run" / "checkpoints" / "fitted"
    generator.save(model)
    with pytest.raises(CheckpointError, match=f"is the folder of a run; expected a model: {model}$"):
        MoleculeGenerator.load(tmp_path / "run")
    assert MoleculeGenerator.load(model).train_smiles == generator.train_smiles


def test_a_folder_that_cannot_be_written_is_named(generator, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        generator.save(tmp_path / "file" / "below")


def test_before_fit_it_says_so(tmp_path):
    for use in (
        lambda g: g.sample(1),
        lambda g: g.steer(),
        lambda g: g.score(["C"]),
        lambda g: g.save(tmp_path),
        lambda g: g.train_smiles,
    ):
        with pytest.raises(RuntimeError, match="call fit"):
            use(MoleculeGenerator())


def test_the_parts_are_the_data_and_do_not_overlap():
    data = [f"{'C' * n}{end}" for n in range(1, 30) for end in ("O", "N", "F")]
    generator = MoleculeGenerator(**SIZES).fit(data, steps=1, holdout=20)
    parts = [generator.train_smiles, generator.validation_smiles, generator.heldout_smiles]
    assert [len(part) for part in parts] == [64, 3, 20]
    assert len(set().union(*parts)) == 87
    assert generator.dataset_summary["train"] == 64
    assert generator.dataset_summary["heldout"] == 20


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: MoleculeGenerator(augment=2), ValueError, "augment: got 2"),
        (lambda: MoleculeGenerator(width=30, heads=4), ValueError, "width"),
        (lambda: MoleculeGenerator(layers=0), ValueError, "layers"),
        (lambda: MoleculeGenerator(**SIZES).fit(["nonsense"], steps=1), DataError, "nonsense|unreadable"),
        (
            lambda: MoleculeGenerator(**SIZES).fit(["CC", "CO"], steps=1, holdout=2),
            ValueError,
            "holdout: got 2",
        ),
        (lambda: MoleculeGenerator(**SIZES).fit(["CC"], steps=0), ValueError, "steps: got 0"),
    ],
)
def test_bad_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_single_molecule_is_enough():
    with pytest.warns(MoleculeWarning, match="1 usable"):
        generator = MoleculeGenerator(**SIZES).fit(["CCO"], steps=300)
    drawn = generator.sample(50, key=sd.Key(0))
    assert drawn.count("CCO") > 25


def test_scores_are_against_the_generators_own_data(generator):
    scores = generator.score(generator.train_smiles, fcd=False)
    assert scores.validity == 1
    assert scores.novelty_train == 0


def test_the_column_of_a_file_is_asked_for(tmp_path):
    file = tmp_path / "a.csv"
    rows = [f"{n};{'C' * n}O;{'C' * n}=O" for n in range(1, 6)]
    file.write_bytes("\n".join(["id;Edukt;Produkt", *rows, "6;*C;C("]).encode("utf-16"))
    generator = MoleculeGenerator(**SIZES).fit(file, smiles_column="produkt", steps=1, holdout=0)
    assert set(generator.train_smiles) == {"C=O", "CC=O", "CCC=O", "CCCC=O", "CCCCC=O"}
    summary = generator.dataset_summary
    assert summary["reading"] == "SMILES in column 3 'Produkt', separated by semicolons, read as UTF-16"
    assert summary["dropped"] == {"unreadable": "1 (line 7)"}
    with pytest.raises(TypeError, match=r"holdout: got 0\.5, expected an int"):
        MoleculeGenerator(**SIZES).fit(file, smiles_column=2, steps=1, holdout=0.5)


@pytest.mark.parametrize("count", [2.5, "3", None, True])
def test_a_count_that_is_no_int_is_named(generator, count):
    with pytest.raises(TypeError, match=r"count: got .*, expected an int >= 0"):
        generator.sample(count)
    assert generator.sample(torch.tensor(2), key=sd.Key(0)) == generator.sample(2, key=sd.Key(0))


@pytest.mark.parametrize(
    "wrong", [{"augment": "1"}, {"learning_rate": "1"}, {"batch_size": 2.5}, {"batch_size": True}]
)
def test_arguments_of_a_wrong_type_are_named(wrong):
    (name,) = wrong
    with pytest.raises(TypeError, match=f"{name}: got .*, expected"):
        MoleculeGenerator(**wrong)


@pytest.mark.parametrize("wrong", [{"steps": 1.5}, {"minutes": "1"}, {"holdout": 0.5}, {"devices": "2"}])
def test_arguments_of_fit_of_a_wrong_type_are_named(wrong):
    (name,) = wrong
    with pytest.raises(TypeError, match=f"{name}: got .*, expected"):
        MoleculeGenerator(**SIZES).fit(MOLECULES, **{"steps": 1, **wrong} if name != "minutes" else wrong)


def test_molecules_of_rdkit_are_data():
    smiles = MoleculeGenerator(**SIZES).fit(MOLECULES, steps=1)
    molecules = MoleculeGenerator(**SIZES).fit(map(Chem.MolFromSmiles, MOLECULES), steps=1)
    assert molecules.train_smiles == smiles.train_smiles
    assert molecules.sample(20, key=sd.Key(0)) == smiles.sample(20, key=sd.Key(0))


def test_a_data_set_is_taken_as_it_is():
    dataset = load([*MOLECULES, "CC("], cache=None)
    generator = MoleculeGenerator(**SIZES).fit(dataset, steps=1)
    again = MoleculeGenerator(**SIZES).fit([*MOLECULES, "CC("], steps=1)
    assert generator.dataset_summary == again.dataset_summary
    assert generator.sample(20, key=sd.Key(0)) == again.sample(20, key=sd.Key(0))


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_one_to_three_molecules_are_remarked_on(count):
    fit = MoleculeGenerator(**SIZES).fit
    if count < 4:
        with pytest.warns(MoleculeWarning, match=f"data: {count} usable"):
            fit(MOLECULES[:count], steps=1)
    else:
        fit(MOLECULES[:count], steps=1)


@pytest.mark.parametrize(("count", "validated"), [(12, False), (40, True)])
def test_without_validation_molecules_nothing_is_called_a_validation(tmp_path, count, validated):
    data = [f"{'C' * (1 + n // 4)}{'ONFC'[n % 4]}" for n in range(count)]
    generator = MoleculeGenerator(**SIZES).fit(data, steps=30, holdout=0, folder=tmp_path)
    losses = [entry["validation_loss"] for entry in generator.fit_history]
    assert bool(generator.dataset_summary["validation"]) is validated
    assert all(
        (loss is not None) is validated for loss in [generator.fit_summary["validation_loss"], *losses]
    )
    assert generator.fit_summary["loss"] > 0


def rings_and_heteroatoms(mol):
    """A property of the user's own, undefined for what has neither."""
    value = mol.GetRingInfo().NumRings() + sum(atom.GetAtomicNum() != 6 for atom in mol.GetAtoms())
    return value or 1 / 0


def test_a_function_of_the_user_steers_and_is_saved_by_name(generator, tmp_path):
    generator.save(tmp_path)
    steered = MoleculeGenerator.load(tmp_path)
    name = f"{__name__}:rings_and_heteroatoms"
    with pytest.warns(MoleculeWarning, match="molecules without it do not count"):
        steered.steer({rings_and_heteroatoms: ("max", 2)}, steps=2, batch_size=8, property_steps=2)
    assert steered.steer_summary["targets"] == [{"property": name, "goal": "max", "weight": 2.0}]
    assert all(0 < entry["defined"] <= 1 for entry in steered.steer_history)
    steered.save(tmp_path / "steered")
    assert MoleculeGenerator.load(tmp_path / "steered").property_statistics[name][1] > 0
    pickle.loads(pickle.dumps(MoleculeGenerator.load(tmp_path / "steered")))


def test_two_functions_of_one_name_do_not_share_their_values(generator, tmp_path):
    generator.save(tmp_path)
    steered = MoleculeGenerator.load(tmp_path)
    first, second = (
        Property("mine", compute=compute)
        for compute in (lambda m: m.GetNumAtoms(), lambda m: -m.GetNumAtoms())
    )
    means = []
    for own in (first, second, first):
        steered.steer({own: "max"}, steps=1, batch_size=4, property_steps=1)
        means.append(steered.property_statistics["mine"][0])
    assert means[0] == -means[1] == means[2] > 0


def test_steering_that_does_not_help_says_so(generator, tmp_path):
    generator.save(tmp_path)
    steered = MoleculeGenerator.load(tmp_path)
    ever_less = itertools.count(0, -1)
    own = Property("mine", compute=lambda mol: next(ever_less))
    with pytest.warns(MoleculeWarning, match="did not fall in 30 steps"):
        steered.steer({own: "max"}, steps=30, batch_size=8, property_steps=1)
    summary = steered.steer_summary
    assert summary["distance_last"] > summary["distance_first"]


def test_a_far_goal_is_remarked_on_and_a_useless_target_refused(generator, tmp_path):
    generator.save(tmp_path)
    steered = MoleculeGenerator.load(tmp_path)
    with pytest.warns(MoleculeWarning, match="heavy_atoms=500: .* standard deviations away"):
        steered.steer({"heavy_atoms": 500}, steps=1, batch_size=4)
    for own in (lambda mol: 1.0, lambda mol: 1 / 0):
        with pytest.raises(TargetError, match=r"expected (it to vary|a number)"):
            steered.steer({own: 2.0}, steps=1)


def test_infinite_and_missing_values_leak_no_warning(generator, tmp_path):
    """The tests make every warning an error; only the remark on what is undefined may come."""
    generator.save(tmp_path)
    own = Property(
        "mine", compute=lambda mol: 1 / (mol.GetNumAtoms() % 3) if mol.GetNumAtoms() % 3 else np.inf
    )
    with pytest.warns(MoleculeWarning, match="molecules without it") as caught:
        MoleculeGenerator.load(tmp_path).steer({own: "max"}, steps=2, batch_size=16, property_steps=2)
    assert len(caught) == 1
