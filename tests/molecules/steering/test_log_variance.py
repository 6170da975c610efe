"""The log-variance loss has the gradient of what steering descends; memory and proposals do as they say."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem

from softdraw.molecules import MoleculeGenerator
from softdraw.molecules.chemistry.vocabulary import AtomType, Vocabulary
from softdraw.molecules.model.likelihood import log_likelihood
from softdraw.molecules.steering.gradients.log_variance import half_squares
from softdraw.molecules.steering.gradients.memory import Memory
from softdraw.molecules.steering.gradients.proposals import FEWEST, Proposals
from softdraw.random import Key

from ..model.test_likelihood import all_graphs
from ..small import MOLECULES, SIZES, random_network

COUNTED = ["C" * n for n in range(1, 9)] + ["O" + "C" * n for n in range(1, 40)]


@pytest.fixture
def enumerated():
    """Every graph of three atoms, a cost of each, and both log-likelihoods."""
    own, fitted = (random_network((4, 1), 3, seed, scale=0.5).double() for seed in (0, 1))
    graphs = tuple(torch.stack(part) for part in zip(*all_graphs(2, 3), strict=True))
    cost = torch.randn(len(graphs[0]), dtype=torch.double, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = log_likelihood(fitted, *graphs)
    return own, graphs, cost, before


@pytest.mark.parametrize("price", [0.0, 0.25])
@pytest.mark.parametrize("constant", [0.0, 3.0])
def test_over_what_the_network_draws_its_gradient_is_that_of_cost_and_divergence(enumerated, price, constant):
    """By enumeration, whatever the constant is."""
    own, graphs, cost, before = enumerated
    log_p = log_likelihood(own, *graphs)
    exact = (log_p.exp() * (cost + price * (log_p - before))).sum()
    expected = torch.autograd.grad(exact, list(own.parameters()), retain_graph=True, allow_unused=True)
    loss = (log_p.exp().detach() * half_squares(log_p - before, cost, price, constant)).sum()
    found = torch.autograd.grad(loss, list(own.parameters()), allow_unused=True)
    assert max(float(one.abs().max()) for one in expected if one is not None) > 0.01
    for one, other in zip(found, expected, strict=True):
        if other is not None:
            torch.testing.assert_close(one, other, atol=1e-10, rtol=1e-8)


def test_where_the_best_is_drawn_it_asks_for_nothing_wherever_a_molecule_came_from(enumerated):
    """At p proportional to p_fitted exp(-cost / beta) every term has gradient 0, not their mean alone."""
    _, _, cost, before = enumerated
    tilted = before - cost / 0.25
    log_p = (tilted - tilted.logsumexp(0)).requires_grad_()
    apart = log_p - before
    constant = float((0.25 * apart + cost).detach()[0])
    half_squares(apart, cost, 0.25, constant).sum().backward()
    torch.testing.assert_close(log_p.grad, torch.zeros_like(cost), atol=1e-12, rtol=0)


def memory_of(best=3, atoms=60):
    return Memory(Vocabulary([AtomType("C"), AtomType("O")]), atoms, best)


@settings(deadline=None)  # machines are shared
@given(st.lists(st.tuples(st.integers(0, 30), st.one_of(st.just(float("nan")), st.floats(-5, 5)))))
def test_a_memory_holds_each_molecule_once_the_best_first(pairs):
    memory = memory_of()
    known = {}
    for place, cost in pairs:
        memory.add([COUNTED[place]], np.array([cost]))
        if np.isfinite(cost):
            known.setdefault(COUNTED[place], cost)
    assert dict(zip(memory.smiles, memory.costs.tolist(), strict=True)) == known
    assert memory.costs.tolist() == sorted(memory.costs)
    again = memory_of()
    again.load_state_dict(memory.state_dict())
    assert again.smiles == memory.smiles
    assert again.costs.tolist() == memory.costs.tolist()


def test_a_memory_draws_among_the_best_and_the_first_most_often():
    memory = memory_of(best=4)
    memory.add(COUNTED[:20], np.arange(20.0))
    drawn = np.concatenate([memory.draw(2, np.random.default_rng(seed)) for seed in range(300)])
    counts = np.bincount(drawn, minlength=4)
    assert len(counts) == 4
    assert counts[0] > counts[1] > counts[3] > 0
    assert sorted(memory.draw(64, np.random.default_rng(0)).tolist()) == [0, 1, 2, 3]


def test_what_the_network_cannot_draw_is_not_remembered():
    memory = memory_of(atoms=3)
    memory.add(["CCCC", "CN", "C[N+](C)C", "not one", "C.C", "OO"], np.zeros(6))
    assert memory.smiles == ["OO"]


def proposals_of(**options):
    return Proposals(memory_of(best=50), 8, **{"offspring": 0.0, "screen": 1, "key": Key(0), **options})


def test_without_anything_known_all_that_is_drawn_is_evaluated():
    proposals = proposals_of(offspring=0.5, screen=4)
    assert proposals.draws == 8
    chosen, others = proposals.choose(["C"] * 8)
    assert chosen is None
    assert others == []


def known_to(proposals):
    costs = np.array([abs(Chem.MolFromSmiles(one).GetNumAtoms() - 12.0) for one in COUNTED])
    proposals.memory.add(COUNTED, costs)
    proposals.learn(COUNTED, costs)
    return proposals


def test_offspring_take_their_share_and_are_new():
    proposals = known_to(proposals_of(offspring=0.5))
    assert len(COUNTED) >= FEWEST
    assert proposals.draws == 4
    chosen, others = proposals.choose(["CO"] * 4)
    assert chosen is None
    assert len(set(others)) == 4
    assert not set(others) & {*COUNTED, "CO"}
    assert all(proposals.memory.usable(one) for one in others)
    assert known_to(proposals_of(offspring=0.99)).draws == 1


def test_of_several_children_the_promising_are_evaluated(monkeypatch):
    proposals = known_to(proposals_of(offspring=0.5, screen=3))
    near, far = ["CC(C)CCCCCCCCC", "CCC(C)CCCCCCCC"], [f"{'C' * n}C(C)C(C)C" for n in range(20, 30)]
    asked = []

    def children(parents, scores, count, rng, **options):
        asked.append((parents[int(np.argmax(scores))], count))
        return [*far, *near]

    monkeypatch.setattr("softdraw.molecules.steering.gradients.proposals.offspring", children)
    _, others = proposals.choose(["CO"] * 12)
    assert asked == [(proposals.memory.smiles[0], 12)]
    assert len(others) == 4
    assert set(near) <= set(others)


def test_of_several_candidates_the_promising_are_evaluated_and_known_ones_last():
    proposals = known_to(proposals_of(screen=3))
    assert proposals.draws == 24
    # around twelve atoms is best; one is known, and one comes twice
    near, far = ["CC(C)CCCCCCCCC", "CCC(C)CCCCCCCC"], [f"{'C' * n}C(C)C(C)C" for n in range(20, 38)]
    drawn = [COUNTED[10], near[0], near[0], "", *far, near[1], far[0]]
    assert len(drawn) == 24
    chosen, others = proposals.choose(drawn)
    assert others == []
    assert len(chosen) == len(set(chosen.tolist())) == 8
    assert {1, 22} <= set(chosen.tolist())
    assert not {0, 2, 3} & set(chosen.tolist())


def test_a_price_of_crowding_keeps_draws_apart(tmp_path):
    data = [*MOLECULES, *(f"{one}C" for one in MOLECULES if not one.startswith("FCC"))]
    fitted = MoleculeGenerator(**SIZES, batch_size=8).fit(data, steps=120)
    fitted.save(tmp_path)
    unique = []
    for price in (0.0, 0.5):
        one = MoleculeGenerator.load(tmp_path)
        one.steer(
            {"heteroatoms": 3.0},
            steps=60,
            estimator="log-variance",
            learning_rate=3e-3,
            batch_size=64,
            divergence=0.1,
            crowding=price,
        )
        unique.append(len(set(one.sample(400, key=Key(9)))))
    assert unique[1] > 1.2 * unique[0]
