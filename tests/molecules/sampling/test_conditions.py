import pytest
from rdkit import Chem

import softdraw as sd
from softdraw.molecules import MoleculeGenerator
from softdraw.molecules.chemistry.patterns import read_patterns
from softdraw.molecules.errors import DataError, MoleculeError
from softdraw.molecules.runtime.remarks import MoleculeWarning
from softdraw.molecules.sampling import drawing
from softdraw.molecules.sampling.conditions import Conditions

from ..small import MOLECULES, SIZES


@pytest.fixture(scope="module")
def generator():
    return MoleculeGenerator(**SIZES).fit(MOLECULES, steps=40)


@pytest.fixture
def smarts(tmp_path):
    def write(name, *lines):
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines))
        return tmp_path / name

    return write


def holds(smiles, pattern):
    return Chem.MolFromSmiles(smiles).HasSubstructMatch(Chem.MolFromSmarts(pattern))


def test_what_passes_is_what_passes_of_the_same_draw(generator, smarts):
    """Nothing else is drawn than without conditions: some of it is left out."""
    forbid, require = smarts("triple.smarts", "C#[C,N] triple"), smarts("oxygen.smarts", "[#8]")
    free = generator.sample(3000, key=sd.Key(5))
    kept = generator.sample(150, key=sd.Key(5), forbid=forbid, require=[require])
    passing = [one for one in free if not holds(one, "C#[C,N]") and holds(one, "[#8]")]
    assert kept == passing[:150]
    assert generator.sample(40, key=sd.Key(5), forbid=[forbid], require=require) == kept[:40]


def test_what_is_left_out_is_counted_by_source(generator, smarts):
    forbid = [smarts("triple.smarts", "C#[C,N]"), smarts("nitrogen.smarts", "[#7]")]
    require = smarts("oxygen.smarts", "[#8]")
    kept = generator.sample(150, key=sd.Key(5), forbid=forbid, require=require)
    summary = generator.sample_summary
    free = generator.sample(summary["drawn"], key=sd.Key(5))
    assert free[-1] == kept[-1]
    triple = sum(holds(one, "C#[C,N]") for one in free)
    nitrogen = sum(holds(one, "[#7]") and not holds(one, "C#[C,N]") for one in free)
    counts = {"triple.smarts": triple, "nitrogen.smarts": nitrogen}
    assert {name.rpartition("/")[2]: n for name, n in summary["forbidden"].items()} == counts
    assert summary["passed"] == 150
    assert summary["drawn"] == 150 + triple + nitrogen + summary["lacking"][str(require)]
    assert min(triple, nitrogen, *summary["lacking"].values()) > 0


def test_every_required_pattern_is_required(generator, smarts):
    both = smarts("both.smarts", "[#8]", "[#7]")
    kept = generator.sample(30, key=sd.Key(5), require=both)
    assert all(holds(one, "[#8]") and holds(one, "[#7]") for one in kept)
    assert generator.sample(30, key=sd.Key(5), require=read_patterns(both)) == kept


def test_what_is_no_molecule_is_held_to_nothing(generator, smarts):
    """The lines of a draw without the mask say how often the network is right; a condition leaves that."""
    free = generator.sample(400, key=sd.Key(5), mask=False)
    nitrogen = smarts("nitrogen.smarts", "[#7]")
    kept = generator.sample(100, key=sd.Key(5), mask=False, forbid=nitrogen)
    assert kept == [one for one in free if not one or not holds(one, "[#7]")][:100]
    assert "" in kept


def test_where_nearly_nothing_passes_it_ends(generator, smarts, monkeypatch):
    for name, value in (("MOST_DRAWN", 1200), ("MOST_TIMES", 3)):
        monkeypatch.setattr(drawing, name, value)
    with pytest.raises(MoleculeError, match="nothing that is drawn passes them: drawn 1,200, left out"):
        generator.sample(10, key=sd.Key(5), require=smarts("none.smarts", "[U]"))
    most = smarts("most.smarts", "[#6,#7]")
    few = [one for one in generator.sample(1200, key=sd.Key(5)) if not holds(one, "[#6,#7]")]
    assert 0 < len(few) < 200
    with pytest.warns(MoleculeWarning, match=rf"only {len(few)} of 200 molecules: \d") as caught:
        assert generator.sample(200, key=sd.Key(5), forbid=most) == few
    assert f"{100 * len(few) / 1200:.2g} % of what is drawn passes: drawn 1,200" in str(caught[0].message)


def test_conditions_that_cannot_be_read_are_named(generator, smarts):
    with pytest.raises(DataError, match=r"line 2: 'C\(' is no SMARTS"):
        generator.sample(1, forbid=smarts("bad.smarts", "C", "C("))
    with pytest.raises(DataError, match="no such file, expected a file of SMARTS or one of"):
        generator.sample(1, require="nowhere")
    for wrong in (3, [3], None):
        with pytest.raises(TypeError, match=r"forbid: got .*, expected a file of SMARTS"):
            generator.sample(1, forbid=wrong)


def test_ranks_need_a_key_and_no_processes_beside(generator):
    for wrong in ({"devices": 2, "key": sd.Key(0)}, {"key": None}):
        with pytest.raises(ValueError, match=r"group: got one, key=.*, expected a key and devices=1"):
            generator.sample(1, group=object(), **wrong)
    with pytest.raises(ValueError, match="devices: got 0"):
        generator.sample(1, devices=0)


def test_what_comes_twice_is_looked_at_once(monkeypatch):
    looked = []
    conditions = Conditions.of(forbid="pains")
    pattern = conditions.forbid[0]
    monkeypatch.setattr(pattern, "matches", lambda mol: looked.append(mol))
    assert conditions.faults(["CCO", "CCO", "", "CC"]) == [None] * 4
    assert len(looked) == 2
    assert conditions


def test_without_conditions_no_molecule_is_read(monkeypatch):
    monkeypatch.setattr("softdraw.molecules.sampling.conditions.parse_smiles", None)
    assert not Conditions()
    assert Conditions().faults(["CCO", "", "CC"]) == [None] * 3
