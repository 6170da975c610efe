import itertools

import pytest
from rdkit import Chem, rdBase

from softdraw.molecules.chemistry.codec import read_molecule
from softdraw.molecules.data import filters
from softdraw.molecules.data.filters import REASONS, MoleculeFilter, Rules, Usable
from softdraw.molecules.data.sources import open_source
from softdraw.molecules.errors import OptionError

from ..drugs import DRUGS

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
    ("C*", ANY, "dummy atom"),
    ("*c1ccccc1", EMBEDDED, "dummy atom"),
    ("[Na]*", EMBEDDED, "dummy atom"),
    ("[H]O[H]", ANY, None),
    ("[2H]C", ANY, "isotope"),
    ("[2H]OC", EMBEDDED, "isotope"),
    ("[13CH4]", ANY, "isotope"),
    (r"[H]/N=C(\C)c1ccccc1", ANY, None),
    (r"[H]/N=C(\C)F", EMBEDDED, None),
    ("C[H+]C", ANY, "unusual hydrogen"),
    ("[CH3]", ANY, "radical"),
    ("C[O]", EMBEDDED, "radical"),
    ("C[N+](=O)[O-]", EMBEDDED, "charged atom"),
    ("C[N+](=O)[O-]", ANY, None),
    ("CO->[Fe]", ANY, "unusual bond"),
    ("C.C", ANY, "several fragments"),
    ("[Na+].[Cl-]", ANY, "several fragments"),
    ("[Cl-].CCN.[H+]", ANY, "several fragments"),
    ("[Cl].CCN", ANY, "several fragments"),
    ("[Na+].[Cl-]", EMBEDDED, "several fragments"),
    (f"{'C' * 40}.Cl", ANY, "several fragments"),
    ("C1.C1", ANY, None),
    ("[Cl][O]", EMBEDDED, "other element"),
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
        assert isinstance(found, Usable)
        assert not set(found.record[0]) & set("@:/\\")
        assert "[H]" not in found.record[0]
    else:
        assert found == reason


def test_every_reason_that_one_molecule_gives_is_shown_above():
    assert {reason for _, _, reason in CASES if reason} == set(REASONS) - {"stereoisomer", "duplicate"}


def test_the_first_reason_in_order_counts_whichever_atom_gives_it():
    """Every pair of reasons, in both orders of the atoms that give them."""
    fragments = {
        "isotope": "[13CH2]",
        "other element": "S",
        "radical": "[CH]",
        "charged atom": "[NH2+]",
    }
    order = [reason for reason in REASONS if reason in fragments]
    assert len(order) == len(fragments)
    for first, second in itertools.permutations(order, 2):
        found = MoleculeFilter(EMBEDDED)(f"C{fragments[first]}{fragments[second]}C")
        assert found == min(first, second, key=order.index)


@pytest.mark.parametrize(
    ("smiles", "flat", "isomeric"),
    [
        ("OCC", "CCO", "CCO"),
        ("C[C@H](N)F", "CC(N)F", "C[C@H](N)F"),
        ("[CH3:1][C@H:2](N)F", "CC(N)F", "C[C@H](N)F"),
        ("C[C@H](C)F", "CC(C)F", "CC(C)F"),
        ("F/C=C/F", "FC=CF", "F/C=C/F"),
        (r"[H]/N=C(\C)F", "CC(=N)F", r"[H]/N=C(\C)F"),
    ],
)
def test_stereo_is_kept_beside_the_record(smiles, flat, isomeric):
    found = MoleculeFilter(ANY)(smiles)
    assert (found.record[0], found.isomeric) == (flat, isomeric)


@pytest.mark.parametrize("spelled", [{"doRandom": True}, {"allHsExplicit": True}, {"kekuleSmiles": True}])
def test_however_a_molecule_is_written_its_record_is_that_of_the_whole_reading(spelled):
    """What needs no more than sanitisation is read in fewer steps: it must come to the same."""
    check = MoleculeFilter(Rules.of(None, 60, charges=True))
    for smiles in DRUGS.values():
        mol = Chem.MolFromSmiles(smiles)
        written = Chem.MolToSmiles(mol, **spelled)
        assert check(written).record == read_molecule(Chem.MolFromSmiles(written))


@pytest.mark.parametrize(
    ("smiles", "kept"),
    [
        ("[Na+].CC(=O)[O-]", "CC(=O)[O-]"),
        ("CCO.CCCN.O", "CCCN"),
        ("CCCO.CCCS", "CCCS"),
        ("CCCN.CCNC", "CCCN"),
        ("CCNC.CCCN", "CCCN"),
        (f"{'C' * 40}.Cl", "C" * 40),
        ("C1.C1", "CC"),
        ("CC.C[C@H](N)F", "CC(N)F"),
        ("[2H]O[2H].CC", "CC"),
    ],
)
def test_of_several_fragments_the_largest_may_be_kept(smiles, kept):
    found = MoleculeFilter(Rules.of(None, 40, charges=True, fragments="largest"))(smiles)
    assert found.record[0] == kept
    assert found.parted == (smiles != "C1.C1")
    assert ("@" in found.isomeric) == ("@" in smiles)


