import re

import pytest
import torch

import softdraw as sd
from softdraw.molecules import MoleculeGenerator
from softdraw.molecules.chemistry.vocabulary import AtomType, Vocabulary
from softdraw.molecules.errors import CheckpointError
from softdraw.molecules.priors.shipped import HOME, Prior, prior_names, read_prior, write_prior
from softdraw.molecules.sampling import stand_ins

from ..small import random_network

VOCABULARY = Vocabulary([AtomType(symbol) for symbol in ("C", "N", "O", "F")])


def test_a_prior_is_read_as_it_was_written_but_for_half_precision(tmp_path):
    network = random_network(VOCABULARY.valences, 6)
    network.knows_parts.fill_(True)
    prior = Prior(network, VOCABULARY, {"kept": 5}, {"steps": 7}, {"logp": (1.0, 2.0)})
    write_prior(tmp_path / "own", prior)
    read = read_prior("own", tmp_path)
    assert (read.vocabulary, read.dataset_summary, read.fit_summary) == (
        VOCABULARY,
        {"kept": 5},
        {"steps": 7},
    )
    assert read.property_statistics == {"logp": (1.0, 2.0)}
    assert bool(read.network.knows_parts)
    for name, weight in network.state_dict().items():
        other = read.network.state_dict()[name]
        assert other.dtype == weight.dtype
        torch.testing.assert_close(
            other, weight.half().to(weight.dtype) if weight.is_floating_point() else weight
        )


@pytest.mark.parametrize("damage", ["prior.json", "model.safetensors"])
def test_a_damaged_prior_is_refused(tmp_path, damage):
    write_prior(tmp_path / "own", Prior(random_network(VOCABULARY.valences, 6), VOCABULARY, {}, {}, {}))
    file = tmp_path / "own" / damage
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(CheckpointError, match="own"):
        read_prior("own", tmp_path)


@pytest.mark.parametrize("name", prior_names())
def test_what_is_shipped_is_small_and_says_where_it_comes_from(name):
    files = list((HOME / name).iterdir())
    assert sum(file.stat().st_size for file in files) <= 4 * 2**20
    card = (HOME / name / "README.md").read_text(encoding="utf-8")
    for said in ("Data", "Licence", "Command", "Seed", "Scores"):
        assert re.search(rf"^## {said}|\| {said}", card, re.MULTILINE), said


def test_druglike_draws_at_once():
    generator = MoleculeGenerator.load("druglike")
    drawn = generator.sample(200, key=sd.Key(0))
    assert all(drawn)
    assert len(set(drawn)) > 190
    free = generator.sample(200, key=sd.Key(0), mask=False)
    assert sum(map(bool, free)) > 190


def test_molecules_that_druglike_draws_stand_for_its_data(monkeypatch):
    monkeypatch.setattr(stand_ins, "WANTED", 2000)
    generator = MoleculeGenerator.load("druglike")
    known = generator.statistics_of("logp")  # of the data itself
    assert generator._parts is None
    assert len(generator.train_smiles) == len(set(generator.train_smiles)) == 2000
    assert generator.heldout_smiles == []
    mean, std = generator.parts.labels("logp")[1]
    assert abs(mean - known[0]) < 0.1 * known[1]
    assert abs(std - known[1]) < 0.1 * known[1]


def test_a_fit_goes_on_from_druglike_with_new_atom_types():
    own = ["c1ccccc1B(O)O", "CCP(=O)(O)O", "C[Si](C)(C)c1ccccc1", "CCN(CC)CC", "CC(=O)Nc1ccc(O)cc1"] * 4
    generator = MoleculeGenerator().fit(own, steps=2, start="druglike", holdout=0)
    assert generator.options == MoleculeGenerator.load("druglike").options
    assert {"B", "P", "Si"} <= set(generator.vocabulary.names)
    assert generator.network.max_atoms == MoleculeGenerator.load("druglike").network.max_atoms
    assert all(generator.sample(20, key=sd.Key(1)))
