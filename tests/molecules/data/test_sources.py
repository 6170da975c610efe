import io
import tarfile
from pathlib import Path

import pytest
from rdkit import Chem

from softdraw.molecules.data import sources
from softdraw.molecules.data.dataset import load
from softdraw.molecules.data.sources import QM9_SHA256, QM9_URL, open_source
from softdraw.molecules.errors import DataError

METHANE = "\n".join(
    [
        "5",
        "gdb 1\t157.7118\t157.70997\t157.70699\t0.\t13.21",
        "C\t-0.0126981359\t1.0858041578\t0.0080009958\t-0.535689",
        *["H\t0.002150416\t-0.0060313176\t0.0019761204\t0.133921"] * 4,
        "1341.307\t1341.3284\t1341.365",
        "C\tC\t",
        "InChI=1S/CH4/h1H4\tInChI=1S/CH4/h1H4",
        "",
    ]
)


def test_a_list_keeps_its_places():
    source = open_source(["CCO", "", " CC ", None, float("nan"), "C"])
    assert list(source.rows()) == [(1, "CCO"), (2, ""), (3, "CC"), (4, ""), (5, ""), (6, "C")]
    assert open_source(iter(["C", "CC"])).description == "2 SMILES"
    assert open_source(["C"]).digest != open_source(["CC"]).digest
    assert open_source(["C", "C"]).digest != open_source(["CC"]).digest


@pytest.mark.parametrize(("source", "message"), [([], "empty list"), (3, "got int"), (None, "got NoneType")])
def test_what_is_no_source_is_refused(source, message):
    with pytest.raises(DataError, match=message):
        open_source(source)


def test_molecules_of_rdkit_are_taken_as_they_are():
    source = open_source([Chem.MolFromSmiles("C[C@H](N)O"), "CC", 3])
    assert list(source.rows()) == [(1, "C[C@H](N)O"), (2, "CC"), (3, "")]
    assert source.digest == open_source(["C[C@H](N)O", "CC", ""]).digest


@pytest.mark.parametrize("source", ["chemicals", "qm9", ["CCO"]])
def test_a_column_of_what_has_none_is_refused(source):
    with pytest.raises(DataError, match="smiles_column: got 'x', expected None for"):
        open_source(source, "x")


@pytest.mark.parametrize("path", [str, Path])
@pytest.mark.parametrize("address", ["https://host.org/a/b.smi", "HTTP://host.org/b.csv.gz", "s3://bucket/b"])
def test_an_address_is_shown_as_it_was_given(path, address):
    with pytest.raises(DataError) as caught:
        open_source(path(address))
    assert str(caught.value).startswith(f"{address}: is an address")
    assert "download it first" in str(caught.value)


def test_a_path_is_opened_for_its_checksum_only(tmp_path):
    file = tmp_path / "a.smi"
    file.write_text("CCO\n")
    source = open_source(str(file))
    assert source.description == str(file)
    assert source.digest == open_source(file).digest
    file.write_text("CCO\nCC\n")
    assert [smiles for _, smiles in source.rows()] == ["CCO", "CC"]
    assert open_source(file).digest != source.digest


def test_the_embedded_tables_give_a_row_for_every_line():
    source = open_source("chemicals")
    assert source.embedded
    assert source.description.startswith("PubChem compounds of the package chemicals 1.")
    rows = list(source.rows())
    assert [line for line, _ in rows] == list(range(1, len(rows) + 1))
    assert {"CCN1C=NC2=C1N=CN=C2N", "CC(CN)O"} <= {smiles for _, smiles in rows}


def test_missing_tables_say_what_to_install(monkeypatch):
    monkeypatch.setattr(sources.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"pip install 'softdraw\[molecules\]'"):
        open_source("chemicals")


def test_qm9_is_read_from_its_archive(tmp_path, monkeypatch):
    """The archive is a made one of the published layout; the real one is 86 MB behind a network."""
    path = tmp_path / "dsgdb9nsd.xyz.tar.bz2"
    members = {
        "dsgdb9nsd_000001.xyz": METHANE,
        "dsgdb9nsd_000002.xyz": METHANE.replace("C\tC\t\n", "CC(=O)[O-]\tCC([O])=O\t\n"),
        "dsgdb9nsd_000003.xyz": "",
        "dsgdb9nsd_000004.xyz": METHANE.replace("\nC\tC\t", "\n"),
    }
    with tarfile.open(path, "w:bz2") as archive:
        for name, text in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    asked = {}

    def retrieve(url, **options):
        asked.update(options, url=url)
        return str(path)

    monkeypatch.setattr("pooch.retrieve", retrieve)
    assert list(open_source("qm9").rows()) == [(1, "C"), (2, "CC(=O)[O-]"), (3, ""), (4, "")]
    assert asked["url"] == QM9_URL
    assert asked["known_hash"] == f"sha256:{QM9_SHA256}"
    data = load("qm9", cache=None)
    assert data.graphs.smiles == ["C", "CC(=O)[O-]"]
    assert data.dropped["no SMILES"].count == 2


def test_without_a_network_the_message_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("SOFTDRAW_CACHE", str(tmp_path))

    def unreachable(*_, **__):
        raise ConnectionError("no route to host")

    monkeypatch.setattr("requests.Session.send", unreachable)
    with pytest.raises(DataError, match=r"qm9: cannot download https://\S+ \(ConnectionError\).*--data FILE"):
        load("qm9", cache=None)


def test_another_file_than_the_published_one_is_refused(tmp_path, monkeypatch):
    """Whatever the address gives is checked against the checksum before it is read."""
    monkeypatch.setenv("SOFTDRAW_CACHE", str(tmp_path))

    def forged(self, url, output_file, pooch, **_):
        with open(output_file, "wb") as file:
            file.write(b"something else")

    monkeypatch.setattr("pooch.HTTPDownloader.__call__", forged)
    with pytest.raises(DataError, match="another checksum; nothing was kept"):
        load("qm9", cache=None)
    assert list(tmp_path.iterdir()) == []
