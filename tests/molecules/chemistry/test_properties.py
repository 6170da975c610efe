import re
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from rdkit import Chem
from rdkit.Chem import Crippen, Descriptors

from softdraw.cli import options
from softdraw.molecules.chemistry.properties import (
    PROPERTIES,
    Property,
    described_property,
    evaluate,
    evaluation,
    property_function,
    property_of,
)
from softdraw.molecules.errors import TargetError

from ..drugs import DRUGS


def test_properties_are_those_of_rdkit():
    for smiles in DRUGS.values():
        mol = Chem.MolFromSmiles(smiles)
        assert property_function("logp")(mol) == Crippen.MolLogP(mol)
        assert property_function("mw")(mol) == Descriptors.MolWt(mol)
        assert property_function("tpsa")(mol) == Descriptors.TPSA(mol)
        assert property_function("qed")(mol) == Descriptors.qed(mol)
        assert property_function("heteroatoms")(mol) == Descriptors.NumHeteroatoms(mol)
        assert property_function("heavy_atoms")(mol) == Descriptors.HeavyAtomCount(mol)


def test_synthetic_accessibility_orders_easy_before_hard():
    easy, hard = evaluate("sa", [DRUGS["aspirin"], DRUGS["morphine"]])
    assert 1 <= easy < hard <= 10


@pytest.mark.parametrize("name", PROPERTIES)
def test_evaluate_is_one_call_a_molecule_and_nan_where_there_is_none(name):
    smiles = ["CCO", "", "C1CC", "c1ccccc1O", "CCO"]
    values = evaluate(name, smiles)
    assert values.dtype == np.float64
    compute = property_function(name)
    expected = [compute(Chem.MolFromSmiles(s)) if s in ("CCO", "c1ccccc1O") else np.nan for s in smiles]
    np.testing.assert_array_equal(values, expected)
    assert evaluate(name, []).shape == (0,)


def test_a_function_of_the_working_folder_is_found(tmp_path, monkeypatch):
    (tmp_path / "my_own_property.py").write_text(
        textwrap.dedent("""
        CALLS = []
        class Model:
            @staticmethod
            def rings(mol):
                CALLS.append(mol)
                return mol.GetRingInfo().NumRings()
        def text(mol):
            return "high"
        def failing(mol):
            raise KeyError("no model")
        number = 3
        from softdraw.molecules import Property
        described = Property("n", "rings", "per molecule", 0, Model.rings, spread=2)
        """)
    )
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    try:
        assert evaluate("my_own_property:Model.rings", ["C1CC1", "CC", "C1CC1"]).tolist() == [1, 0, 1]
        assert len(sys.modules["my_own_property"].CALLS) == 2  # what comes twice is computed once
        assert evaluation("my_own_property:text", ["CC"]).reason.startswith("CC: ValueError")
        assert evaluation("my_own_property:failing", ["CC"]).reason == "CC: KeyError: 'no model'"
        assert property_of("my_own_property:described").title == "rings, per molecule"
        assert property_of("my_own_property:described").name == "my_own_property:described"
        assert property_of("my_own_property:described").spread == 2.0
        with pytest.raises(TargetError, match="got int, expected a function"):
            property_function("my_own_property:number")
        with pytest.raises(TargetError, match=r"my_own_property.py\) has no absent"):
            property_function("my_own_property:absent")
    finally:
        sys.modules.pop("my_own_property", None)
    assert sys.path == before


@pytest.mark.parametrize("name", ["", "weight", ":f", "module:", 3, None])
def test_an_unknown_property_lists_the_known_ones(name):
    with pytest.raises(
        TargetError, match=r"expected one of logp, qed, .*similarity:SMILES.* or module:function"
    ):
        property_function(name)


