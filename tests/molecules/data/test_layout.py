"""Which column is taken for the SMILES, from what a file looks like."""

import pytest

from softdraw.molecules.data.files import read_rows, reading_of
from softdraw.molecules.data.layout import ColumnError
from softdraw.molecules.errors import DataError

SMILES = ["CCO", "c1ccccc1", "C[N+](C)(C)C", "CC(=O)O"]
NAMES = ["ethanol", "benzene", "a quaternary, charged", "acetic acid"]
WORDS = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "bars"}


def table(mark, *columns, heading=None):
    quoted = [[f'"{cell}"' if mark in cell else cell for cell in column] for column in columns]
    lines = [mark.join(row) for row in zip(*quoted, strict=True)]
    return "\n".join([*([heading] if heading else []), *lines, ""])


def taken(path, text, column=None):
    path.write_text(text)
    return [smiles for _, smiles in read_rows(path, column)], str(reading_of(path, column))


@pytest.mark.parametrize("mark", WORDS)
@pytest.mark.parametrize("suffix", [".smi", ".txt"])
class TestLists:
    """What is no list of SMILES in the first word, though its name says so."""

    def test_smiles_first(self, tmp_path, mark, suffix):
        found, reading = taken(tmp_path / f"a{suffix}", table(mark, SMILES, NAMES, list("1234")))
        assert found == SMILES
        # tabs are blanks too, and SMILES before a tab are the custom
        assert reading == ("" if mark == "\t" else f"SMILES in column 1, separated by {WORDS[mark]}")

    def test_name_first(self, tmp_path, mark, suffix):
        found, reading = taken(tmp_path / f"a{suffix}", table(mark, NAMES, SMILES, list("1234")))
        assert found == SMILES
        assert reading == f"SMILES in column 2, separated by {WORDS[mark]}"

    def test_a_heading(self, tmp_path, mark, suffix):
        text = table(mark, NAMES, SMILES, heading=mark.join(["id", "Canonical SMILES"]))
        found, reading = taken(tmp_path / f"a{suffix}", text)
        assert found == SMILES
        assert reading == f"SMILES in column 2 'Canonical SMILES', separated by {WORDS[mark]}"

    def test_by_number_and_by_name(self, tmp_path, mark, suffix):
        products = ["CC=O", "C", "CN", "CC"]
        text = table(mark, NAMES, SMILES, products, heading=mark.join(["id", "smiles", "Product"]))
        for column in (3, "3", "product", "Product"):
            assert taken(tmp_path / f"a{suffix}", text, column) == (
                products,
                f"SMILES in column 3 'Product', separated by {WORDS[mark]}",
            )


def test_name_first_with_blanks(tmp_path):
    text = "".join(f"{name} {smiles}\n" for name, smiles in zip(NAMES, SMILES, strict=True))
    found, reading = taken(tmp_path / "a.smi", text)
    assert found == SMILES
    assert reading == "SMILES in the last column, separated by blanks"


@pytest.mark.parametrize("quote", ["'", '"'])
@pytest.mark.parametrize("mark", [" ", "\t", ",", ";"])
def test_quotes(tmp_path, quote, mark):
    text = "".join(f"{quote}{smiles}{quote}{mark}{quote}x{quote}\n" for smiles in SMILES)
    assert taken(tmp_path / "a.smi", text)[0] == SMILES


def test_a_list_keeps_its_custom(tmp_path):
    """The first word is the SMILES even where most are invalid and the second column reads better."""
    drawn = ["CCO", "C1CC", "C(", "CC)"] * 25
    text = "".join(f"{smiles} CCC\n" for smiles in drawn)
    assert taken(tmp_path / "a.smi", text) == (drawn, "")
    assert taken(tmp_path / "a.smi", "CCO\n\nC1CC\n\n") == (["CCO", "", "C1CC", ""], "")
    assert taken(tmp_path / "a.smi", "\n\n") == (["", ""], "")
    assert taken(tmp_path / "a.smi", "CCO my-smiles-1\nC b\n") == (["CCO", "C"], "")
    extended = "C[C@H](F)Cl |o1:1| name, or so\nCCO |$;;a,b$|\n"
    assert taken(tmp_path / "a.smi", extended) == (["C[C@H](F)Cl", "CCO"], "extensions in |...| dropped")


