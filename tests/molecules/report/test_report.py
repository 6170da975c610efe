"""The report stands alone, hides nothing, and executes nothing that came from outside."""

import base64
import csv
import json
import struct
from html.parser import HTMLParser

import matplotlib as mpl
import numpy as np
import pytest

from softdraw.molecules.errors import CheckpointError, DataError, OutputError
from softdraw.molecules.report import render, write_report
from softdraw.molecules.report.figures import curves, histogram, scatter
from softdraw.molecules.report.page import PAIRS
from softdraw.molecules.run.measuring import measure, write_measurements
from softdraw.molecules.run.options import RunOptions
from softdraw.molecules.scoring.table import ROWS, filled_rows, written
from softdraw.molecules.storage.run_folder import RunFolder

from ..fake_generator import FakeGenerator

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


class Page(HTMLParser):
    """What a browser would make of the page, as far as these tests ask."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def make(path, *, steered=True, data="data.smi", targets=("logp=2",), combine="sum", count=30):
    """A run's folder as the pipeline writes it, around the fake generator."""
    folder = RunFolder(path)
    folder.claim()
    options = RunOptions(data=data, steps=20, targets=targets, combine=combine)
    folder.write_config(
        {"options": options.to_dict(), "command": options.command, "versions": {"softdraw": "0"}}
    )
    fitted = FakeGenerator().fit(data, folder=folder.fit_checkpoints)
    folder.update_metrics(fit=fitted.fit_summary, data=fitted.dataset_summary)
    folder.update_history(fit=fitted.fit_history)
    moved = None
    if steered:
        moved = FakeGenerator().fit(data, folder=folder.fit_checkpoints)
        moved.steer(targets, folder=folder.steer_checkpoints, estimator="st", **options.steer_options)
        folder.update_history(steer=moved.steer_history)
    write_measurements(folder, measure(fitted, moved, count=count, seed=0, fcd=False))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make(tmp_path_factory.mktemp("report") / "run")


@pytest.fixture(scope="module")
def page(folder):
    return Page(render(folder))


def test_it_needs_nothing_from_outside(page):
    addresses = [attributes.get("src") or attributes.get("href") for _, attributes in page.tags]
    assert all(address.startswith("data:") for address in addresses if address is not None)
    html = json.dumps(page.tags)
    assert "http:" not in html
    assert "https:" not in html
    assert not page.all("script")
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert any("default-src 'none'" in str(meta.get("content")) for meta in page.all("meta"))


def test_every_picture_is_one_and_says_what_it_shows(page):
    images = page.all("img")
    # a pair of molecules a card; loss, rate; temperature, distance, diversity; five properties
    assert len(images) == 2 * PAIRS + 2 + 3 + 5
    for image in images:
        kind, _, content = image["src"].partition(";base64,")
        decoded = base64.b64decode(content)
        if kind == "data:image/png":
            width, height = struct.unpack(">II", decoded[16:24])
            assert decoded[:8] == b"\x89PNG\r\n\x1a\n"
            assert width >= 800
            assert height >= 500
        else:
            assert kind == "data:image/svg+xml"
            assert b"<path" in decoded
        assert image["alt"]


def test_the_molecules_are_the_first_of_the_draw(folder, page):
    alts = [image["alt"] for image in page.all("img") if "svg" in image["src"][:20]]
    before, after = folder.read_smiles("samples.smi"), folder.read_smiles("steered.smi")
    assert alts[0::2] == before[:PAIRS]
    assert alts[1::2] == after[:PAIRS]


def test_figures_in_the_page_are_those_of_the_metrics(folder, page):
    metrics = folder.metrics
    for value in (metrics["samples"]["validity_unmasked"], metrics["samples"]["uniqueness"]):
        assert f"{100 * value:.1f} %" in page.text
    steer = metrics["steer"]
    assert f"{steer['distance_before']:.2f} → {steer['distance_after']:.2f}" in page.text
    assert folder.config["command"] in page.text
    assert "Mean: data" in page.text
    assert "duplicate" in page.text


def test_the_page_says_how_the_data_was_read(tmp_path):
    folder = make(tmp_path / "run", steered=False, data="a.csv", count=4)
    data = folder.metrics["data"] | {"reading": "SMILES in column 2", "stereo": 7}
    folder.update_metrics(data=data)
    text = " ".join(Page(render(folder)).text.split())
    assert "a.csv (SMILES in column 2): 10 of 12 molecules are used" in text
    assert "7 had stereo marks, which are dropped" in text


def test_the_page_says_that_a_model_is_under_trained(page):
    assert "under-trained: it saw the data 2 times" in page.text
    assert "--resume and more --minutes" in page.text


