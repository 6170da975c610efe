"""Molecules drawn in one shot: graphs and back, one draw a pair, gradients, a run that goes on."""

import importlib
import itertools
import json
import sys

import pytest
import torch

import softdraw as sd

from .conftest import FOLDER

SMILES = ["CC(=O)N", "C1CC1O", "N#CC", "c1cc[nH]c1", "FC(F)F", "O=C1CN1", "C", "CC1(C)CO1", "C#CC=O", "CCO"]


@pytest.fixture(scope="module")
def parts():
    """The package, imported from the root of the repository as its command does."""
    sys.path.insert(0, str(FOLDER.parent))
    try:
        names = ("__main__", "critic", "generator", "graphs", "runs", "training")
        found = {n: importlib.import_module(f"examples.adversarial_molecules.{n}") for n in names}
    finally:
        sys.path.remove(str(FOLDER.parent))
    return type("Parts", (), {name.strip("_"): module for name, module in found.items()})


@pytest.fixture(scope="module")
def molecules(parts):
    return parts.graphs.Molecules(SMILES, 6, cache=None)


def game(parts, molecules, **options):
    options = {"batch": 16, "pack": 2} | options
    return parts.training.Game(molecules, parts.training.Settings(**options))


def test_a_molecule_comes_back_from_its_row(parts, molecules):
    assert len(molecules.rows) == len(SMILES)
    assert molecules.layout.smiles(molecules.rows) == molecules.smiles
    hot = molecules.layout.hot(molecules.rows)
    assert torch.equal(hot.argmax(-1), molecules.rows.long())
    assert not (hot.bool() & ~molecules.layout.mask).any()


def test_a_place_without_an_atom_may_stand_anywhere_but_takes_no_bond(molecules):
    layout = molecules.layout
    atoms, none = layout.vocabulary.names.index("C"), layout.none
    row = torch.zeros(1, layout.places, dtype=torch.uint8)
    row[0, : layout.atoms] = torch.tensor([atoms, none, atoms, none, none, none])
    pair = {
        (a, b): i for i, (a, b) in enumerate(zip(layout.later.tolist(), layout.earlier.tolist(), strict=True))
    }
    row[0, layout.atoms + pair[2, 0]] = 2
    assert layout.smiles(row) == ["C=C"]
    row[0, layout.atoms + pair[3, 2]] = 1
    assert layout.smiles(row) == [""]


def test_two_pieces_and_too_many_bonds_are_no_molecule(molecules):
    layout = molecules.layout
    row = torch.full((1, layout.places), 0, dtype=torch.uint8)
    row[0, : layout.atoms] = layout.vocabulary.names.index("C")
    assert layout.smiles(row) == [""]
    row[0, layout.atoms :] = 1  # every atom with five bonds
    assert layout.smiles(row) == [""]


def test_charged_molecules_are_left_out_and_counted(parts):
    few = parts.graphs.Molecules(["CCO", "C[NH3+]", "CC(=O)[O-]"], 6, cache=None)
    assert few.smiles == ["CCO"]
    assert few.layout.vocabulary.names == ("C", "O")
    assert "2 with charged atoms" in few.account


@pytest.mark.parametrize("name", ["gumbel-softmax", "st-gumbel-softmax", "reinmax"])
def test_drawn_bonds_are_symmetric_bit_for_bit_and_so_is_their_noise(molecules, name):
    layout = molecules.layout
    logits = torch.zeros(50, layout.places, layout.classes)
    drawn = sd.estimators.get(name)(logits, mask=layout.mask, key=sd.Key(3))
    _, bonds = layout.graphs(drawn)
    assert torch.equal(bonds, bonds.mT)
    # with logits all alike a draw is its noise: both triangles are that of the pair, and pairs differ
    lower = bonds[:, :, layout.later, layout.earlier]
    assert torch.equal(lower, drawn[:, layout.atoms :, :4].mT)
    assert torch.equal(bonds[:, :, layout.earlier, layout.later], lower)
    assert len(lower[0].T.unique(dim=0)) > 1
    assert not bonds.diagonal(dim1=-2, dim2=-1).any()


@pytest.mark.parametrize("name", ["gumbel-softmax", "st-gumbel-softmax", "reinmax", "rloo", "reinforce"])
def test_every_weight_of_the_generator_learns(parts, molecules, name):
    one = game(parts, molecules, estimator=name)
    one.learn_to_draw(sd.Key(0), progress=0.0)  # the price of entropy has a gradient of its own
    for weight, parameter in one.generator.named_parameters():
        assert parameter.grad is not None, weight
        assert parameter.grad.isfinite().all(), weight
        assert parameter.grad.abs().sum() > 0, weight
    assert all(p.grad is None for p in one.critic.parameters())


def test_the_price_of_entropy_grows_with_the_budget(parts, molecules):
    gradients = []
    for progress in (0.0, 0.5, 1.0):
        one = game(parts, molecules, entropy=0.3)
        one.learn_to_draw(sd.Key(0), progress)
        gradients.append(torch.cat([p.grad.flatten() for p in one.generator.parameters()]))
    one = game(parts, molecules)
    z = parts.generator.gaussian(16, one.generator.latent, sd.Key(0).fold_in(0))
    law = torch.distributions.Categorical(logits=one.generator(z).masked_fill(~one.layout.mask, -1e4))
    (0.3 * law.entropy().sum(1).mean()).backward()
    price = torch.cat([p.grad.flatten() for p in one.generator.parameters()])
    assert torch.allclose(gradients[2] - gradients[0], price, atol=1e-6)
    assert torch.allclose(gradients[1] - gradients[0], price / 2, atol=1e-6)


