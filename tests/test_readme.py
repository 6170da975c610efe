import re
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"


@pytest.mark.parametrize("target", ["molecules", "test", "lint", "bench", "docs", "clean", "figures"])
def test_the_make_targets_of_the_readme_exist(target):
    makefile = (README.parent / "Makefile").read_text()
    assert re.search(rf"^{target}:", makefile, flags=re.M)
    assert f"make {target}" in README.read_text(encoding="utf-8")
