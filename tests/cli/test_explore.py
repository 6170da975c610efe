"""``softdraw explore`` with torch alone, and as one command among the others."""

import os
import subprocess
import sys
import webbrowser
from pathlib import Path

import pytest

from softdraw.cli import main
from softdraw.explore import page

#: what `pip install softdraw` does not bring
HIDDEN = ("typer", "click", "rich", "jinja2", "matplotlib", "numpy", "rdkit", "scipy", "lightning", "pooch")


@pytest.fixture
def opened(monkeypatch):
    """Addresses that a browser was asked for; it is there."""
    asked = []
    monkeypatch.setattr(webbrowser, "open", lambda address: bool(asked.append(address)) or True)
    return asked


def run(capsys, *words):
    with pytest.raises(SystemExit) as left:
        main(list(words))
    captured = capsys.readouterr()
    return left.value.code, captured.out, captured.err


def test_it_writes_the_page_and_opens_it(capsys, opened, tmp_path):
    out = tmp_path / "new" / "a page.html"
    assert run(capsys, "explore", "--out", str(out)) == (0, f"wrote {out}\n", "")
    assert out.read_text(encoding="utf-8") == page()
    assert opened == [out.as_uri()]


def test_without_a_file_it_is_in_the_cache(capsys, opened, monkeypatch, tmp_path):
    monkeypatch.setenv("SOFTDRAW_CACHE", str(tmp_path))
    for _ in range(2):
        assert run(capsys, "explore") == (0, f"wrote {tmp_path / 'explore.html'}\n", "")
    assert os.listdir(tmp_path) == ["explore.html"]
    assert opened == [(tmp_path / "explore.html").as_uri()] * 2


def test_no_open_opens_nothing(capsys, opened, tmp_path):
    assert run(capsys, "explore", "--no-open", "--out", str(tmp_path / "a.html"))[0] == 0
    assert opened == []


def test_without_a_browser_it_says_so(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(webbrowser, "open", lambda address: False)
    code, out, _ = run(capsys, "explore", "--out", str(tmp_path / "a.html"))
    assert code == 0
    assert "no browser" in out


@pytest.mark.parametrize("where", ["folder", "below a file"])
def test_what_cannot_be_written_is_one_message_and_1(capsys, opened, tmp_path, where):
    (tmp_path / "file").write_text("x")
    out = tmp_path if where == "folder" else tmp_path / "file" / "a.html"
    code, printed, err = run(capsys, "explore", "--out", str(out))
    assert (code, printed, opened) == (1, "", [])
    assert err.startswith("softdraw: error: ")
    assert str(tmp_path) in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("words", [["--nonsense"], ["stray"], ["--out"], ["--no"]])
def test_usage_is_2(capsys, opened, words):
    code, _, err = run(capsys, "explore", *words)
    assert code == 2
    assert "usage: softdraw explore" in err
    assert opened == []


def test_debug_may_stand_anywhere(opened, tmp_path):
    for words in (
        ["--debug", "explore", "--out", str(tmp_path)],
        ["explore", "--out", str(tmp_path), "--debug"],
    ):
        with pytest.raises(IsADirectoryError):
            main(words)


def test_help_lists_it_with_the_others(capsys):
    code, out, _ = run(capsys, "--help")
    assert code == 0
    assert "explore" in out
    assert "Open a page to play with" in out
    code, out, _ = run(capsys, "explore", "--help")
    assert code == 0
    assert "--no-open" in out
    assert "--out FILE.html" in out


def test_the_app_passes_its_words_on(capsys, opened, tmp_path):
    """Whoever calls the app itself gets the same command."""
    from softdraw.cli.app import build

    with pytest.raises(SystemExit) as left:
        build()(args=["explore", "--no-open", "--out", str(tmp_path / "a.html")], prog_name="softdraw")
    assert left.value.code == 0
    assert (tmp_path / "a.html").exists()
    with pytest.raises(SystemExit) as left:
        build()(args=["explore", "--help"], prog_name="softdraw")
    assert left.value.code == 0
    assert "usage: softdraw explore" in capsys.readouterr().out


def bare(program, folder):
    hiding = f"import sys\nfor name in {HIDDEN!r}:\n    sys.modules[name] = None\n"
    # torch warns of a NumPy that cannot be imported
    hiding += "import warnings\nwarnings.filterwarnings('ignore', message='Failed to initialize NumPy')\n"
    return subprocess.run(
        [sys.executable, "-c", hiding + program], capture_output=True, text=True, timeout=300, cwd=folder
    )


def test_it_needs_torch_alone(tmp_path):
    program = "sys.argv = ['softdraw', 'explore', '--no-open', '--out', 'a.html']\n"
    ended = bare(program + "from softdraw.cli import main\nmain()", tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == f"wrote {Path(tmp_path, 'a.html')}\n"
    assert Path(tmp_path, "a.html").read_text(encoding="utf-8") == page()


def test_its_help_needs_torch_alone(tmp_path):
    program = "sys.argv = ['softdraw', 'explore', '--help']\nfrom softdraw.cli import main\nmain()"
    ended = bare(program, tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "--no-open" in ended.stdout