def test_a_table_without_heading(tmp_path):
    found, reading = taken(tmp_path / "a.csv", table(",", NAMES, SMILES))
    assert found == SMILES
    assert reading == "SMILES in column 2, separated by commas"
    assert taken(tmp_path / "a.tsv", "\n".join(SMILES)) == (SMILES, "SMILES in column 1")


@pytest.mark.parametrize("mark", WORDS)
def test_a_table_says_which_column_was_taken(tmp_path, mark):
    for heading, column in (
        (["id", "SMILES"], 2),
        (["iso_smiles", "smiles"], 2),
        (["smiles_a", "smiles_b"], 1),
    ):
        cells = [["x"] * 4, SMILES] if column == 2 else [SMILES, ["x"] * 4]
        found, reading = taken(tmp_path / "a.csv", table(mark, *cells, heading=mark.join(heading)))
        assert found == SMILES
        assert reading == f"SMILES in column {column} {heading[column - 1]!r}, separated by {WORDS[mark]}"
    assert taken(tmp_path / "a.csv", "smiles\nCCO\n") == (["CCO"], "")


@pytest.mark.parametrize("before", ["sep=;\n", '"sep=;"\n', "# made by hand\n\n# on a Monday\n", "#\n"])
@pytest.mark.parametrize("heading", ["id;smiles", "id;structure"])
def test_what_stands_before_a_table(tmp_path, before, heading):
    (tmp_path / "a.csv").write_text(f"{before}{heading}\n1;CCO\n2;CC\n")
    first = before.count("\n") + 2
    assert list(read_rows(tmp_path / "a.csv", 2)) == [(first, "CCO"), (first + 1, "CC")]
    assert str(reading_of(tmp_path / "a.csv", 2)) == (
        f"SMILES in column 2 {heading[3:]!r}, separated by semicolons"
    )
    assert taken(tmp_path / "a.csv", "#id;smiles\n1;CCO\n")[0] == ["CCO"]
    assert taken(tmp_path / "a.csv", "#id;structure\n1;CCO\n", "structure")[0] == ["CCO"]


def test_a_table_whose_headings_do_not_say_it_names_the_column_that_reads_so(tmp_path):
    file = tmp_path / "a.csv"
    text = table(",", ["1", "2", "3", "4"], SMILES, heading="id,structure")
    with pytest.raises(
        DataError, match=r"no column of SMILES among the headings 'id,structure'; column 2 reads"
    ):
        taken(file, text)
    for column in ("structure", "STRUCTURE", 2, "2"):
        assert taken(file, text, column) == (SMILES, "SMILES in column 2 'structure', separated by commas")


def test_a_heading_that_is_a_number_is_a_heading(tmp_path):
    text = "2,1\nCCO,x\nCC,y\n"
    assert taken(tmp_path / "a.csv", text, "2")[0] == ["CCO", "CC"]
    assert taken(tmp_path / "a.csv", text, 1)[0] == ["CCO", "CC"]


def test_a_number_without_a_heading_loses_no_line(tmp_path):
    assert taken(tmp_path / "a.csv", "1,CCO\n2,CC\n", 2) == (
        ["CCO", "CC"],
        "SMILES in column 2, separated by commas",
    )
    assert taken(tmp_path / "a.smi", "1,broken(\n2,CC\n", 2)[0] == ["broken(", "CC"]


@pytest.mark.parametrize("column", ["structure", 0, 3, -1, "", "0"])
def test_a_column_that_is_not_there(tmp_path, column):
    for name in ("a.csv", "a.smi"):
        with pytest.raises(
            ColumnError, match=rf"{name}: smiles_column: got {column!r}, expected .* 'id,smiles'"
        ):
            taken(tmp_path / name, "id,smiles\n1,CCO\n", column)


@pytest.mark.parametrize("column", [1.5, True, ["smiles"]])
def test_a_column_of_the_wrong_type(tmp_path, column):
    with pytest.raises(TypeError, match="smiles_column: got"):
        taken(tmp_path / "a.csv", "id,smiles\n1,CCO\n", column)
