"""What every example promises to the one who copies it. A new file in ``examples/`` joins by itself."""

import math
import re
import struct

import pytest

from .conftest import FOLDER, NAMES

DOCS = FOLDER.parent / "docs"


def size_of_png(path):
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n", path
    return struct.unpack(">II", head[16:24])


@pytest.mark.parametrize("name", NAMES)
def test_it_is_short_and_says_how_it_is_run(name):
    text = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 120
    assert f"    python examples/{name}.py" in text.split('"""')[1]


@pytest.mark.parametrize("name", NAMES)
def test_it_uses_what_is_public(name):
    text = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    assert "import softdraw as sd\n" in text
    assert not re.search(r"\b(sd|softdraw)(\.\w+)*\._|from softdraw\S* import _", text)


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_and_prints_figures_and_draws_a_picture(name, ran):
    figures, picture, printed = ran(name)
    assert figures
    assert all(isinstance(key, str) and math.isfinite(value) for key, value in figures.items())
    assert printed.strip()
    width, height = size_of_png(picture)
    assert 400 <= width <= 1200
    assert 1.4 <= width / height <= 3.2


@pytest.mark.parametrize("name", NAMES)
def test_the_docs_show_it(name, ran):
    page = (DOCS / "examples.md").read_text(encoding="utf-8")
    stored = f"images/example-{name.replace('_', '-')}.png"
    assert re.search(rf"!\[[^\]]+\]\({stored}\)", page)
    assert f"python examples/{name}.py" in page
    assert f"examples/{name}.py)" in page, "a link to the file"
    assert (DOCS / stored).stat().st_size < 60_000
    # the picture there is the one that the example draws
    assert size_of_png(DOCS / stored) == size_of_png(ran(name).picture)


def test_the_docs_show_nothing_else():
    page = (DOCS / "examples.md").read_text(encoding="utf-8")
    assert set(re.findall(r"python examples/(\w+)\.py", page)) == set(NAMES)
    pictures = {f"example-{name.replace('_', '-')}.png" for name in NAMES}
    assert {path.name for path in (DOCS / "images").glob("example-*")} == pictures
