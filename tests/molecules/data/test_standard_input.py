import gzip
import io
import os
import subprocess
import sys
import zipfile

import pytest
from rdkit import Chem

from softdraw.molecules.data import standard_input
from softdraw.molecules.data.dataset import load
from softdraw.molecules.data.sources import open_source
from softdraw.molecules.data.standard_input import spooled
from softdraw.molecules.errors import DataError


@pytest.fixture
def given(monkeypatch):
    """Put bytes where standard input is."""

    def put(content, terminal=False):
        text = io.TextIOWrapper(io.BytesIO(content))
        monkeypatch.setattr(text, "isatty", lambda: terminal, raising=False)
        monkeypatch.setattr(sys, "stdin", text)
        spooled.cache_clear()

    monkeypatch.delenv("LOCAL_RANK", raising=False)
    monkeypatch.delenv(standard_input._SHARED, raising=False)
    yield put
    spooled.cache_clear()


SMILES = ["CCO", "CCN"]
TABLE = b"id,smiles\n1,CCO\n2,CCN\n"
SD_FILE = "".join(f"{Chem.MolToMolBlock(Chem.MolFromSmiles(one))}$$$$\n" for one in SMILES).encode()


def archive():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("a.sdf", SD_FILE)
    return packed.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"CCO\nCCN\n", b"CCO ethanol\nCCN\n", TABLE, SD_FILE, gzip.compress(SD_FILE), archive()],
    ids=["list", "names", "table", "SD file", "packed", "zip"],
)
def test_what_comes_is_read_by_its_content(given, content):
    given(content)
    for _ in range(2):  # it may be read again
        data = load("-", cache=None)
        assert data.graphs.smiles == SMILES
        assert data.description == "standard input"


def test_the_digest_is_that_of_the_content(given, tmp_path):
    file = tmp_path / "a.smi"
    file.write_bytes(b"CCO\nCCN\n")
    given(file.read_bytes())
    assert open_source("-").digest == open_source(file).digest
    given(b"CCO\n")
    assert open_source("-").digest != open_source(file).digest


def test_processes_that_are_started_by_the_same_command_find_it(given, monkeypatch):
    """Lightning's: standard input is read to its end before they start."""
    given(b"CCO\nCCN\n")
    here = spooled()
    given(b"")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert spooled() == here
    assert load("-", cache=None).graphs.smiles == SMILES
    spooled.cache_clear()
    monkeypatch.setenv("LOCAL_RANK", "0")
    with pytest.raises(DataError, match="standard input: is empty"):
        spooled()


@pytest.mark.parametrize(
    ("content", "terminal", "message"),
    [
        (b"", False, "standard input: is empty, expected molecules; to go on with a run, give it the same"),
        (b"CCO\n", True, "standard input: is a terminal, expected molecules from a file or another program"),
        (b"\n\n", False, "standard input: none of 2 molecules is usable"),
        (b"CC\0O\n", False, "not a text file"),
    ],
)
def test_what_holds_no_molecules_is_refused(given, content, terminal, message):
    given(content, terminal)
    with pytest.raises(DataError, match=message):
        load("-", cache=None)


def test_the_file_is_gone_when_the_process_is():
    script = "from softdraw.molecules.data.standard_input import spooled; print(spooled())"
    done = subprocess.run(
        [sys.executable, "-c", script], input=SD_FILE, capture_output=True, check=True, timeout=120
    )
    name = done.stdout.decode().strip()
    assert name.endswith(".sdf")
    assert not os.path.exists(name)
