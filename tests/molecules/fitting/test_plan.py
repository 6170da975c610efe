import pytest

from softdraw.molecules.errors import CheckpointError
from softdraw.molecules.fitting.plan import from_dict, plan_fit, to_dict
from softdraw.molecules.model.sizes import NETWORKS, NetworkOptions, size_of
from softdraw.molecules.runtime.budget import Budget


@pytest.mark.parametrize(
    ("molecules", "atoms", "budget", "name"),
    [
        (60_000, 12, Budget(4.0), "small"),
        (130_000, 9, Budget(60.0), "small"),
        (5_000, 40, Budget(60.0), "medium"),
        (1_500_000, 27, Budget(5.0), "medium"),
        (1_500_000, 27, Budget(60.0), "large"),
        (1_500_000, 27, Budget(steps=100), "medium"),
    ],
)
def test_sizes_follow_molecules_atoms_and_minutes(molecules, atoms, budget, name):
    plan = plan_fit(molecules, atoms, budget)
    assert (plan.name, plan.network) == (name, NETWORKS[name])
    assert name in plan.why
    assert f"{molecules:,}" in plan.why
    assert str(budget) in plan.why


def test_what_the_user_says_is_kept():
    own = NetworkOptions(width=24)
    plan = plan_fit(10**6, 27, Budget(60.0), network=own, batch_size=7, learning_rate=0.1, augment=0.5)
    assert (plan.network, plan.name) == (own, "own")
    assert (plan.batch_size, plan.learning_rate, plan.augment) == (7, 0.1, 0.5)


def test_a_batch_is_a_quarter_of_few_molecules_and_atom_orders_vary_where_molecules_are_seen_often():
    assert plan_fit(8, 9, Budget(1.0)).batch_size == 2
    assert plan_fit(1, 9, Budget(1.0)).batch_size == 1
    assert plan_fit(1000, 30, Budget(1.0)).augment == 1.0
    assert 0 < plan_fit(10**6, 30, Budget(1.0)).augment < 0.5


def test_going_on_from_a_fit_takes_smaller_steps():
    assert (
        plan_fit(1000, 30, Budget(1.0), fitted=True).learning_rate
        < plan_fit(1000, 30, Budget(1.0)).learning_rate
    )


def test_a_plan_is_read_as_it_was_written_and_anything_else_is_refused():
    plan = plan_fit(1000, 30, Budget(1.0))
    assert from_dict(to_dict(plan)) == plan
    for wrong in ({}, {**to_dict(plan), "network": {"width": -1}}, {**to_dict(plan), "more": 1}):
        with pytest.raises(CheckpointError, match=r"plan\.json"):
            from_dict(wrong)


def test_names_and_single_sizes():
    assert size_of("large", {}) == NETWORKS["large"]
    assert size_of("medium", {"layers": 1}).layers == 1
    with pytest.raises(ValueError, match="network: got 'huge', expected one of small, medium, large"):
        size_of("huge", {})