def test_a_module_that_cannot_be_imported_is_named(tmp_path, monkeypatch):
    with pytest.raises(TargetError, match="cannot import no_such_module"):
        property_function("no_such_module:f")
    (tmp_path / "broken_property.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TargetError, match=r"cannot import broken_property \(ZeroDivisionError"):
        property_function("broken_property:f")


@pytest.mark.parametrize("name", PROPERTIES)
def test_a_property_has_one_record_and_a_name_without_case(name):
    record = property_of(name.upper())
    assert record is PROPERTIES[name] is property_of(record)
    assert record.name == name
    assert record.label
    assert record.digits is not None
    assert described_property(name, {"label": "another"}) is record


@pytest.mark.parametrize("name", PROPERTIES)
def test_an_additive_property_is_the_sum_over_its_atoms(name):
    additive = PROPERTIES[name].additive
    if additive is None:
        assert name not in ("heteroatoms", "heavy_atoms")
        return
    for smiles in DRUGS.values():
        mol = Chem.MolFromSmiles(smiles)
        assert PROPERTIES[name](mol) == sum(additive(atom.GetSymbol()) for atom in mol.GetAtoms())


def test_a_function_is_a_property_named_after_its_module():
    def rings(mol):
        return mol.GetRingInfo().NumRings()

    record = property_of(rings)
    assert record.name == f"{__name__}:{rings.__qualname__}"
    assert record.label == "rings"
    assert property_of(lambda mol: 1.0).label == "lambda"
    assert record == property_of(rings)
    assert record.words() == {
        "label": "rings", "unit": "", "digits": None, "scale": "", "lowest": "", "highest": "",
    }  # fmt: skip
    again = described_property(record.name, record.words())
    assert (again.title, again.written(2.34567)) == ("rings", "2.35")
    with pytest.raises(TargetError, match="not how it is computed"):
        again(Chem.MolFromSmiles("C"))


@pytest.mark.parametrize(
    "arguments", [("x",), ("", "", "", 1, len), (3, "", "", 1, len), ("x", "", "", 1, 7)]
)
def test_a_record_without_a_name_or_a_function_is_refused(arguments):
    with pytest.raises(TypeError, match=r"(name|compute): got .*, expected"):
        Property(*arguments)


@pytest.mark.parametrize(("spread", "error"), [(0, ValueError), (float("inf"), ValueError), ("1", TypeError)])
def test_a_spread_is_a_positive_number(spread, error):
    with pytest.raises(error, match="spread"):
        Property("mine", compute=len, spread=spread)


def test_a_chemist_reads_which_way_a_goal_goes():
    assert PROPERTIES["sa"].goal_text("min") == "the easiest synthesis (lowest SA score)"
    assert PROPERTIES["sa"].goal_text("max") == "the hardest synthesis (highest SA score)"
    assert PROPERTIES["tpsa"].goal_text(60.0) == "a polar surface of 60 Å²"
    assert PROPERTIES["heavy_atoms"].goal_text(20) == "20 heavy atoms"


UNDEFINED = {
    "raises": lambda mol: 1 / 0,
    "NaN": lambda mol: float("nan"),
    "infinite": lambda mol: float("inf"),
    "beyond float32": lambda mol: -1e200,
    "a large int": lambda mol: 10**400,
    "text": lambda mol: "high",
    "nothing": lambda mol: None,
    "an array": lambda mol: np.zeros(2),
    "complex": lambda mol: 1j,
}


@pytest.mark.parametrize("name", UNDEFINED)
def test_a_property_that_is_no_number_for_one_molecule_is_undefined_there_and_counted(name):
    def compute(mol):
        return UNDEFINED[name](mol) if mol.GetNumAtoms() == 3 else mol.GetNumAtoms()

    found = evaluation(Property("mine", compute=compute), ["CC", "CCC", "", "C1CC", "C", "CCC"])
    np.testing.assert_array_equal(found.values, [2, np.nan, np.nan, np.nan, 1, np.nan])
    assert (found.molecules, found.defined) == (4, 2)
    assert found.reason.startswith("CCC: ")


@pytest.mark.parametrize("number", [1.5, np.float32(1.5), np.array(1.5), np.array([1.5]), torch.tensor(1.5)])
def test_every_number_is_one(number):
    assert evaluate(Property("mine", compute=lambda mol: number), ["C"]).tolist() == [1.5]


def test_ctrl_c_in_a_property_is_no_undefined_value():
    def compute(mol):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(Property("mine", compute=compute), ["C"])


def test_the_command_line_names_every_property_without_rdkit():
    code = (
        "import sys; from softdraw.cli import options; print(*options.PROPERTIES); "
        "print('rdkit' in sys.modules, 'lightning' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [" ".join(PROPERTIES), "False False"]
    text = options.Targets.__metadata__[0].help
    assert all(name in text for name in PROPERTIES)


def test_the_documentation_lists_every_property():
    text = (Path(__file__).parents[3] / "docs" / "molecules.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| `")]
    listed = {
        name: row[3].strip() for row in rows if len(row) == 5 for name in re.findall(r"`(\w+)`", row[1])
    }
    assert {name: listed.get(name) for name in PROPERTIES} == {n: p.unit for n, p in PROPERTIES.items()}
