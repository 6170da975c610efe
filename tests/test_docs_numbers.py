"""Numbers on the pages that the code knows are those of the code."""

import re
from pathlib import Path

import pytest

import softdraw as sd

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
DEFAULTS = re.findall(
    r"^\| (`[^|]+) \| ([\d.]+) \|.*\|$",
    (ROOT / "docs" / "tricks.md").read_text(encoding="utf-8").partition("too low |")[2].partition("\n\n")[0],
    re.MULTILINE,
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_number_of_estimators_is_right(page):
    for number in re.findall(r"(\d+) (?:gradient )?estimators", page.read_text(encoding="utf-8")):
        assert int(number) == len(sd.estimators.names())


def test_the_number_of_estimators_is_said():
    said = [page.stem for page in PAGES if re.search(r"\d+ (gradient )?estimators", page.read_text("utf-8"))]
    assert {"README", "index", "estimators"} <= set(said)


def test_the_table_of_temperatures_is_found():
    assert len(DEFAULTS) >= 8


@pytest.mark.parametrize(("names", "tau"), DEFAULTS)
def test_temperatures_are_the_defaults(names, tau):
    for name in re.findall(r"`([\w-]+)`", names):
        assert type(sd.estimators.get(name)).default_tau == float(tau), name


def test_the_models_of_the_page_are_those_of_the_code():
    sizes = pytest.importorskip("softdraw.molecules.model.sizes")
    page = (ROOT / "docs" / "molecules-model.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\d+), (\d+) \|", page, re.MULTILINE)
    assert {name: (int(width), int(layers)) for name, width, layers in rows} == {
        name: (size.width, size.layers) for name, size in sizes.NETWORKS.items()
    }
