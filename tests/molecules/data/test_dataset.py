import pytest

from softdraw.molecules.chemistry.vocabulary import AtomType
from softdraw.molecules.data import dataset
from softdraw.molecules.data.dataset import Dropped, load
from softdraw.molecules.errors import DataError, OptionError


def test_the_embedded_set_is_what_its_documentation_says(embedded):
    """The count is that of chemicals 1.5.2; ``[HH]`` would be one more, but has no heavy atom."""
    assert len(embedded) == 14_296
    assert embedded.graphs.vocabulary.types == tuple(AtomType(s) for s in "CNOF")
    assert embedded.graphs.max_atoms == 12
    assert len(set(embedded.graphs.smiles)) == len(embedded)
    assert not any("." in smiles for smiles in embedded.graphs.smiles)
    assert embedded.read == len(embedded) + sum(entry.count for entry in embedded.dropped.values())
    assert embedded.dropped["duplicate"].count > 0
    assert "does not decode to itself" not in embedded.dropped


def test_options_narrow_the_embedded_set(embedded):
    small = load("chemicals", elements=["C", "O"], max_atoms=5)
    expected = [
        smiles
        for smiles, size in zip(embedded.graphs.smiles, embedded.graphs.sizes, strict=True)
        if size <= 5 and not set(smiles) & set("NnF")
    ]
    assert small.graphs.smiles == expected
    assert small.graphs.vocabulary.types == (AtomType("C"), AtomType("O"))


def test_what_is_dropped_is_counted_with_its_lines(tmp_path):
    file = tmp_path / "a.smi"
    file.write_text("CCO\nOCC\nC(\nC.C\n\n" + "bad(\n" * 7 + "C" * 41 + "\nC[N+](C)(C)C\n")
    data = load(file, cache=None)
    assert data.graphs.smiles == ["CCO", "C[N+](C)(C)C"]
    assert data.graphs.vocabulary.names == ("C", "N+", "O")
    assert data.read == 14
    assert data.dropped == {
        "no SMILES": Dropped(1, (5,)),
        "unreadable": Dropped(8, (3, 6, 7, 8, 9)),
        "too many atoms": Dropped(1, (13,)),
        "several fragments": Dropped(1, (4,)),
        "duplicate": Dropped(1, (2,)),
    }
    assert data.account().splitlines()[:3] == [
        f"{file}: 2 of 14 molecules are used",
        "  no SMILES: 1 (line 5)",
        "  unreadable: 8 (lines 3, 6, 7, 8, 9, ...)",
    ]


def test_a_file_with_nothing_usable_is_an_error_that_counts(tmp_path):
    file = tmp_path / "a.smi"
    file.write_text("C(\nC.C\nC1\n")
    with pytest.raises(DataError) as caught:
        load(file, cache=None)
    assert str(caught.value).splitlines() == [
        f"{file}: none of 3 molecules is usable",
        "  unreadable: 2 (lines 1, 3)",
        "  several fragments: 1 (line 2)",
    ]


def test_options_apply_to_files_and_lists(tmp_path):
    smiles = ["CCO", "CCCl", "CCCCCC", "C[NH3+]"]
    assert load(smiles, cache=None).graphs.smiles == smiles
    assert load(smiles, cache=None, max_atoms=3).graphs.smiles == ["CCO", "CCCl", "C[NH3+]"]
    assert load(smiles, cache=None, elements="C,O").graphs.smiles == ["CCO", "CCCCCC"]
    with pytest.raises(DataError, match="elements: got 'Zz'"):
        load(smiles, cache=None, elements=["Zz"])
    with pytest.raises(DataError, match="max_atoms: got 0"):
        load(smiles, cache=None, max_atoms=0)


