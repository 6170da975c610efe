import pytest

from softdraw.molecules.runtime.budget import Budget


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "exactly one"),
        ({"minutes": 1, "steps": 1}, "exactly one"),
        ({"minutes": 0}, "minutes: got 0"),
        ({"minutes": float("nan")}, "minutes: got nan"),
        ({"minutes": float("inf")}, "minutes: got inf"),
        ({"steps": 0}, "steps: got 0"),
    ],
)
def test_a_budget_is_minutes_or_steps(arguments, message):
    with pytest.raises(ValueError, match=message):
        Budget(**arguments)


def test_progress_counts_what_the_budget_counts():
    assert Budget(steps=10).progress(5, 1e9) == 0.5
    assert Budget(minutes=1).progress(10**9, 30.0) == 0.5
    assert str(Budget(steps=10)) == "10 steps"
    assert str(Budget(minutes=0.5)) == "0.5 minutes"


@pytest.mark.parametrize(
    ("arguments", "name"),
    [({"minutes": "1"}, "minutes"), ({"steps": 2.5}, "steps"), ({"steps": "3"}, "steps")],
)
def test_a_budget_of_a_wrong_type_is_a_type_error(arguments, name):
    with pytest.raises(TypeError, match=f"{name}: got .*, expected"):
        Budget(**arguments)
