"""The tables of docs/published.md are those of its file of results, which is gathered from runs."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def published():
    spec = importlib.util.spec_from_file_location("published", ROOT / "docs" / "tables" / "published.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_those_of_the_results(published):
    page = published.PAGE.read_text(encoding="utf-8")
    assert published.written(page, published.read()) == page
    assert set(re.findall(r"<!-- table: (\S+) -->\n\n\| ", page)) == set(published.tables(published.read()))
    assert published.RESULTS.stat().st_size < 200_000


def test_what_was_published_is_the_same_in_both_tables(published):
    from benchmarks.structured_prediction import METHODS, PUBLISHED

    assert {name: nats for name, nats in PUBLISHED.items() if name in METHODS} == published.JANG


def test_a_table_that_was_edited_is_found_out(published):
    page = published.PAGE.read_text(encoding="utf-8")
    edited = re.sub(r"^(\| `rloo` \| )[\d.]+", r"\g<1>1.0", page, count=1, flags=re.MULTILINE)
    assert edited != page
    assert published.written(edited, published.read()) == page


def test_runs_are_gathered(published, tmp_path):
    """The last folder counts, and the sweep's run at the tuned temperature is not counted twice."""
    entry = {"step": 5, "seconds": 1.0, "train": 123.456789, "test": 2.0, "tau": None}
    run = {"setting": {"latents": "8x4"}, "seed": 0, "steps": 5, "curve": [entry]}
    for folder, name in (("a", "reinmax"), ("b", "reinmax"), ("b", "st-gumbel-softmax tau 0.5")):
        path = tmp_path / folder / "8x4" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**run, "name": name, "torch": folder}))
    (tmp_path / "b" / "st.json").write_text(
        json.dumps({"test": 80.123456, "seconds": 3.0, "loss": 1.0, "method": "st", "seed": 1, "steps": 9})
    )
    found = published.gather([tmp_path / "a", tmp_path / "b"])
    assert found == [
        {"what": "8x4", "name": "reinmax", "seed": 0, "steps": 5, "curve": [{**entry, "train": 123.46}]},
        {"what": "halves", "name": "st", "seed": 1, "steps": 9, "test": 80.123, "seconds": 3.0},
    ]
