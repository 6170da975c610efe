import re
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"


@pytest.mark.parametrize("target", ["molecules", "test", "lint", "bench", "docs", "clean", "figures"])
def test_the_make_targets_of_the_readme_exist(target):
    makefile = (README.parent / "Makefile").read_text()
    assert re.search(rf"^{target}:", makefile, flags=re.M)
    assert f"make {target}" in README.read_text(encoding="utf-8")


TEXT = README.read_text(encoding="utf-8")
START = (README.parent / "docs" / "index.md").read_text(encoding="utf-8")


def test_the_readme_is_short_and_begins_with_whom_it_is_for_with_code_and_a_picture():
    lines = TEXT.splitlines()
    assert len(lines) < 120
    screen = "\n".join(lines[:32])
    assert screen.index("For whoever") < screen.index("```python") < screen.index("](docs/images/")
    assert "\n## " not in screen


def test_the_site_starts_as_the_readme_does():
    """Whom it is for, the code and the picture; links and what follows may differ."""
    head = TEXT[: TEXT.index("![")]
    assert START.startswith(head)
    picture = re.search(r"!\[.*\]\(docs/(\S+)\)", TEXT)
    assert f"]({picture[1]})" in START


def test_figures_stand_in_one_table_and_lead_to_their_pages():
    measured = TEXT[TEXT.index("## Measured") : TEXT.index("## Licence")]
    rows = [line for line in measured.splitlines() if line.startswith("| ")][2:]
    assert len(rows) >= 5
    assert measured.count("\n| --- ") == 1
    for row in rows:
        assert "](docs/" in row or "the same |" in row, row