def test_a_model_that_was_fitted_elsewhere_is_not_gone_on_with_here(tmp_path):
    folder = make(tmp_path / "run", steered=False)
    folder.update_metrics(fit=folder.metrics["fit"] | {"adopted": True})
    text = Page(render(folder)).text
    assert "under-trained: it saw the data 2 times" in text
    assert "more --minutes" not in text


def test_every_score_has_a_meaning_and_unknown_ones_are_dashes():
    from dataclasses import fields

    from softdraw.molecules.scoring.scores import Scores

    assert {row.name for row in ROWS} <= {field.name for field in fields(Scores)} | {"passing"}
    assert all(row.meaning.endswith(".") and row.better in ("higher", "lower", "") for row in ROWS)
    lines = filled_rows({"fitted": {"fcd": 0.5}, "steered": {"fcd": None}}, ["fitted", "steered"])
    assert [line["cells"] for line in lines] == [["0.5", written(None)]]


@pytest.mark.parametrize("steered", [True, False])
def test_what_came_from_outside_is_text(tmp_path, steered):
    folder = make(tmp_path / "<b>run", steered=steered, data=EVIL, count=4)
    for name in ("samples.smi", "steered.smi", "samples_unmasked.smi"):
        if folder.read_smiles(name):
            folder.write_smiles(name, [EVIL, "C<svg onload=alert(3)>", "C", "CC"])
    metrics = folder.metrics
    metrics["data"] |= {"vocabulary": [EVIL], "dropped": {EVIL: EVIL}, "description": EVIL}
    metrics["data"] |= {"reading": EVIL, "stereo": 2}
    if steered:
        metrics["steer"] |= {"estimator": EVIL, "schedule": EVIL}
        metrics["steer"]["targets"] = [
            {**metrics["steer"]["targets"][0], "property": f"m:{EVIL}", "goal": EVIL}
        ]
    folder.update_metrics(**metrics)
    history = folder.history
    history["properties"][f"m:{EVIL}"] = history["properties"]["logp"]
    if steered:
        metrics["steer"]["targets"].append({**metrics["steer"]["targets"][0], "property": "logp"})
        folder.update_metrics(**metrics)
        values = {f"m:{EVIL}": [1.0], "logp": [1.0]}
        history["front"] = {"of": EVIL, "smiles": [EVIL], "values": values}
    folder.update_history(**history)
    folder.write_config(
        {**folder.config, "command": EVIL, "versions": {EVIL: EVIL}, "options": {"data": EVIL}}
    )
    page = Page(render(folder))
    assert not page.all("script")
    assert "x" not in [image.get("src") for image in page.all("img")]
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert not page.all("b") or all(not attributes for attributes in page.all("b"))
    assert page.text.count(EVIL) >= 6
    assert "no molecule" in page.text


def test_a_closing_style_in_a_name_does_not_end_the_style(tmp_path):
    folder = make(tmp_path / "run", data="</style><script>alert(1)</script>", count=2)
    assert not Page(render(folder)).all("script")


def test_dollar_signs_and_braces_are_no_formulas(tmp_path):
    values = {"data": np.arange(9.0), "fitted": np.arange(9.0)}
    assert histogram(values, "$\\frac{x} {{ 7 * 7 }} %", 3.0).startswith("data:image/png")
    folder = make(tmp_path / "run", data="{{ 7 * 7 }}", count=2)
    assert "{{ 7 * 7 }}" in Page(render(folder)).text


