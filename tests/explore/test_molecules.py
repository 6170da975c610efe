"""The recorded molecules: what the page replays is what the shipped prior draws."""

import json

import pytest
import torch
from rdkit import Chem

import softdraw as sd
from softdraw.explore.page import _file
from softdraw.molecules import MoleculeGenerator
from softdraw.molecules.chemistry.codec import decode_batch, read_molecule
from softdraw.molecules.model.drawing import draw

RECORDED = json.loads(_file("explore", "molecules.json"))
MOLECULES = RECORDED["molecules"]


@pytest.fixture(scope="module")
def generator():
    return MoleculeGenerator.load("druglike")


def test_what_was_recorded_is_a_handful_of_molecules(generator):
    assert RECORDED["types"] == list(generator.vocabulary.names)
    assert RECORDED["valences"] == generator.network.valences.tolist()
    assert RECORDED["mostAtoms"] == generator.network.max_atoms
    sizes = [Chem.MolFromSmiles(one["smiles"]).GetNumAtoms() for one in MOLECULES]
    assert len(MOLECULES) >= 5
    assert all(12 <= size <= 25 for size in sizes)
    assert [len(one["places"]) for one in MOLECULES] == sizes


def test_a_replay_chooses_what_was_recorded(javascript):
    """Logits and noise, argmax under the mask, in JavaScript: the choice, by more than rounding changes."""
    replays = javascript(
        """() => RECORDED.molecules.map((one) => one.decisions.map((_, i) => {
          const { winner, choice, scores, allowed } = replayed(RECORDED, one, i);
          const others = scores.filter((_, j) => allowed[j] && j !== winner);
          return [winner, choice, scores[winner] - Math.max(...others, -1e9)];
        }))"""
    )
    decisions = [decision for one in replays for decision in one]
    assert len(decisions) > 250
    assert [winner for winner, _, _ in decisions] == [choice for _, choice, _ in decisions]
    assert min(lead for _, _, lead in decisions) >= 0.05


@pytest.mark.parametrize("one", MOLECULES, ids=lambda one: one["smiles"])
def test_the_noise_of_a_decision_is_that_of_the_generator(javascript, one):
    made = javascript(
        """(row) => {
          const one = RECORDED.molecules.find((each) => each.row === row);
          return one.decisions.map((_, i) => replayed(RECORDED, one, i).noise);
        }""",
        one["row"],
    )
    key, most = sd.Key(RECORDED["seed"]).rows(one["row"]), RECORDED["mostAtoms"]
    for (atom, step, *_), noise in zip(one["decisions"], made, strict=True):
        number = atom if step < 0 else most * (atom * most + step + 1)
        wanted = sd.random.gumbel((1, len(noise)), key=key.fold_in(number), dtype=torch.float64)[0]
        assert noise == pytest.approx(wanted.tolist(), rel=1e-13, abs=1e-14)


@pytest.mark.parametrize("one", MOLECULES, ids=lambda one: one["smiles"])
def test_the_network_gives_the_recorded_logits_and_masks(generator, one):
    """Drawn again, alone: the same decisions, logits to their hundredths, and the same molecule."""
    network, key = generator.network, sd.Key(RECORDED["seed"]).rows(one["row"])
    seen = []

    def choose(logits, mask, key):
        index = sd.gumbel_max(logits, mask=mask, key=key)
        if bool(mask.any()):
            seen.append((logits[0], mask.expand(logits.shape)[0], int(index)))
        hot = torch.nn.functional.one_hot(index.clamp_min(0), logits.shape[1]).to(logits)
        return hot * (index >= 0).unsqueeze(1)

    with torch.inference_mode():
        drawn = draw(network, 1, key, mask=True, choose=choose)
    assert decode_batch(drawn.types, drawn.bonds, generator.vocabulary) == [one["smiles"]]
    assert len(seen) == len(one["decisions"])
    for (logits, mask, index), (_, _, choice, allowed, hundredths) in zip(
        seen, one["decisions"], strict=True
    ):
        assert index == choice
        assert "".join("01"[int(open_)] for open_ in mask) == allowed
        torch.testing.assert_close(
            logits.double(), torch.tensor(hundredths).double() / 100, rtol=1e-4, atol=0.0051
        )


def test_the_library_draws_these_molecules_at_this_key(generator):
    last = max(one["row"] for one in MOLECULES)
    drawn = generator.sample(last + 1, key=sd.Key(RECORDED["seed"]))
    assert [drawn[one["row"]] for one in MOLECULES] == [one["smiles"] for one in MOLECULES]


def test_what_grows_on_the_page_is_that_molecule(javascript):
    """Atoms and bonds after the last decision are those of the SMILES."""
    graphs = javascript("() => RECORDED.molecules.map((one) => grown(RECORDED, one, one.decisions.length))")
    orders = {1: Chem.BondType.SINGLE, 2: Chem.BondType.DOUBLE, 3: Chem.BondType.TRIPLE}
    for graph, one in zip(graphs, MOLECULES, strict=True):
        mol = Chem.RWMol()
        for symbol in graph["atoms"]:
            mol.AddAtom(Chem.Atom(symbol))
        for bond in graph["bonds"]:
            mol.AddBond(bond["from"], bond["to"], orders[bond["order"]])
        Chem.SanitizeMol(mol)
        assert read_molecule(mol)[0] == one["smiles"]
        # bonds are about one unit long on paper
        for bond in graph["bonds"]:
            (ax, ay), (bx, by) = one["places"][bond["from"]], one["places"][bond["to"]]
            assert 80 < ((ax - bx) ** 2 + (ay - by) ** 2) ** 0.5 < 120
            # and no two atoms lie on one another
        places = one["places"]
        assert min(abs(a[0] - b[0]) + abs(a[1] - b[1]) for i, a in enumerate(places) for b in places[:i]) > 30


def test_hydrogens_fill_the_usual_valence(javascript):
    cases = [["N", 2], ["N", 3], ["O", 1], ["C", 1], ["S", 2], ["S", 4], ["S", 6], ["S", 3], ["Cl", 1]]
    assert javascript("(cases) => cases.map(([symbol, orders]) => hydrogensOf(symbol, orders))", cases) == [
        1, 0, 1, 3, 0, 0, 0, 1, 0,
    ]  # fmt: skip
