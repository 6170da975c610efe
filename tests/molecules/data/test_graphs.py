import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem

from softdraw.molecules.chemistry.codec import decode_batch, encode, read_molecule
from softdraw.molecules.chemistry.vocabulary import AtomType, Vocabulary
from softdraw.molecules.data.graphs import GraphSet
from softdraw.molecules.errors import DataError, OutputError

from ..drugs import DRUGS


@pytest.fixture(scope="module")
def drugs() -> GraphSet:
    return GraphSet.from_records([read_molecule(Chem.MolFromSmiles(smiles)) for smiles in DRUGS.values()])


def test_the_canonical_order_is_that_of_encode(drugs):
    types, bonds = drugs.dense(range(len(drugs)))
    assert types.dtype == bonds.dtype == torch.int64
    for row, smiles in enumerate(drugs.smiles):
        kinds, orders = encode(Chem.MolFromSmiles(smiles), drugs.vocabulary)
        n = len(kinds)
        assert types[row, :n].tolist() == kinds.tolist()
        assert (types[row, n:] == -1).all()
        assert bonds[row, :n, :n].tolist() == orders.tolist()
        assert not bonds[row, n:].any()
        assert not bonds[row, :, n:].any()


@given(seed=st.integers(0, 2**32 - 1), data=st.data())
def test_random_orders_are_the_same_molecules_and_touch_the_prefix(drugs, seed, data):
    chosen = data.draw(st.lists(st.integers(0, len(drugs) - 1), min_size=1, max_size=8))
    types, bonds = drugs.dense(chosen, np.random.default_rng(seed))
    assert decode_batch(types, bonds, drugs.vocabulary) == [drugs.smiles[i] for i in chosen]
    assert torch.equal(bonds, bonds.transpose(1, 2))
    touches = bonds.tril(-1).amax(2) > 0
    assert touches[:, 1:][types[:, 1:] >= 0].all()


def test_the_same_generator_state_gives_the_same_order(drugs):
    first, second = (drugs.dense(range(20), np.random.default_rng(5)) for _ in range(2))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    other = drugs.dense(range(20), np.random.default_rng(6))
    assert not torch.equal(first[1], other[1])


@given(data=st.data())
def test_a_subset_is_its_molecules(drugs, data):
    chosen = data.draw(st.lists(st.integers(-len(drugs), len(drugs) - 1), max_size=12))
    part = drugs.subset(chosen)
    assert part.smiles == [drugs.smiles[i] for i in chosen]
    assert part.vocabulary is drugs.vocabulary
    assert part.sizes.tolist() == [drugs.sizes[i] for i in chosen]
    assert part.max_atoms == max(part.sizes.tolist(), default=0)
    for mine, whole in zip(
        part.dense(range(len(part)), atoms=50), drugs.dense(chosen, atoms=50), strict=True
    ):
        assert torch.equal(mine, whole)


def test_a_boolean_array_selects(drugs):
    assert drugs.subset(drugs.sizes == 1).smiles == [
        s for s, n in zip(drugs.smiles, drugs.sizes, strict=True) if n == 1
    ]


def test_the_width_can_be_given_but_not_too_small(drugs):
    types, bonds = drugs.dense([0], atoms=64)
    assert types.shape == (1, 64)
    assert bonds.shape == (1, 64, 64)
    with pytest.raises(ValueError, match=f"atoms: got 3, expected at least {drugs.sizes[0]}"):
        drugs.dense([0], atoms=3)
    assert [list(x.shape) for x in drugs.dense([])] == [[0, 0], [0, 0, 0]]


@pytest.mark.parametrize("indices", [[999], [-999]])
def test_an_index_out_of_range_is_named(drugs, indices):
    with pytest.raises(IndexError, match=f"got {indices[0]}"):
        drugs.dense(indices)


@pytest.mark.parametrize("indices", [[0.5], [[0, 1]], [True, False]])
def test_what_is_no_index_is_refused(drugs, indices):
    with pytest.raises(ValueError, match="indices: got shape"):
        drugs.subset(indices)


def test_a_saved_set_comes_back(drugs, tmp_path):
    drugs.save(tmp_path / "drugs.npz")
    again = GraphSet.load(tmp_path / "drugs.npz")
    assert again.smiles == drugs.smiles
    assert again.vocabulary == drugs.vocabulary
    for mine, other in zip(again.dense(range(len(again))), drugs.dense(range(len(drugs))), strict=True):
        assert torch.equal(mine, other)
    assert [file.name for file in tmp_path.iterdir()] == ["drugs.npz"]
    empty = drugs.subset([])
    empty.save(tmp_path / "empty.npz")
    assert GraphSet.load(tmp_path / "empty.npz").smiles == []


def test_a_set_that_cannot_be_written_leaves_nothing(drugs, tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        drugs.save(tmp_path / "missing" / "drugs.npz")
    (tmp_path / "taken.npz").mkdir()
    with pytest.raises(OutputError, match=r"taken\.npz: cannot be written"):
        drugs.save(tmp_path / "taken.npz")
    assert [file.name for file in tmp_path.iterdir()] == ["taken.npz"]


@pytest.mark.parametrize(
    "damage", ["cut", "text", "empty", "array", "other", "missing", "inconsistent", "pickle"]
)
def test_a_damaged_set_is_a_data_error(drugs, tmp_path, damage):
    path = tmp_path / "drugs.npz"
    drugs.save(path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-200])
    elif damage == "text":
        path.write_text("CCO\n")
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif damage == "other":
        np.savez(path, types=np.zeros(3))
    elif damage == "missing":
        path.unlink()
    elif damage == "pickle":
        np.savez(path, **{**drugs.to_arrays(), "types": np.array([object()])})
    else:
        np.savez(path, **{**drugs.to_arrays(), "types": drugs.types[:-1]})
    with pytest.raises(DataError, match=r"drugs\.npz"):
        GraphSet.load(path)


def test_records_may_be_read_with_a_wider_vocabulary():
    records = [read_molecule(Chem.MolFromSmiles("CO"))]
    wide = Vocabulary([AtomType(s) for s in "CNOF"])
    assert GraphSet.from_records(records, wide).types.tolist() == [0, 2]
    with pytest.raises(ValueError, match="atom_type: got O, expected one of C"):
        GraphSet.from_records(records, Vocabulary([AtomType("C")]))
    with pytest.raises(ValueError, match="records: got none"):
        GraphSet.from_records([])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("types", np.array([0, 9], np.uint8)),
        ("atom_offsets", np.array([0, 1])),
        ("atom_offsets", np.array([0, 2, 2])),
        ("bonds", np.array([[0, 1, 1]], np.uint8)),
        ("bonds", np.array([[2, 1, 1]], np.uint8)),
        ("bonds", np.array([[1, 0, 0]], np.uint8)),
        ("bonds", np.array([[1, 0, 4]], np.uint8)),
    ],
)
def test_contradictions_are_refused(name, value):
    fields = {
        "vocabulary": Vocabulary([AtomType("C")]),
        "types": np.zeros(2, np.uint8),
        "atom_offsets": np.array([0, 2]),
        "bonds": np.array([[1, 0, 1]], np.uint8),
        "bond_offsets": np.array([0, 1]),
        "smiles": ["CC"],
    }
    GraphSet(**fields)
    with pytest.raises(ValueError, match=r"types|bonds|offsets"):
        GraphSet(**{**fields, name: value})
