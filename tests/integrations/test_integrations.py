"""The room imports nothing by itself, and says what to install."""

import subprocess
import sys

import pytest

MODULES = {
    "lightning": ("lightning", "pytorch_lightning"),
    "transformers": ("transformers",),
    "pyro": ("pyro",),
}


def test_the_room_imports_no_package():
    names = ("lightning", "pyro", "transformers")
    code = f"import sys, softdraw.integrations; print([m for m in {names} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("module", MODULES)
def test_a_missing_package_is_named(module):
    hidden = "; ".join(f"sys.modules[{name!r}] = None" for name in MODULES[module])
    code = f"import sys; {hidden}; import softdraw.integrations.{module}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"softdraw.integrations.{module} needs" in done.stderr
    assert "pip install" in done.stderr
