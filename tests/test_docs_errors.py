"""A page that shows an error shows what the code says: every block after ``<!-- errors -->`` is run.

In it, a comment that begins with the name of an error or a warning is the message of what stands above it; of
commands (``<!-- errors: exit code 2 -->``) every comment is. Line ends do not count, ``...`` is any text.
"""

import re
import shlex
import sys
import warnings

import pytest
import torch

from softdraw import kernels
from softdraw.kernels import dispatch

from .test_docs_examples import BLOCKS, PAGES, folder, name_of

__all__ = ["folder"]

TOLD = [block for block in BLOCKS if block.errors is not None]
PAGE = next(page for page in PAGES if page.stem == "errors")
MESSAGE = re.compile(r"^# (\w+(?:Error|Warning): .*)$")


def parts(block, pattern):
    """What is run, and the message that it is said to end in (None after the last)."""
    code = []
    for line in block.text.splitlines():
        found = pattern.match(line)
        if found:
            yield "\n".join(code), found[1]
            code = []
        else:
            code.append(line)
    if code:
        yield "\n".join(code), None


def plain(text):
    """In one line, without the frame that the command line puts around a message."""
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", text).split())


def agrees(shown, said, whole=True):
    pattern = ".*".join(map(re.escape, plain(shown).split("...")))
    return bool((re.fullmatch if whole else re.search)(pattern, plain(said)))


def message_of(code, names):
    """The error or the first warning that the code ends in, as it would be printed."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            exec(compile(code, str(PAGE), "exec"), names)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    return next((f"{one.category.__name__}: {one.message}" for one in caught), None)


def test_blocks_of_errors_are_there():
    assert {block.page for block in TOLD} == {PAGE}
    assert sum(len(list(parts(block, MESSAGE))) for block in TOLD if block.language == "python") > 30


def test_errors_say_what_the_page_says(folder):
    pytest.importorskip("rdkit")
    names: dict[str, object] = {"__name__": "errors"}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for block in BLOCKS:
            if block.page != PAGE or block.language != "python":
                continue
            for code, shown in parts(block, MESSAGE):
                said = message_of(code, names)
                if shown is None:
                    assert said is None, f"{name_of(block)}: {said}"
                else:
                    assert said is not None, f"{name_of(block)}: {code} raised nothing"
                    assert agrees(shown, said), f"{name_of(block)}:\n{shown}\n{said}"


@pytest.mark.parametrize("block", [block for block in TOLD if block.language == "sh"], ids=name_of)
def test_commands_say_what_the_page_says(block, folder, capsys, monkeypatch):
    pytest.importorskip("rdkit")
    from softdraw.cli.entry import main

    monkeypatch.setenv("COLUMNS", "1000")
    for command, shown in parts(block, re.compile(r"^# (.*)$")):
        assert shown is not None, command
        with pytest.raises(SystemExit) as ended:
            main(shlex.split(command)[1:])
        said = capsys.readouterr().err
        assert f"exit code {ended.value.code}" == block.errors, command
        assert agrees(shown, said, whole=False), f"{command}\n{shown}\n{said}"


def test_the_warning_of_a_missing_extension_is_on_the_page(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("softdraw.kernels.cpu")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "softdraw.kernels.cpu._native", None)
    monkeypatch.delattr(kernels, "cpu", raising=False)
    cached = dispatch.backend_for, dispatch._native
    try:
        for one in cached:
            one.cache_clear()
        with pytest.warns(RuntimeWarning) as caught:
            dispatch.backend_for("cpu")
    finally:
        monkeypatch.undo()
        for one in cached:
            one.cache_clear()
    assert plain(str(caught[0].message)) in plain(PAGE.read_text(encoding="utf-8"))
