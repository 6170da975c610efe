import sys
import textwrap

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import Crippen, Descriptors

from softdraw.molecules.chemistry.properties import PROPERTIES, evaluate, property_function
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
        """)
    )
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    try:
        assert evaluate("my_own_property:Model.rings", ["C1CC1", "CC", "C1CC1"]).tolist() == [1, 0, 1]
        assert len(sys.modules["my_own_property"].CALLS) == 2  # what comes twice is computed once
        with pytest.raises(TargetError, match=r"failed on CC \(ValueError"):
            evaluate("my_own_property:text", ["CC"])
        with pytest.raises(TargetError, match=r"failed on CC \(KeyError: 'no model'\)"):
            evaluate("my_own_property:failing", ["CC"])
        with pytest.raises(TargetError, match="got int, expected a function"):
            property_function("my_own_property:number")
        with pytest.raises(TargetError, match="has no function absent"):
            property_function("my_own_property:absent")
    finally:
        sys.modules.pop("my_own_property", None)
    assert sys.path == before


@pytest.mark.parametrize("name", ["", "weight", "LogP", ":f", "module:", 3, None])
def test_an_unknown_property_lists_the_known_ones(name):
    with pytest.raises(TargetError, match=r"expected one of logp, qed, .* or module:function"):
        property_function(name)


def test_a_module_that_cannot_be_imported_is_named(tmp_path, monkeypatch):
    with pytest.raises(TargetError, match="cannot import no_such_module"):
        property_function("no_such_module:f")
    (tmp_path / "broken_property.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TargetError, match=r"cannot import broken_property \(ZeroDivisionError"):
        property_function("broken_property:f")
