"""The Triton backend without a card: tests of ``test_backends.py`` where its programs are interpreted."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

#: the interpreter computes with infinities in NumPy, which warns of what IEEE 754 defines; older ones take
#: arrays of one element for numbers
NUMPY = ("-W", "ignore::RuntimeWarning", "-W", "ignore::DeprecationWarning")
#: all dtypes, and classes in one block and, of two dtypes, in two
FEW = "triton and (a_few_rows and (10-dtype or 5000-dtype0 or 5000-dtype2) or rows_that_cannot)"
#: the others, the same on more rows, masks and temperatures, and what a batch of many rows needs
MORE = (
    "triton and (a_few_rows and (5000-dtype1 or 5000-dtype3) or draws_agree and (10-dtype or 5000-dtype) "
    "or estimators_agree and 10-dtype or lie_where or strides)"
)


#: one size of each program of structures, and what they refuse
STRUCTURES = (
    "orders and 100-7 or orders_of_rows or too_large or entropic and 12-5-0.3 or subsets and 9-4 "
    "or sinkhorn and 5-7"
)


#: tiles that begin anywhere, and mixtures as a whole for every estimator and type
MIXTURES = "begin_anywhere and 3-dtype0 or of_a_card or mixtures_agree and True"


def agrees(chosen, count, file="test_backends.py"):
    """Run the chosen tests of backends where Triton is interpreted, which is settled when it is imported."""
    pytest.importorskip("triton", reason="Triton is not installed")
    tests = Path(__file__).with_name(file)
    options = ["-q", "-m", "gpu", "-k", chosen, "-p", "no:cacheprovider", *NUMPY]
    result = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(tests)],
        env=os.environ | {"TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-3000:]
    assert f"{count} passed" in result.stdout
    assert "skipped" not in result.stdout


def test_the_interpreter_agrees_with_the_reference():
    agrees(FEW, 10)


def test_the_interpreter_agrees_on_structures():
    agrees(STRUCTURES, 11, "test_triton_structures.py")


def test_the_interpreter_agrees_on_mixtures():
    agrees(MIXTURES, 14, "test_triton_mixture.py")


@pytest.mark.slow
def test_the_interpreter_agrees_with_the_reference_at_length():
    agrees(MORE, 17)
    agrees("triton", 46, "test_triton_structures.py")
    agrees("triton", 81, "test_triton_mixture.py")


@pytest.mark.parametrize("interpreted", [False, True])
def test_a_triton_without_knobs_will_do(interpreted, monkeypatch):
    """``triton.knobs`` came with Triton 3.4; the environment said before what it says now."""
    triton = pytest.importorskip("triton", reason="Triton is not installed")
    programs = pytest.importorskip("softdraw.kernels.triton.programs", exc_type=ImportError)
    monkeypatch.setitem(sys.modules, "triton.knobs", None)
    monkeypatch.delattr(triton, "knobs", raising=False)
    monkeypatch.setenv("TRITON_INTERPRET", "1" if interpreted else "0")
    spec = importlib.util.spec_from_file_location("programs_of_an_older_triton", programs.__file__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.INTERPRETED is interpreted
