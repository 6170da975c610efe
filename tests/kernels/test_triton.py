"""The Triton backend without a card: tests of ``test_backends.py`` where its programs are interpreted."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

#: the interpreter computes with infinities in NumPy, which warns of what IEEE 754 defines
NUMPY = ("-W", "ignore::RuntimeWarning", "-W", "ignore::DeprecationWarning")
CHOSEN = "triton and (draws_agree and 10-dtype0 or rows_that_cannot)"


def test_the_interpreter_agrees_with_the_reference():
    pytest.importorskip("triton", reason="Triton is not installed")
    tests = Path(__file__).with_name("test_backends.py")
    # Set before Triton is imported, hence in a process of its own.
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-m",
            "gpu",
            "-k",
            CHOSEN,
            "-p",
            "no:cacheprovider",
            *NUMPY,
            str(tests),
        ],
        env=os.environ | {"TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-3000:]
    assert " passed" in result.stdout
    assert "skipped" not in result.stdout
