"""The built-in problems and a user's own."""

import sys
import types

import pytest
import torch

import softdraw as sd
from softdraw.diagnostics.problems import Problem, builtin_problems, load_problem


@pytest.mark.parametrize("name", builtin_problems())
def test_built_in_problems_can_be_enumerated_and_are_the_same_each_time(name):
    problem, again = load_problem(name), load_problem(name)
    assert torch.equal(problem.logits, again.logits)
    gradient = sd.diagnostics.exact_gradient(problem.f, problem.logits)
    assert bool(gradient.isfinite().all())
    assert gradient.norm() > 0
    assert problem.description


def test_size_of_the_vae():
    assert load_problem("vae").logits.shape == (8, 4)


def test_a_users_own(monkeypatch):
    module = types.ModuleType("my_problem")
    module.pair = lambda: ((lambda z: z[..., 0, 0]), torch.zeros(1, 2))
    module.whole = lambda: Problem("x", "y", lambda z: z[..., 0, 0], torch.zeros(1, 2))
    module.wrong = lambda: 3
    monkeypatch.setitem(sys.modules, "my_problem", module)
    assert load_problem("my_problem:pair").logits.shape == (1, 2)
    assert load_problem("my_problem:whole").name == "x"
    with pytest.raises(ValueError, match="returned int"):
        load_problem("my_problem:wrong")
    for name in ("my_problem:nothing", "no_such_module:x", "nothing"):
        with pytest.raises(ValueError, match=name):
            load_problem(name)
