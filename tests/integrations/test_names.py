import subprocess
import sys

import pytest


@pytest.mark.parametrize("name", ["lightning", "lightning_monitor", "pyro", "transformers"])
def test_a_module_is_reached_as_an_attribute_and_imported_only_then(name):
    library = name.removesuffix("_monitor")
    code = (
        "import sys, softdraw as sd; sd.integrations; "
        f"assert {library!r} not in sys.modules; sd.integrations.{name}; assert {library!r} in sys.modules"
    )
    pytest.importorskip(library)
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
