import random

import pytest
from rdkit import Chem, rdBase
from rdkit.Chem.FilterCatalog import FilterCatalog, FilterCatalogParams

from softdraw.molecules.chemistry import patterns
from softdraw.molecules.chemistry.patterns import PATTERN_SETS, read_patterns
from softdraw.molecules.errors import DataError

from ..drugs import DRUGS

MOLECULES = [Chem.MolFromSmiles(smiles) for smiles in DRUGS.values()]


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def test_lines_are_smarts_with_a_name_if_they_have_one(tmp_path):
    text = "# comment\n\n[#6]#N\tcyano group\n  c1ccccc1   ring\r\n[N+](=O)[O-]\n"
    found = read_patterns(write(tmp_path / "bad.smarts", text))
    assert found.names == ("cyano group", "ring", "[N+](=O)[O-]")
    mol = Chem.MolFromSmiles("N#Cc1ccc([N+](=O)[O-])cc1")
    assert found.matches(mol) == "cyano group"
    assert found.all_matches(mol) == ["cyano group", "ring", "[N+](=O)[O-]"]
    assert found.matches(Chem.MolFromSmiles("CCO")) is None
    assert found.all_matches(Chem.MolFromSmiles("CCO")) == []
    assert found.source == str(tmp_path / "bad.smarts")


def test_hydrogens_of_a_pattern_are_counts(tmp_path):
    found = read_patterns(write(tmp_path / "a.smarts", "[H]O[#6] alcohol\n[#6][N]([H])[H] amine\n"))
    for smiles, name in {"CCO": "alcohol", "CN": "amine", "COC": None, "CNC": None}.items():
        assert found.matches(Chem.MolFromSmiles(smiles)) == name
        assert found.matches(Chem.AddHs(Chem.MolFromSmiles(smiles))) == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("CCO\n# fine\nC( open\n", r"line 3: 'C\(' is no SMARTS"),
        ("names,smarts\n", "line 1: 'names,smarts' is no SMARTS"),
        ("# only this\n\n", "holds no pattern, expected a SMARTS on each line"),
        ("", "holds no pattern"),
    ],
)
def test_what_is_no_pattern_is_refused_by_its_line(tmp_path, text, message):
    file = write(tmp_path / "a.smarts", text)
    with pytest.raises(DataError, match=message) as caught:
        read_patterns(file)
    assert str(caught.value).startswith(f"{file}: ")


def test_a_file_that_is_none_is_refused(tmp_path):
    with pytest.raises(
        DataError, match=r"pain: no such file, expected a file of SMARTS or one of moses, all, "
    ):
        read_patterns("pain")
    with pytest.raises(DataError, match="cannot be read"):
        read_patterns(tmp_path)
    with pytest.raises(DataError, match="not a text file"):
        read_patterns(write(tmp_path / "a.smarts", "CCO\xff\n", "latin-1"))


@pytest.mark.parametrize("name", [name for name in PATTERN_SETS if name != "moses"])
def test_a_set_of_rdkit_is_its_catalogue(name):
    params = FilterCatalogParams()
    params.AddCatalog(
        next(one for word, one in FilterCatalogParams.FilterCatalogs.names.items() if word.lower() == name)
    )
    catalogue = FilterCatalog(params)
    found = read_patterns(name.upper())
    assert len(found.names) == catalogue.GetNumEntries()
    for mol in MOLECULES[::4]:
        theirs = [entry.GetDescription() for entry in catalogue.GetMatches(mol)]
        assert found.all_matches(mol) == theirs
        assert found.matches(mol) == (theirs[0] if theirs else None)


@pytest.mark.parametrize(
    ("smiles", "name"),
    [
        ("C1CCCCCCC1", "ring of 8 or more"),
        ("C1CC2CCCCC2CC1", None),
        ("C[N+](C)(C)C", "charge"),
        ("CC[Si](C)(C)C", "other element"),
        ("CCI", "other element"),
        ("CC=O", "MCF7"),
        ("O=C1C=CC(=O)C=C1", "PAINS quinone_A(370)"),
        ("CC(C)(C)C(=O)C(Oc1ccc(Cl)cc1)n1ccnc1", None),
        ("FC(F)(F)C(F)(F)C(F)F", "MCF22"),
    ],
)
def test_the_filters_of_moses(smiles, name):
    assert read_patterns("moses").matches(Chem.MolFromSmiles(smiles)) == name


def test_the_screen_of_many_patterns_hides_none():
    """The fingerprint leaves out only what would not match."""
    known = read_patterns("moses")
    with rdBase.BlockLogs():
        queries = [Chem.MergeQueryHs(Chem.MolFromSmarts(line.split("\t")[0])) for line in smarts_of_moses()]
    found = 0
    for mol in MOLECULES:
        unscreened = [n for n, q in zip(known.names, queries, strict=True) if mol.HasSubstructMatch(q)]
        assert known.all_matches(mol) == unscreened
        found += len(unscreened)
    assert found > 40


def smarts_of_moses():
    lines = patterns._MOSES.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_any_parts_of_molecules_pass_the_screen(tmp_path):
    """Patterns of a user: environments cut out of molecules match these again, screened or not."""
    rng = random.Random(0)
    cut = set()
    for mol in MOLECULES:
        if mol.GetNumBonds() > 4:
            start = rng.randrange(mol.GetNumAtoms())
            bonds = Chem.FindAtomEnvironmentOfRadiusN(mol, 2, start)
            if bonds:
                cut.add(Chem.MolToSmarts(Chem.PathToSubmol(mol, bonds)))
    listed = sorted(cut)
    assert len(listed) > patterns._SCREENED
    screened = read_patterns(write(tmp_path / "many.smarts", "\n".join(listed)))
    queries = [Chem.MolFromSmarts(smarts) for smarts in listed]
    for mol in MOLECULES:
        expected = [s for s, query in zip(listed, queries, strict=True) if mol.HasSubstructMatch(query)]
        assert screened.all_matches(mol) == expected