def test_an_encoded_set_is_read_back_instead_of_made_again(tmp_path, monkeypatch):
    source = ["CCO", "CCN", "C(", "CCO"]
    made = load(source, cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == 1

    def never(*_):
        raise AssertionError("encoded again")

    monkeypatch.setattr(dataset, "_encode", never)
    again = load(source, cache=str(tmp_path))
    assert again.graphs.smiles == made.graphs.smiles
    assert (again.dropped, again.read, again.description) == (made.dropped, made.read, made.description)
    for other in ({"max_atoms": 5}, {"elements": ["C", "O", "N"]}):
        with pytest.raises(AssertionError, match="encoded again"):
            load(source, cache=tmp_path, **other)
    with pytest.raises(AssertionError, match="encoded again"):
        load([*source, "C"], cache=tmp_path)
    monkeypatch.setattr(dataset, "CODEC_VERSION", -1)
    with pytest.raises(AssertionError, match="encoded again"):
        load(source, cache=tmp_path)


@pytest.mark.parametrize("damage", [b"", b"not an archive", None])
def test_a_damaged_cache_is_made_again(tmp_path, damage):
    made = load(["CCO", "CCN"], cache=tmp_path)
    (entry,) = tmp_path.iterdir()
    whole = entry.read_bytes()
    entry.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    assert load(["CCO", "CCN"], cache=tmp_path).graphs.smiles == made.graphs.smiles
    assert load(["CCO", "CCN"], cache=tmp_path).graphs.smiles == made.graphs.smiles
    assert [file.name for file in tmp_path.iterdir()] == [entry.name]
    assert entry.stat().st_size == len(whole)


def test_a_cache_that_cannot_be_written_is_a_warning(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.warns(UserWarning, match="the encoded molecules are not cached"):
        assert len(load(["CCO"], cache=tmp_path / "file" / "folder")) == 1


def test_encoded_molecules_are_cached_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("SOFTDRAW_CACHE", str(tmp_path / "mine"))
    load(["CCO"])
    assert len(list((tmp_path / "mine").iterdir())) == 1


def test_stereo_is_dropped_and_counted(tmp_path):
    smiles = ["C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O", "C/C=C/C", "C/C=C\\C", "C/C=C/C", "CCO", "OCC", "CC=CC"]
    made = load(smiles, cache=tmp_path)
    for data in (made, load(smiles, cache=tmp_path)):
        assert data.graphs.smiles == ["CC(N)C(=O)O", "CC=CC", "CCO"]
        assert data.dropped == {"stereoisomer": Dropped(3, (2, 4, 8)), "duplicate": Dropped(2, (5, 7))}
        assert data.stereo == 5
        assert data.summary() == (
            "8 SMILES: 3 of 8 molecules are used; left out: 3 stereoisomer, 2 duplicate; "
            "5 had stereo marks, which are dropped: 3 became duplicates by that"
        )
        assert data.account().splitlines()[-1] == (
            "  5 had stereo marks, which are dropped: 3 became duplicates by that"
        )


def test_the_summary_is_one_line_and_holds_every_count(tmp_path):
    file = tmp_path / "a.smi"
    file.write_text("CCO\nOCC\nC(\nC.C\nC[C@H](F)Cl\n")
    assert load(file, cache=None).summary() == (
        f"{file}: 2 of 5 molecules are used; left out: 1 unreadable, 1 several fragments, 1 duplicate; "
        "1 had stereo marks, which are dropped"
    )
    file.write_text("CCO\n")
    assert load(file, cache=None).summary() == f"{file}: 1 of 1 molecules are used"


def test_the_largest_of_several_fragments_may_be_kept_which_is_counted(tmp_path):
    smiles = ["CC(=O)[O-].[Na+]", "CCO", "CC(=O)[O-].[K+]", "CCO.O", "C(", "O.C[C@H](N)F"]
    for _ in range(2):
        kept, left_out = (load(smiles, cache=tmp_path, fragments=way) for way in ("largest", None))
        assert kept.graphs.smiles == ["CC(=O)[O-]", "CCO", "CC(N)F"]
        assert (kept.parted, kept.stereo) == (4, 1)
        assert kept.dropped == {"unreadable": Dropped(1, (5,)), "duplicate": Dropped(2, (3, 4))}
        assert kept.summary() == (
            "6 SMILES: 3 of 6 molecules are used; left out: 1 unreadable, 2 duplicate; 4 had several "
            "fragments, of which the largest was kept; 1 had stereo marks, which are dropped"
        )
        assert kept.account().splitlines()[-2:] == [
            "  4 had several fragments, of which the largest was kept",
            "  1 had stereo marks, which are dropped",
        ]
        assert left_out.graphs.smiles == ["CCO"]
        assert left_out.dropped["several fragments"].count == 4
        assert left_out.parted == 0


def test_the_encoding_may_be_named(tmp_path):
    file = tmp_path / "a.csv"
    file.write_bytes("構造;smiles\nエタノール;CCO\n".encode("shift_jis"))
    data = load(file, cache=tmp_path / "cache", encoding="Shift-JIS")
    assert data.graphs.smiles == ["CCO"]
    assert data.reading == "SMILES in column 2 'smiles', separated by semicolons, read as shift_jis"
    assert load(file, cache=tmp_path / "cache", encoding="sjis").digest == data.digest
    with pytest.raises(
        DataError, match=r"a\.csv: is no text in the encoding ascii \(.*\); leave the encoding"
    ):
        load(file, cache=None, encoding="ascii")
    marked = tmp_path / "b.smi"
    marked.write_bytes(b"\xef\xbb\xbfCCO\n")
    assert load(marked, cache=None, encoding="UTF-8").graphs.smiles == ["CCO"]
    assert load(marked, cache=None, encoding="UTF-8").reading == ""


@pytest.mark.parametrize("encoding", ["nonsense", "rot13", "hex", "base64", "", "a\0b"])
def test_what_is_no_encoding_of_text_is_refused(tmp_path, encoding):
    (tmp_path / "a.smi").write_text("CCO\n")
    with pytest.raises(OptionError, match=r"encoding: got .*, expected the name of an encoding of text"):
        load(tmp_path / "a.smi", cache=None, encoding=encoding)


def test_what_is_no_file_has_no_encoding():
    for source, what in ((["CCO"], "a list"), ("chemicals", "'chemicals'")):
        with pytest.raises(OptionError, match=f"got 'utf-8', expected None for {what}, which is"):
            load(source, cache=None, encoding="utf-8")


def test_the_column_of_smiles_is_part_of_the_data(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("smiles,product\nCCO,CC=O\nCCCO,CCC=O\n")
    for _ in range(2):
        first, second = load(file, cache=tmp_path), load(file, cache=tmp_path, smiles_column="product")
        assert first.graphs.smiles == ["CCO", "CCCO"]
        assert second.graphs.smiles == ["CC=O", "CCC=O"]
        assert second.reading == "SMILES in column 2 'product', separated by commas"
        assert f"{file} ({second.reading}): 2 of 2" in second.summary()
        assert load(file, cache=tmp_path, smiles_column=2).graphs.smiles == second.graphs.smiles


@pytest.mark.parametrize("line", ["ethanol~CCO", "1&CCO&x", "just some words of prose"])
def test_where_nothing_is_readable_the_first_line_is_shown(tmp_path, line):
    file = tmp_path / "a.smi"
    file.write_text(f"# made by hand\n{line}\n")
    with pytest.raises(DataError) as caught:
        load(file, cache=None)
    heading, count, advice = str(caught.value).splitlines()
    assert heading == f"{file}: none of 1 molecules is usable"
    assert count == "  unreadable: 1 (line 2)"
    assert f"the first line is {line!r}, of which {line.split()[0]!r} was read as SMILES" in advice
    assert "--smiles-column" in advice
