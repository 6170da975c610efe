"""The built-in problems and a user's own."""

import sys

import pytest
import torch

import softdraw as sd
from softdraw.diagnostics.problems import ProblemError, builtin_problems, load_problem


@pytest.mark.parametrize("name", builtin_problems())
def test_built_in_problems_can_be_enumerated_and_are_the_same_each_time(name):
    problem, again = load_problem(name), load_problem(name)
    assert torch.equal(problem.logits, again.logits)
    gradient = sd.diagnostics.exact_gradient(problem.f, problem.logits, distribution=problem.distribution)
    assert bool(gradient.isfinite().all())
    assert gradient.norm() > 0
    assert problem.description


def test_size_of_the_vae():
    assert load_problem("vae").logits.shape == (8, 4)


MINE = """
import torch
from softdraw.diagnostics.problems import Problem

def pair():
    return (lambda z: z[..., 0, 0]), torch.zeros(1, 2)

def whole():
    return Problem("x", "y", lambda z: z[..., 0, 0], torch.zeros(1, 2))

def wrong():
    return 3

def failing():
    raise ValueError("mine")

def late():
    import my_helper
    return my_helper.made

ready = whole()
number = 3
"""


@pytest.fixture
def my_folder(tmp_path, monkeypatch):
    """A working folder with a user's module in it."""
    (tmp_path / "my_problem.py").write_text(MINE)
    (tmp_path / "my_helper.py").write_text("import my_problem\nmade = my_problem.pair()\n")
    (tmp_path / "my_broken.py").write_text("1 / 0\n")
    (tmp_path / "my_mistake.py").write_text("import math\nmath.nothing\n")
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    yield tmp_path
    assert sys.path == before
    for name in [name for name in sys.modules if name.startswith("my_")]:
        del sys.modules[name]


def test_a_users_own(my_folder):
    assert load_problem("my_problem:pair").logits.shape == (1, 2)
    assert load_problem("my_problem:whole").name == load_problem("my_problem:ready").name == "x"
    assert load_problem("my_problem:late").name == "my_problem:late"


def test_what_a_users_function_raises_is_raised(my_folder):
    with pytest.raises(ValueError, match="mine") as raised:
        load_problem("my_problem:failing")
    assert not isinstance(raised.value, ProblemError)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my_problem:wrong", "got int, expected a Problem"),
        ("my_problem:number", "got int, expected a Problem"),
        ("my_problem:nothing", r"my_problem.py\) has no nothing"),
        ("no_such_module:x", "cannot import no_such_module"),
        ("my_broken:x", "cannot import my_broken .ZeroDivisionError"),
        ("my_mistake:x", "cannot import my_mistake .AttributeError"),
        ("nothing", "got 'nothing', expected one of rebar-toy, .* or module:function"),
        (":x", "got ':x', expected one of"),
        ("my_problem:", "got 'my_problem:', expected one of"),
        (None, "got None, expected one of"),
    ],
)
def test_what_is_no_problem_is_named(my_folder, name, message):
    with pytest.raises(ProblemError, match=message):
        load_problem(name)
