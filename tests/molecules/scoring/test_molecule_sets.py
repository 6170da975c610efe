import pytest

from softdraw.molecules.data.account import Dropped
from softdraw.molecules.errors import DataError
from softdraw.molecules.scoring.molecule_sets import read_known, read_set


def write(path, text):
    path.write_text(text)
    return path


def test_every_line_is_counted(tmp_path):
    text = "OCC\n\nC(\n[Na+].[Cl-]\nC[C@H](N)O a name\n[CH3:1]O\n[H]/N=C(/C)F\nOCC\n"
    found = read_set(write(tmp_path / "a.smi", text))
    assert found.smiles == ["OCC", "", "C(", "[Na+].[Cl-]", "C[C@H](N)O", "[CH3:1]O", "[H]/N=C(/C)F", "OCC"]
    assert found.canonical == ["CCO", "CC(N)O", "CO", "CC(=N)F", "CCO"]
    assert found.account.dropped == {
        "no SMILES": Dropped(1, (2,)),
        "unreadable": Dropped(1, (3,)),
        "several fragments": Dropped(1, (4,)),
    }
    assert (found.account.read, found.account.used, found.account.lost) == (8, 5, 3)


def test_a_set_of_nothing_is_refused(tmp_path):
    file = write(tmp_path / "a.smi", "junk here\n\n")
    with pytest.raises(DataError) as caught:
        read_known("train", file)
    lines = str(caught.value).splitlines()
    assert lines[:4] == [
        "train: got 0 of 2, expected at least 1 molecule",
        f"{file}: none of 2 molecules is usable",
        "  no SMILES: 1 (line 2)",
        "  unreadable: 1 (line 1)",
    ]
    assert "the first line is 'junk here'" in lines[4]
    assert read_set(file).canonical == []


@pytest.mark.parametrize("valid", [0, 1, 2])
def test_a_reference_takes_two(tmp_path, valid):
    file = write(tmp_path / "a.smi", "CCO\n" * valid + "C(\n")
    if valid == 2:
        assert read_known("reference", file, least=2).canonical == ["CCO", "CCO"]
        return
    with pytest.raises(
        DataError, match=rf"reference: got {valid} of {valid + 1}, expected at least 2 molecules"
    ):
        read_known("reference", file, least=2)


def test_a_damaged_record_of_an_sd_file_is_unreadable(tmp_path):
    found = read_set(write(tmp_path / "a.sdf", "\nnonsense\n\n$$$$\n"))
    assert found.account.reasons() == "1 unreadable"
