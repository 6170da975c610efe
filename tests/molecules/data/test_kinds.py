import bz2
import gzip
import lzma
import zipfile

import pytest

from softdraw.molecules.data.files import digest_of, read_rows, reading_of
from softdraw.molecules.data.kinds import Meter, form_of, open_bytes
from softdraw.molecules.errors import DataError

TEXT = "id,smiles\n1,CCO\n2,CCN\n"
ROWS = [(2, "CCO"), (3, "CCN")]


def zipped(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    ("suffix", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)]
)
def test_packed_files_are_read_whatever_their_name_says(tmp_path, suffix, pack):
    for name in (f"a.csv{suffix}", "a.csv"):
        file = tmp_path / name
        file.write_bytes(pack(TEXT.encode()))
        assert list(read_rows(file)) == ROWS
        assert digest_of(file).endswith("-table")
    whole = (tmp_path / f"a.csv{suffix}").read_bytes()
    for content in (whole[: len(whole) // 2], b"no such thing"):
        (tmp_path / f"b.csv{suffix}").write_bytes(content)
        with pytest.raises(DataError, match=r"b\.csv\.\w+: (damaged or no \w+ file|cannot be read) \("):
            list(read_rows(tmp_path / f"b.csv{suffix}"))


def test_the_one_file_of_molecules_in_a_zip_is_read_as_it_would_be_outside(tmp_path):
    file = zipped(
        tmp_path / "a.zip",
        **{"set/a.csv": TEXT, "set/README.md": "what it is", "__MACOSX/set/._a.csv": "x", "set/.a.csv": ""},
    )
    assert list(read_rows(file)) == ROWS
    assert str(reading_of(file)) == "SMILES in column 2 'smiles', separated by commas"
    assert digest_of(file).endswith("-table")
    packed = zipped(tmp_path / "b.zip", **{"a.csv.gz": gzip.compress(TEXT.encode())})
    assert list(read_rows(packed)) == ROWS


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"a.smi": "C", "b.csv": TEXT}, r"holds a\.smi, b\.csv; expected one file of molecules \(\.smi, "),
        ({f"{n}.smi": "C" for n in range(9)}, r"holds 0\.smi, 1\.smi, 2\.smi, 3\.smi, 4\.smi, \.\.\.; "),
        ({"a.xml": "<a/>"}, r"holds a\.xml; expected one file of molecules"),
        ({}, "holds no file; expected one file of molecules"),
    ],
)
def test_a_zip_without_one_file_of_molecules_is_told_by_name(tmp_path, members, message):
    file = zipped(tmp_path / "a.zip", **members)
    for read in (digest_of, lambda path: list(read_rows(path))):
        with pytest.raises(DataError, match=rf"a\.zip: {message}"):
            read(file)


def test_a_zip_that_cannot_be_opened(tmp_path):
    file = tmp_path / "a.zip"
    file.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(DataError, match=r"a\.zip: damaged or no zip file"):
        digest_of(file)
    with pytest.raises(DataError, match=r"b\.zip: no such file"):
        digest_of(tmp_path / "b.zip")
    whole = bytearray(zipped(file, **{"a.smi": "C"}).read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the flag of a password
        whole[whole.index(mark) + place] |= 1
    file.write_bytes(whole)
    with pytest.raises(DataError, match=r"a\.zip: a\.smi in it needs a password; unpack it first"):
        digest_of(file)


@pytest.mark.parametrize("suffix", [".ism", ".cxsmiles"])
def test_lists_by_other_names(tmp_path, suffix):
    file = tmp_path / f"a{suffix}"
    file.write_text("CCO ethanol\nCC* |$;;R1$| a part\nC[C@H](N)F\t|&1:1|\n")
    assert form_of(file) == "list"
    assert list(read_rows(file)) == [(1, "CCO"), (2, "CC*"), (3, "C[C@H](N)F")]
    assert str(reading_of(file)) == "extensions in |...| dropped"


def test_extensions_are_dropped_from_a_table_too(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text('smiles,id\nCCO,1\n"C[C@H](N)F |o1:1,2|",2\nCC |(1;2)|,3\n')
    assert [smiles for _, smiles in read_rows(file)] == ["CCO", "C[C@H](N)F", "CC"]
    assert str(reading_of(file)).endswith("extensions in |...| dropped")
    file.write_text("id|smiles|mass\n1 | CCO | 46\n")
    assert list(read_rows(file)) == [(2, "CCO")]
    assert "extensions" not in str(reading_of(file))


@pytest.mark.parametrize("name", ["a.smi", "a.smi.gz"])
def test_a_meter_tells_how_far_a_file_is_read(tmp_path, name):
    text = b"".join(b"C" * (n % 97) + b"\n" for n in range(100_000))
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    meter = Meter()
    shares = [meter.share]
    with open_bytes(tmp_path / name, meter) as content:
        while content.read(1 << 20):
            shares.append(meter.share)
    shares.append(meter.share)
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert 0 < shares[1] < 1
    assert shares[-1] == 1
