import subprocess
import sys

import pytest


@pytest.mark.parametrize("name", ["lightning", "pyro", "transformers"])
def test_a_module_is_reached_as_an_attribute_and_imported_only_then(name):
    code = (
        "import sys, softdraw as sd; sd.integrations; "
        f"assert {name!r} not in sys.modules; sd.integrations.{name}; assert {name!r} in sys.modules"
    )
    pytest.importorskip(name)
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
