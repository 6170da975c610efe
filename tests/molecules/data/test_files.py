import gzip
from pathlib import Path

import pytest
from rdkit import Chem

from softdraw.molecules.data.files import digest_of, read_rows, reading_of
from softdraw.molecules.data.kinds import READERS
from softdraw.molecules.errors import DataError

SMILES = ["CCO", "c1ccccc1", "C[N+](C)(C)C"]


def write(path: Path, text: str) -> Path:
    data = text.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize("suffix", [".smi", ".smiles", ".txt", ".SMI", ".smi.gz", ".txt.gz"])
def test_a_list_of_smiles(tmp_path, suffix):
    text = "SMILES name\n# a comment\nCCO ethanol\n\nc1ccccc1\tbenzene ring\r\n  C[N+](C)(C)C\nnonsense"
    file = write(tmp_path / f"list{suffix}", text)
    expected = [(3, "CCO"), (4, ""), (5, "c1ccccc1"), (6, "C[N+](C)(C)C"), (7, "nonsense")]
    assert list(read_rows(file)) == expected


def test_a_first_line_that_is_a_molecule_is_read(tmp_path):
    assert list(read_rows(write(tmp_path / "a.smi", "CCO\nC\n"))) == [(1, "CCO"), (2, "C")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "id,SMILES,logp\n1,CCO,0.1\n2,c1ccccc1,1\n3,C[N+](C)(C)C,2\n"),
        ("a.csv", "smiles\nCCO\nc1ccccc1\nC[N+](C)(C)C"),
        ("a.csv", '\ufeff"Canonical_Smiles","name"\r\n"CCO","a, b"\r\nc1ccccc1,x\r\nC[N+](C)(C)C,y\r\n'),
        ("a.csv", "id;smiles\n1;CCO\n2;c1ccccc1\n3;C[N+](C)(C)C\n"),
        ("a.csv", "ISOMERIC SMILES,Smiles\nx,CCO\ny,c1ccccc1\nz,C[N+](C)(C)C\n"),
        ("a.tsv", "name\tsmiles\na,b\tCCO\nc\tc1ccccc1\nd\tC[N+](C)(C)C\n"),
        ("a.tsv.gz", "name\tsmiles\na,b\tCCO\nc\tc1ccccc1\nd\tC[N+](C)(C)C\n"),
    ],
)
def test_a_table(tmp_path, name, text):
    assert list(read_rows(write(tmp_path / name, text))) == list(zip([2, 3, 4], SMILES, strict=True))


def test_cells_that_are_empty_or_missing(tmp_path):
    text = 'name,smiles\na,CCO\nb,\nc\n\n"two\nlines",CC\n'
    assert list(read_rows(write(tmp_path / "a.csv", text))) == [(2, "CCO"), (3, ""), (4, ""), (7, "CC")]


def test_a_table_without_smiles_names_its_headings(tmp_path):
    file = write(tmp_path / "a.csv", "id,structure\n1,CCO\n")
    with pytest.raises(DataError, match=r"a\.csv: no column of SMILES among the headings 'id,structure'"):
        list(read_rows(file))


def test_a_quote_that_is_never_closed_is_told(tmp_path):
    """It would swallow the rest of the table into one cell, and its molecules with it."""
    file = write(tmp_path / "a.csv", 'name,smiles\nx,CCO\n"5 inch,CC\n' + "y,CCC\n" * 200)
    with pytest.raises(DataError, match=r"a\.csv: the row in line 3 spans 201 lines: is a quote left open\?"):
        list(read_rows(file))


@pytest.mark.parametrize("suffix", [".sdf", ".sd", ".sdf.gz"])
@pytest.mark.parametrize("terminated", [True, False])
def test_an_sd_file(tmp_path, suffix, terminated):
    blocks = [Chem.MolToMolBlock(Chem.MolFromSmiles(s)) + "> <id>\n7\n\n" for s in SMILES]
    blocks.insert(1, blocks[0].replace("  3  2  0", "  9  2  0"))
    text = "$$$$\n".join(blocks) + ("$$$$\n" if terminated else "")
    rows = list(read_rows(write(tmp_path / f"a{suffix}", text)))
    assert [smiles for _, smiles in rows] == [SMILES[0], None, *SMILES[1:]]
    lines = text.splitlines()
    assert [line for line, _ in rows] == [1, *(n + 2 for n, line in enumerate(lines[:-1]) if line == "$$$$")]


@pytest.mark.parametrize("name", ["a.smi", "a.csv", "a.sdf", "a.smi.gz"])
def test_a_missing_file(tmp_path, name):
    for read in (digest_of, lambda path: list(read_rows(path))):
        with pytest.raises(DataError, match=r"a\.\S+: no such file; expected a file of"):
            read(tmp_path / name)


def test_a_misspelt_source_is_a_missing_file():
    with pytest.raises(DataError, match=r"chemcals: no such file; expected a file of molecules, 'chemicals'"):
        digest_of("chemcals")


def test_a_folder(tmp_path):
    (tmp_path / "x.smi").mkdir()
    for path in (tmp_path, tmp_path / "x.smi"):
        with pytest.raises(DataError, match="is a folder"):
            digest_of(path)