@pytest.mark.parametrize(
    ("smiles", "reason"),
    [
        (f"{'C' * 41}.Cl", "too many atoms"),
        ("[Cl].C[CH2]", "radical"),
        ("CC.C1C", "unreadable"),
        ("[H+].[H+]", "no heavy atom"),
    ],
)
def test_the_largest_fragment_is_judged_as_any_molecule(smiles, reason):
    assert MoleculeFilter(Rules.of(None, 40, charges=True, fragments="largest"))(smiles) == reason


def test_an_unknown_way_with_fragments_is_refused():
    with pytest.raises(OptionError, match="fragments: got 'keep', expected drop or largest"):
        Rules.of(None, 9, charges=True, fragments="keep")


@pytest.mark.parametrize(
    ("elements", "numbers"),
    [(None, None), (["C", "Cl"], (6, 17)), ("O, c N", (6, 7, 8)), (("br", "C", "C"), (6, 35))],
)
def test_elements_may_be_written_in_several_ways(elements, numbers):
    assert Rules.of(elements, 9, charges=True).elements == numbers


@pytest.mark.parametrize("elements", ["", [], ["Xx"], ["H"], ["C", ""], "CNO", ["*"]])
def test_what_is_no_element_is_refused(elements):
    with pytest.raises(OptionError, match="elements: got"):
        Rules.of(elements, 9, charges=True)


@pytest.mark.parametrize(("name", "value"), [("elements", 6), ("max_atoms", "9"), ("max_atoms", 2.5)])
def test_what_has_the_wrong_type_is_a_type_error(name, value):
    with pytest.raises(TypeError, match=f"{name}: got {value!r}, expected"):
        Rules.of(**{"elements": None, "max_atoms": 9, name: value}, charges=True)


@pytest.mark.parametrize("max_atoms", [0, -1, 256])
def test_a_size_out_of_range_is_refused(max_atoms):
    with pytest.raises(OptionError, match=f"max_atoms: got {max_atoms}, expected 1 to 255"):
        Rules.of(None, max_atoms, charges=True)


@pytest.mark.parametrize(
    ("smiles", "sure"),
    [
        ("CCO", True),
        ("c1ccccc1-c1ccncc1", True),
        ("Cc1c[nH]cn1", True),
        ("CS(=O)(=O)c1ccc(Cl)s1", True),
        ("O=C1CCC(=O)N1", True),
        ("OP(O)(=O)OC1CCCO1", True),
        ("c1ccc2ccccc2c1", False),  # rings share a bond
        ("C1CCC2(CC1)OCCO2", False),  # or an atom
        ("C[N+](C)(C)C", False),
        ("[O-][n+]1ccccc1", False),
        ("[SiH4]", False),
    ],
)
def test_what_is_told_by_its_graph(smiles, sure):
    mol = Chem.MolFromSmiles(smiles)
    assert filters._is_told_by_its_graph(mol, Chem.MolToSmiles(mol)) is sure


def test_what_is_told_by_its_graph_decodes_to_itself(monkeypatch):
    """The argument, tried: rings with what hangs from them, drugs, a seventh of the compounds at hand."""
    rings = ["C1=CC=CC=C1", "C1=CC=NC=C1", "C1=CSC=C1", "O=C1C=CC(=O)C=C1", "C1=CC=CC=CC=C1", "C1=CNC=C1"]
    parts = ["", "C=C", "C#N", "C(=O)O", "N=O", "OP(=O)(O)O", "S(=O)(=O)N", "C1=COC=C1", "C1=CNC(=O)N1"]
    odd = [ring + part for ring, part in itertools.product([*rings, "O=C1C=CC=CN1"], parts)]
    compounds = [smiles for _, smiles in open_source("chemicals").rows()]
    tried = []

    def spy(mol, smiles):
        tried.append(sure(mol, smiles))
        return False

    sure = filters._is_told_by_its_graph
    monkeypatch.setattr(filters, "_is_told_by_its_graph", spy)
    check, certain = MoleculeFilter(Rules.of(None, 60, charges=True)), 0
    with rdBase.BlockLogs():
        for smiles in [*odd, *DRUGS, *compounds[::7]]:
            tried.clear()
            found = check(smiles)
            if tried and tried[0]:
                certain += 1
                assert isinstance(found, Usable), smiles
    assert certain > 1_000
