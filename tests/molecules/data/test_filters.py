import pytest

from softdraw.molecules.data.filters import REASONS, MoleculeFilter, Rules
from softdraw.molecules.errors import DataError

ANY = Rules(elements=None, max_atoms=40, charges=True)
EMBEDDED = Rules.of(list("CNOF"), 12, charges=False)

CASES = [
    ("", ANY, "no SMILES"),
    (None, ANY, "unreadable"),
    ("C1CC", ANY, "unreadable"),
    ("c1cccc1", ANY, "unreadable"),
    ("C(C)(C)(C)(C)C", ANY, "unreadable"),
    ("[HH]", ANY, "no heavy atom"),
    ("[H+]", ANY, "no heavy atom"),
    ("C" * 41, ANY, "too many atoms"),
    ("C" * 13, EMBEDDED, "too many atoms"),
    ("CS", EMBEDDED, "other element"),
    ("C*", ANY, "other element"),
    ("[H]O[H]", ANY, None),
    ("[2H]C", ANY, "other element"),
    ("[13CH4]", ANY, "isotope"),
    ("[CH3]", ANY, "radical"),
    ("C[O]", EMBEDDED, "radical"),
    ("C[N+](=O)[O-]", EMBEDDED, "charged atom"),
    ("C[N+](=O)[O-]", ANY, None),
    ("CO->[Fe]", ANY, "unusual bond"),
    ("C.C", ANY, "several fragments"),
    ("[Na+].[Cl-]", ANY, "several fragments"),
    ("[PH5]", ANY, "does not decode to itself"),
    ("[SiH2]", ANY, "radical"),
    ("[FeH2]", ANY, "does not decode to itself"),
    ("C[C@H](N)C(=O)O", ANY, None),
    ("[CH3:1][OH:2]", ANY, None),
]


@pytest.mark.parametrize(("smiles", "rules", "reason"), CASES, ids=str)
def test_each_reason(smiles, rules, reason):
    found = MoleculeFilter(rules)(smiles)
    if reason is None:
        assert isinstance(found, tuple)
        assert "@" not in found[0]
        assert ":" not in found[0]
    else:
        assert found == reason


def test_every_reason_but_the_last_is_shown_above():
    assert {reason for _, _, reason in CASES if reason} == set(REASONS) - {"duplicate"}


@pytest.mark.parametrize(
    ("elements", "numbers"),
    [(None, None), (["C", "Cl"], (6, 17)), ("O, c N", (6, 7, 8)), (("br", "C", "C"), (6, 35))],
)
def test_elements_may_be_written_in_several_ways(elements, numbers):
    assert Rules.of(elements, 9, charges=True).elements == numbers


@pytest.mark.parametrize("elements", ["", [], ["Xx"], ["H"], ["C", ""], "CNO", ["*"]])
def test_what_is_no_element_is_refused(elements):
    with pytest.raises(DataError, match="elements: got"):
        Rules.of(elements, 9, charges=True)


@pytest.mark.parametrize("max_atoms", [0, -1, 256])
def test_a_size_out_of_range_is_refused(max_atoms):
    with pytest.raises(DataError, match=f"max_atoms: got {max_atoms}, expected 1 to 255"):
        Rules.of(None, max_atoms, charges=True)
