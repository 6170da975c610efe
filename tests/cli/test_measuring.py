"""``softdraw compare`` and ``softdraw temperature``, end to end."""

import csv
import re
import subprocess
import sys

import pytest

import softdraw as sd
from softdraw.cli import main


def run(arguments):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    return stop.value.code or 0


def rows_of(folder):
    with (folder / "measures.csv").open() as file:
        return list(csv.DictReader(file))


def pictures(page):
    return re.findall(r"data:image/svg\+xml;base64,", page)


def test_compare(tmp_path, capsys):
    code = run(
        ["compare", "cubic", "--estimators", "st,rloo,arm", "--draws", "60", "--out", str(tmp_path / "x")]
    )
    assert code == 0
    rows = rows_of(tmp_path / "x")
    assert [row["estimator"] for row in rows] == ["st", "rloo"]
    assert float(rows[1]["variance"]) > 0
    said = capsys.readouterr().out
    assert "not tried: arm" in said
    assert "rloo" in said
    page = (tmp_path / "x" / "report.html").read_text()
    assert page.count("data:image/svg+xml;base64,") == 2
    assert not re.search(r"(src|href)=[\"']?http|<script", page)


def test_compare_over_temperatures(tmp_path):
    options = ["--estimators", "reinmax,rloo", "--taus", "0.5,1.5", "--draws", "40", "--out", str(tmp_path)]
    assert run(["compare", "rebar-toy", *options]) == 0
    assert [(row["estimator"], row["tau"]) for row in rows_of(tmp_path)] == [
        ("reinmax", "0.5"),
        ("reinmax", "1.5"),
        ("rloo", ""),
    ]
    assert (tmp_path / "report.html").read_text().count("data:image/svg+xml;base64,") == 3


def test_a_problem_of_structures(tmp_path):
    """By default those that serve a distribution; in the sweep, those of them that have a temperature."""
    assert run(["compare", "subset", "--draws", "20", "--out", str(tmp_path)]) == 0
    found = [row["estimator"] for row in rows_of(tmp_path)]
    assert found == [n for n in sd.estimators.names() if sd.estimators.get(n).law_needs]
    assert (
        run(["temperature", "subset", "--taus", "0.5,1", "--draws", "20", "--out", str(tmp_path / "t")]) == 0
    )
    found = [row["estimator"] for row in rows_of(tmp_path / "t")]
    assert found == ["relaxed", "relaxed", "st-relaxed", "st-relaxed"]


@pytest.mark.parametrize("options", [[], ["--taus", "0.7"], ["--taus", "0.7,0.7"]])
def test_no_plot_is_empty(tmp_path, options):
    """Each estimator has a temperature of its own, and none has two."""
    words = ["--estimators", "st,reinmax,gumbel-softmax,rloo", "--draws", "30", "--out", str(tmp_path)]
    assert run(["compare", "cubic", *words, *options]) == 0
    assert len(rows_of(tmp_path)) == 4
    page = (tmp_path / "report.html").read_text()
    assert "against temperature" not in page
    assert len(pictures(page)) == 2


def test_nothing_measured_is_said_and_not_drawn(tmp_path):
    assert run(["compare", "cubic", "--estimators", "arm", "--draws", "30", "--out", str(tmp_path)]) == 0
    page = (tmp_path / "report.html").read_text()
    assert "Nothing was measured." in page
    assert "Error against cost" not in page
    assert len(pictures(page)) == 1


def test_temperature_and_its_picture(tmp_path):
    options = ["--estimators", "gumbel-softmax", "--taus", "0.2,1,5", "--draws", "50", "--out", str(tmp_path)]
    assert run(["temperature", "cubic", *options, "--picture", str(tmp_path / "a" / "t.svg")]) == 0
    assert [row["tau"] for row in rows_of(tmp_path)] == ["0.2", "1.0", "5.0"]
    assert (tmp_path / "a" / "t.svg").read_text().startswith("<?xml")


def test_same_seed_same_figures(tmp_path):
    for name in ("a", "b"):
        run(["compare", "cubic", "--estimators", "rebar", "--draws", "30", "--out", str(tmp_path / name)])
    first, second = (rows_of(tmp_path / name)[0] for name in ("a", "b"))
    for column in ("bias", "variance", "mse", "cosine"):
        assert first[column] == second[column]


def test_ctrl_c_keeps_what_is_done(tmp_path, monkeypatch):
    from softdraw.cli import measuring

    original, calls = measuring.compare, []

    def interrupted(*args, **options):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*args, **options)

    monkeypatch.setattr(measuring, "compare", interrupted)
    code = run(
        ["compare", "cubic", "--estimators", "st,reinmax,rloo", "--draws", "30", "--out", str(tmp_path)]
    )
    assert code == 130
    assert [row["estimator"] for row in rows_of(tmp_path)] == ["st"]
    assert "Stopped before the end" in (tmp_path / "report.html").read_text()


MINE = """
import torch
from softdraw.diagnostics.problems import Problem

def problem():
    return Problem("<script>x</script>", "a & b", lambda z: z[..., 0, 0], torch.zeros(1, 2))

def cost(z):
    if z.requires_grad:
        raise ValueError("my own mistake")
    return z[..., 0, 0]

def failing():
    return cost, torch.zeros(1, 2)
"""


@pytest.mark.parametrize("verb", ["compare", "temperature"])
def test_a_users_problem_is_found_in_the_working_folder(tmp_path, verb):
    """As a user runs it: in a process whose path does not hold the folder, as with the command itself."""
    (tmp_path / "mine.py").write_text(MINE)
    program = "import sys; sys.path.remove(''); from softdraw.cli import main; main()"
    words = [verb, "mine:problem", "--estimators", "st", "--draws", "20", "--out", "out"]
    done = subprocess.run(
        [sys.executable, "-c", program, *words], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert rows_of(tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<script" not in page
    assert "a &amp; b" in page


def test_what_a_users_f_raises_is_shown(tmp_path, monkeypatch):
    (tmp_path / "mine_that_fails.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="my own mistake") as raised:
        main(["compare", "mine_that_fails:failing", "--estimators", "rloo,st", "--draws", "20"])
    assert "st" in raised.value.__notes__[0]


@pytest.mark.parametrize(
    "arguments",
    [
        ["compare", "nothing"],
        ["compare", "cubic", "--estimators", "straight"],
        ["compare", "cubic", "--taus", "0"],
        ["compare", "cubic", "--taus", "a"],
        ["compare", "cubic", "--draws", "1"],
        ["temperature", "cubic", "--estimators", "rloo"],
        ["temperature", "cubic", "--taus", "1"],
        ["temperature", "cubic", "--taus", "1,1.0"],
    ],
)
def test_usage_errors(arguments, capsys):
    assert run(arguments) == 2
    assert "Invalid value" in capsys.readouterr().err


def test_unwritable_folder(tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    code = run(
        ["compare", "cubic", "--estimators", "st", "--draws", "20", "--out", str(tmp_path / "file" / "x")]
    )
    assert code == 1
    assert "softdraw: error:" in capsys.readouterr().err
