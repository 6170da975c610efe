import json

import pytest
import torch

import softdraw as sd
from softdraw.molecules import MoleculeGenerator
from softdraw.molecules.errors import CheckpointError, DataError, OutputError
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
        generator = MoleculeGenerator(**SIZES).fit(["CCO"], steps=150)
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