def test_reports_of_unfinished_runs(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.claim()
    folder.write_config({"options": {}, "command": "softdraw molecules run"})
    assert "There is no fitted model yet" in write_report(folder).read_text(encoding="utf-8")
    folder.update_metrics(fit={"loss": 1.0, "interrupted": True})
    assert "The fit was interrupted" in Page(render(folder)).text
    folder.update_metrics(
        steer={"targets": [{"property": "logp", "goal": 2.0, "weight": 1.0}], "estimator": "st"}
    )
    folder.update_history(steer=[{"step": 0, "distance": 1.0}])
    assert "steered to a logP of 2" in Page(render(folder)).text.replace("\n", " ")


def test_a_page_says_what_distances_are(tmp_path):
    page = Page(render(make(tmp_path / "range", targets=("logp=1..3",), count=3)))
    assert "steered to a logP of 1 to 3" in page.text.replace("\n", " ")
    assert "logP = 1..3" in page.text
    assert "distance to target, std" in page.text
    page = Page(render(make(tmp_path / "step", targets=("logp=step(<2)", "qed=max"), count=3)))
    assert "a logP of less than 2 and the highest QED" in page.text
    assert "of a step or a sigmoid they are 0 where it is met" in page.text.replace("\n", " ")
    assert "distance to target, std" not in page.text
    both = make(tmp_path / "product", targets=("logp=1..3", "qed=max"), combine="product", count=3)
    page = Page(render(both))
    assert "Targets are multiplied." in page.text
    assert "distance to target, std" not in page.text
    assert not [image for image in page.all("img") if "standard deviations" in image["alt"]]
    assert both.metrics["steer"]["target"] == "logp=1..3 * qed=max"
    each = both.metrics["steer"]["targets"]
    assert all(target["distance_after"] >= 0 for target in each)
    mean = sum(target["distance_after"] for target in each) / 2
    assert both.metrics["steer"]["distance_after"] == pytest.approx(mean)


def test_several_targets_have_a_front(tmp_path):
    both = make(tmp_path / "two", targets=("logp=1..3", "mw<=60"), count=20)
    page = Page(render(both))
    (image,) = [image for image in page.all("img") if "against" in image["alt"]]
    assert image["alt"].startswith("logP against weight, g/mol.")
    rows = list(csv.DictReader((both.path / "front.csv").read_text().splitlines()))
    assert {row["smiles"] for row in rows} <= set(both.read_smiles("steered.smi"))
    assert len({row["smiles"] for row in rows}) == len(rows) > 0
    assert f"{len(rows)} of the molecules that the steered model drew" in page.text
    # a steering that is given up leaves none
    both.forget_steering()
    assert not (both.path / "front.csv").exists()
    assert "front" not in Page(render(both)).text


def test_three_pairs_of_many_targets_are_drawn(tmp_path):
    four = make(tmp_path / "four", targets=("logp=1", "mw=min", "qed=step(0.4)", "tpsa=min"), count=20)
    images = [image["alt"] for image in Page(render(four)).all("img") if "against" in image["alt"]]
    assert [alt.split(".")[0] for alt in images] == [
        "logP against weight, g/mol", "logP against QED", "logP against polar surface, Å²",
    ]  # fmt: skip


def test_one_target_has_no_front(folder, page):
    assert not (folder.path / "front.csv").exists()
    assert "against" not in json.dumps(page.all("img"))


@pytest.mark.parametrize("ends", [None, (2.0, 2.0), (1.0, 3.0), (float("-inf"), 9.0), (50.0, float("inf"))])
@pytest.mark.parametrize("front", [([], []), ([1.0, 1e6], [2.0, -3.0])])
def test_points_of_any_values(ends, front):
    sets = {"fitted": ([1.0, 1.0], [2.0, 2.0])} if ends else {}
    assert scatter(sets, front, "$x", "y", [ends, None]).startswith("data:image/png")


def test_a_run_without_steering(tmp_path):
    folder = make(tmp_path / "run", steered=False, count=3)
    page = Page(render(folder))
    assert "The model was not steered." in page.text
    assert len([image for image in page.all("img") if "svg" in image["src"][:20]]) == 3


def test_errors(tmp_path, folder, monkeypatch):
    with pytest.raises(DataError, match="no such folder"):
        write_report(RunFolder(tmp_path / "missing"))
    with pytest.raises(DataError, match=r"config\.json"):
        write_report(RunFolder(tmp_path))
    damaged = make(tmp_path / "run", count=2)
    write_report(damaged)
    before = damaged.report.read_bytes()
    (damaged.path / "history.json").write_bytes(b"{")
    with pytest.raises(CheckpointError, match=r"history\.json"):
        write_report(damaged)
    assert damaged.report.read_bytes() == before
    damaged.report.unlink()
    (damaged.path / "history.json").unlink()
    damaged.report.mkdir()
    with pytest.raises(OutputError, match=r"report\.html"):
        write_report(damaged)


def test_a_report_is_the_same_twice_and_leaves_matplotlib_as_it_was(folder):
    before = dict(mpl.rcParams)
    assert render(folder) == render(folder)
    assert dict(mpl.rcParams) == before
    import sys

    if "matplotlib.pyplot" in sys.modules:
        assert sys.modules["matplotlib.pyplot"].get_fignums() == []


@pytest.mark.parametrize(
    ("values", "goal"),
    [([1.0], None), ([2.0, 2.0], 2), (list(range(50)), -50.0), ([0.0, 1e9], "max"), ([3], "min"),
     ([1.0, 2.0], "1..3"), ([1.0, 2.0], "step(<9)"), ([1.0], "sigmoid(0,-1)"), ([1.0], "middle"),
     ([1.0], "..-5")],
)  # fmt: skip
def test_histograms_of_any_values(values, goal):
    found = histogram({"data": np.array(values), "fitted": np.array([])}, "x", goal)
    assert found.startswith("data:image/png;base64,")


def test_a_histogram_of_nothing_is_none():
    assert histogram({"data": np.array([]), "fitted": np.array([])}, "x") is None


def test_a_curve_of_one_point():
    assert curves([("y", {"a": ([1.0], [2.0])})], "x").startswith("data:image/png")
