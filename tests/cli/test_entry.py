"""Exit codes, and one message instead of a traceback, whatever happens behind the command."""

import errno
import subprocess
import sys

import pytest
import typer

from softdraw import __version__
from softdraw.cli import app, main
from softdraw.molecules.errors import DataError


def run(capsys, *words):
    with pytest.raises(SystemExit) as left:
        main(list(words))
    captured = capsys.readouterr()
    return left.value.code, captured.out, captured.err


@pytest.fixture
def failing(monkeypatch):
    """Puts a command ``fail`` into the app, which raises what it is given."""

    def install(error):
        def fail() -> None:
            raise error

        real = app.build

        def build():
            made = real()
            made.command("fail")(fail)
            return made

        monkeypatch.setattr(app, "build", build)

    return install


def test_version(capsys):
    assert run(capsys, "--version") == (0, f"softdraw {__version__}\n", "")


def test_the_package_is_the_command():
    ended = subprocess.run(
        [sys.executable, "-m", "softdraw", "--version"], capture_output=True, text=True, timeout=120
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"softdraw {__version__}\n", "")


def test_help_lists_the_commands(capsys):
    code, out, _ = run(capsys, "--help")
    assert code == 0
    assert "molecules" in out
    assert "--debug" in out


@pytest.mark.parametrize(
    "words", [["nonsense"], ["--nonsense"], ["molecules", "nonsense"], ["molecules", "run", "--nonsense"]]
)
def test_usage_is_2(capsys, words):
    code, _, err = run(capsys, *words)
    assert code == 2
    assert "No such" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (DataError("a.smi: no such file"), "a.smi: no such file"),
        (OSError(errno.ENOSPC, "No space left on device", "/out/x"), "/out/x: No space left on device"),
        (PermissionError(errno.EACCES, "Permission denied"), "Permission denied"),
        (ModuleNotFoundError("No module named 'fcd'", name="fcd"), "pip install 'softdraw[molecules]'"),
        (ModuleNotFoundError("No module named 'rich'", name="rich"), "pip install 'softdraw[cli]'"),
    ],
)
def test_what_a_user_can_act_on_is_one_line_and_1(capsys, failing, error, message):
    failing(error)
    code, out, err = run(capsys, "fail")
    assert (code, out) == (1, "")
    assert err.startswith("softdraw: error: ")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("words", [["--debug", "fail"], ["fail", "--debug"]])
def test_debug_shows_where_it_came_from(failing, words):
    failing(DataError("a.smi: no such file"))
    with pytest.raises(DataError):
        main(words)


@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError("a defect"),
        ModuleNotFoundError("softdraw.gone", name="softdraw.gone"),
        ModuleNotFoundError("No module named 'of_the_user'", name="of_the_user"),
    ],
)
def test_a_defect_keeps_its_traceback(failing, error):
    failing(error)
    with pytest.raises(type(error)):
        main(["fail"])


def test_ctrl_c_is_130(capsys, failing):
    failing(KeyboardInterrupt())
    assert run(capsys, "fail")[0] == 130


def test_ctrl_c_before_there_is_an_app_is_130(capsys, monkeypatch):
    def stop():
        raise KeyboardInterrupt

    monkeypatch.setattr(app, "build", stop)
    code, _, err = run(capsys, "--help")
    assert code == 130
    assert "stopped" in err


@pytest.mark.parametrize(
    ("words", "missing", "extra"),
    [
        (["molecules", "--help"], "typer", "molecules"),
        (["molecules", "sample", "."], "rich", "molecules"),
        (["molecules", "sample", "."], "rdkit", "molecules"),
        (["compare", "--help"], "typer", "cli"),
        (["compare", "--estimators", "st", "--draws", "2"], "rich.console", "cli"),
        (["compare", "--estimators", "st", "--draws", "2"], "jinja2", "cli"),
        (["compare", "--estimators", "st", "--draws", "2"], "matplotlib", "cli"),
    ],
)
def test_without_the_extra_it_says_which(words, missing, extra, tmp_path):
    """In a process of its own, since typer is loaded here already."""
    program = (
        f"import sys; sys.modules[{missing!r}] = None; sys.argv = ['softdraw', *{words!r}]; "
        "from softdraw.cli import main; main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, cwd=tmp_path
    )
    assert ended.returncode == 1
    assert f"{missing.partition('.')[0]}: pip install 'softdraw[{extra}]'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_command_joins_by_one_line(capsys, monkeypatch):
    module = type(sys)("softdraw.cli.extra")

    def extra() -> None:
        typer.echo("extra")

    module.add_to = lambda made: made.command("extra")(extra)
    monkeypatch.setitem(sys.modules, "softdraw.cli.extra", module)
    monkeypatch.setattr(app, "COMMANDS", (*app.COMMANDS, "extra"))
    assert run(capsys, "extra") == (0, "extra\n", "")