def test_an_unknown_kind(tmp_path):
    file = write(tmp_path / "a.xlsx", "CCO")
    with pytest.raises(DataError, match=r"a\.xlsx: unknown kind \.xlsx; expected \.smi, .*\.gz"):
        digest_of(file)


def test_a_refusal_of_the_system_is_told(tmp_path, monkeypatch):
    file = write(tmp_path / "a.smi", "CCO")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match=r"a\.smi: no permission to read it"):
        list(read_rows(file))
    with pytest.raises(DataError, match=r"a\.smi: no permission to read it"):
        digest_of(file)


@pytest.mark.parametrize("suffix", READERS)
@pytest.mark.parametrize(
    "content",
    [b"\x89PNG\r\n\x1a\n\x00\x00", b"smiles\nCC\x00C\n", b"smiles\n\xff\xfe\xfa", b"PK\x03\x04\x00"],
)
def test_a_binary_file(tmp_path, suffix, content):
    file = tmp_path / f"a{suffix}"
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.\w+: (not a text file|no column of SMILES)"):
        list(read_rows(file))


@pytest.mark.parametrize("suffix", [".smi.gz", ".csv.gz", ".sdf.gz"])
@pytest.mark.parametrize(
    "content",
    [
        b"CCO\n",
        gzip.compress(b"CCO\n" * 99, mtime=0)[:-12],
        gzip.compress(b"C" * 99, mtime=0)[:20] + b"garbage...",
    ],
)
def test_a_damaged_gzip_file(tmp_path, suffix, content):
    file = tmp_path / f"a{suffix}"
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"damaged or no gzip file|not a text file|no column"):
        list(read_rows(file))


@pytest.mark.parametrize("name", ["a.smi", "a.csv", "a.sdf", "a.smi.gz"])
def test_an_empty_file(tmp_path, name):
    file = write(tmp_path / name, "")
    with pytest.raises(DataError, match=r"empty|no column"):
        list(read_rows(file))
    file.write_bytes(b"")
    with pytest.raises(DataError, match="the file is empty"):
        digest_of(file)


ENCODED = {
    "utf-8": "",
    "utf-8-sig": "",
    "latin-1": "read as Latin-1",
    "cp1252": "read as Latin-1",
    "utf-16": "read as UTF-16",
    "utf-16-le": "read as UTF-16",
    "utf-16-be": "read as UTF-16",
    "utf-32": "read as UTF-32",
}


@pytest.mark.parametrize("encoding", ENCODED)
@pytest.mark.parametrize("name", ["a.smi", "a.csv", "a.smi.gz", "a.csv.gz"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_other_encodings_than_utf_8(tmp_path, encoding, name, ending):
    mark = "," if ".csv" in name else " "
    lines = ["smiles" + mark + "name", "CCO" + mark + "Zitronensäure", "CC" + mark + "Größe"]
    data = ending.join([*lines, ""]).encode(encoding)
    file = tmp_path / name
    file.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    assert list(read_rows(file)) == [(2, "CCO"), (3, "CC")]
    reading = str(reading_of(file)).split(", ")
    assert (reading[-1] if reading[-1].startswith("read as") else "") == ENCODED[encoding]


def test_an_sd_file_in_another_encoding(tmp_path):
    block = Chem.MolToMolBlock(Chem.MolFromSmiles("CCO")) + "> <name>\nSäure\n\n$$$$\n"
    (tmp_path / "a.sdf").write_bytes(block.encode("latin-1"))
    assert list(read_rows(tmp_path / "a.sdf")) == [(1, "CCO")]
    assert str(reading_of(tmp_path / "a.sdf")) == "read as Latin-1"
    with pytest.raises(DataError, match="smiles_column: got 2, expected None for an SD file"):
        list(read_rows(tmp_path / "a.sdf", 2))


def test_a_late_character_that_is_no_utf_8(tmp_path):
    """The first megabyte does not tell: an umlaut in the last line does."""
    text = "CCO x\n" * 200_000 + "CC Säure\n"
    (tmp_path / "a.smi").write_bytes(text.encode("latin-1"))
    assert str(reading_of(tmp_path / "a.smi")) == "read as Latin-1"
    assert sum(1 for _ in read_rows(tmp_path / "a.smi")) == 200_001


def test_a_gzipped_file_is_known_by_its_content_too(tmp_path):
    (tmp_path / "a.smi").write_bytes(gzip.compress(b"CCO\n"))
    assert list(read_rows(tmp_path / "a.smi")) == [(1, "CCO")]


def test_a_heading_alone_is_empty(tmp_path):
    for name in ("a.csv", "a.smi"):
        with pytest.raises(DataError, match="holds no molecule"):
            list(read_rows(write(tmp_path / name, "smiles\n")))


def test_the_digest_tells_content_and_kind_apart(tmp_path):
    texts = {"a.smi": "CCO", "b.smi": "CCO", "c.smi": "CCN", "d.csv": "CCO"}
    a, b, c, d = (digest_of(write(tmp_path / name, text)) for name, text in texts.items())
    assert a == b
    assert len({a, c, d}) == 3