def test_reinmax_at_temperature_1_is_exact_for_a_quadratic_critic_of_two_atoms(parts):
    few = parts.graphs.Molecules(["CO", "C=O", "CC"], 2, cache=None)
    layout, noise = few.layout, torch.Generator().manual_seed(0)
    width = layout.places * layout.classes
    square = torch.randn(width, width, generator=noise, dtype=torch.float64)
    logits = torch.randn(layout.places, layout.classes, generator=noise, dtype=torch.float64)
    logits.requires_grad_()

    def cost(drawn):
        flat = drawn.flatten(-2)
        return ((flat @ square) * flat).sum(-1)

    # the exact gradient: all graphs of two atoms, weighed
    options = [allowed.nonzero()[:, 0].tolist() for allowed in layout.mask]
    rows = torch.tensor(list(itertools.product(*options)))
    law = logits.masked_fill(~layout.mask, -torch.inf).log_softmax(-1)
    weights = sum(law[place, rows[:, place]] for place in range(layout.places)).exp()
    expected = (weights * cost(layout.hot(rows).double())).sum()
    assert weights.sum().item() == pytest.approx(1.0)
    (exact,) = torch.autograd.grad(expected, logits)
    # ReinMax's formula, averaged over the same graphs
    p = logits.detach().masked_fill(~layout.mask, -torch.inf).softmax(-1)
    mean = torch.zeros_like(exact)
    for weight, row in zip(weights.detach(), rows, strict=True):
        z = layout.hot(row[None])[0].double().requires_grad_()
        (g,) = torch.autograd.grad(cost(z), z)
        q = (p + z.detach()) / 2
        mean += weight * (2 * times_jacobian(q, g) - times_jacobian(p, g) / 2)
    assert torch.allclose(mean, exact, atol=1e-12)
    # and the estimator is that formula, draw by draw
    drawn = sd.estimators.get("reinmax", tau=1.0)(logits, mask=layout.mask, key=sd.Key(1))
    (found,) = torch.autograd.grad(cost(drawn), logits)
    z = drawn.detach().requires_grad_()
    (g,) = torch.autograd.grad(cost(z), z)
    assert torch.allclose(found, 2 * times_jacobian((p + z.detach()) / 2, g) - times_jacobian(p, g) / 2)


def times_jacobian(p, g):
    return p * (g - (p * g).sum(-1, keepdim=True))


def test_the_critic_sees_valence_pieces_and_rings(parts):
    few = parts.graphs.Molecules(["C1CC1", "CCC"], 3, cache=None)
    critic = parts.critic.Critic(few.layout, pack=1)
    rows = torch.cat([few.rows, few.rows[1:].clone(), few.rows[1:].clone()])
    rows[2, 3:] = torch.tensor([3, 2, 0])  # pairs (1, 0), (2, 0), (2, 1): five bonds at the first carbon
    rows[3, 3:] = torch.tensor([1, 0, 0])  # two pieces
    atoms, bonds = few.layout.graphs(few.layout.hot(rows))
    of_atoms, of_graphs = critic.features(atoms, bonds[:, 1:])
    assert of_graphs[:, 2].tolist() == [0, -1, -1, -2]  # rings less pieces
    assert of_graphs[:, 3].tolist() == [0, 0, 1, 0]  # valence exceeded
    assert of_graphs[:3, 4].max() < 0.3 < 1.3 < of_graphs[3, 4]  # pieces
    assert of_atoms[0, :, 5].tolist() == [1, 1, 1]  # each in one triangle
    assert of_atoms[1:, :, 5].eq(0).all()


@pytest.mark.parametrize("name", ["reinmax", "rloo"])
def test_a_run_goes_on_exactly_from_its_checkpoint(parts, molecules, tmp_path, name):
    straight, first, second = (game(parts, molecules, estimator=name) for _ in range(3))
    before = {k: v.clone() for k, v in straight.generator.state_dict().items()}
    for step in range(6):
        straight.step(step / 6)
    for step in range(3):
        first.step(step / 6)
    parts.runs.save_game(tmp_path, first, {"seconds": 1.5})
    assert parts.runs.load_game(tmp_path, second) == {"seconds": 1.5}
    for step in range(3, 6):
        second.step(step / 6)
    for player in ("generator", "average", "critic"):
        for key, value in getattr(straight, player).state_dict().items():
            assert torch.equal(value, getattr(second, player).state_dict()[key]), (player, key)
    assert second.tau.value == straight.tau.value
    assert any(not torch.equal(v, straight.generator.state_dict()[k]) for k, v in before.items())


def test_a_checkpoint_of_other_settings_is_refused(parts, molecules, tmp_path):
    parts.runs.save_game(tmp_path, game(parts, molecules), {})
    with pytest.raises(ValueError, match="other settings"):
        parts.runs.load_game(tmp_path, game(parts, molecules, seed=1))


def test_the_command_trains_writes_and_goes_on(parts, tmp_path, capsys):
    data = tmp_path / "few.smi"
    data.write_text("\n".join(SMILES))
    command = ["--data", str(data), "--out", str(tmp_path / "run"), "--atoms", "6", "--samples", "40"]
    command += ["--cache", str(tmp_path / "cache")]
    parts.main.main([*command, "--steps", "2"])
    result = parts.main.main([*command, "--steps", "4"])
    assert "goes on from step 2" in capsys.readouterr().out
    stored = json.loads((tmp_path / "run" / "scores.json").read_text())
    assert stored == json.loads(json.dumps(result))
    assert (stored["steps"], stored["scores"]["count"]) == (4, 40)
    drawn = (tmp_path / "run" / "drawn.smi").read_text().split("\n")[:-1]
    assert len(drawn) == 40
    assert sum(map(bool, drawn)) / 40 == stored["valid"] == stored["scores"]["validity"]
    assert (tmp_path / "run" / "drawn.html").read_text().count("<figure>") == 40
