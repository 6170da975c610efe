"""The table of names."""

import importlib.util
import itertools
import re
from pathlib import Path

import pytest

import softdraw as sd
from softdraw.estimators._core import registry

DOCS = Path(__file__).parents[3] / "docs"
DESIGN = (
    "enumeration indecater gumbel-softmax binary-concrete st st-gumbel-softmax decoupled-st-gumbel-softmax "
    "gapped-st gumbel-rao reinmax reinmax-rao redge reinforce rloo unordered-set arm disarm arsm vimco rodeo "
    "rebar relax imle perturbed-argmax"
)


def test_names_of_the_design():
    assert sd.estimators.names()[: len(DESIGN.split())] == tuple(DESIGN.split())


def test_unknown_name_lists_the_known():
    with pytest.raises(
        ValueError, match=r"name: got 'straight-through', expected one of .*'st-gumbel-softmax'"
    ):
        sd.estimators.get("straight-through")
    for wrong in (3, None, ["st"]):
        with pytest.raises(TypeError, match=r"name: got .*, expected the name of an estimator"):
            sd.estimators.get(wrong)


def test_names_are_listed_by_family():
    """The family is what the class says, and the folder that it lies in."""
    families = [type(sd.estimators.get(name)).family for name in sd.estimators.names()]
    assert [family for family, _ in itertools.groupby(families)] == list(registry.FAMILIES)
    for name in sd.estimators.names():
        cls = type(sd.estimators.get(name))
        assert cls.__module__.split(".")[2].replace("_", "-") == cls.family


def test_the_table_of_the_docs_is_what_the_classes_say():
    spec = importlib.util.spec_from_file_location("table", DOCS / "tables" / "estimators.py")
    table = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(table)
    page = (DOCS / "estimators.md").read_text(encoding="utf-8")
    assert page == table.written(page), "run python docs/tables/estimators.py"
    assert table.table() in page
    assert f"One interface, {len(sd.estimators.names())} estimators" in page


@pytest.mark.parametrize("name", sd.estimators.names())
def test_the_formula_of_the_evaluations_is_their_number(name):
    (line,) = [line for line in (DOCS / "estimators.md").read_text().splitlines() if f"| `{name}` |" in line]
    formula = line.split("|")[6].split(",")[0] if "relax" in name else line.split("|")[6]
    code = re.sub(r"(?<=[A-Z0-9)]) (?=[A-Z0-9(])", " * ", formula.strip()).replace("^", "**")
    est = sd.estimators.get(name)
    for variables, classes in ((1, 2), (3, 2)) if est.binary else ((1, 2), (3, 4)):
        values = {"S": est.samples, "D": variables, "C": classes, "min": min}
        assert eval(code, values) == est.evaluations(variables, classes), code


def test_register(monkeypatch):
    monkeypatch.setattr(registry, "_TABLE", dict(registry._TABLE))

    @sd.estimators.register("test-only")
    class Mine(sd.estimators.RLOO):
        pass

    assert sd.estimators.names()[-1] == "test-only"
    assert isinstance(sd.estimators.get("test-only", samples=3), Mine)
    sd.estimators.register("test-only")(Mine)  # again: a reloaded module is no error
    with pytest.raises(ValueError, match="'rloo' is taken"):
        sd.estimators.register("rloo")(Mine)
    with pytest.raises(TypeError, match="Estimator"):
        sd.estimators.register("other")(int)
