"""The table of names."""

import pytest

import softdraw as sd
from softdraw.estimators._core import registry

DESIGN = (
    "enumeration indecater gumbel-softmax binary-concrete st st-gumbel-softmax decoupled-st-gumbel-softmax "
    "gapped-st gumbel-rao reinmax reinmax-rao redge reinforce rloo unordered-set arm disarm arsm vimco rodeo "
    "rebar relax imle perturbed-argmax"
)


def test_names_of_the_design():
    assert sd.estimators.names()[: len(DESIGN.split())] == tuple(DESIGN.split())


def test_unknown_name_lists_the_known():
    with pytest.raises(ValueError, match=r"name='straight-through'.*st-gumbel-softmax"):
        sd.estimators.get("straight-through")


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
