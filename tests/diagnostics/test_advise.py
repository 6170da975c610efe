"""Recommendations."""

import pytest
import torch

import softdraw as sd


def cubic(z):
    weight = torch.linspace(-1.0, 1.5, z.shape[-2] * z.shape[-1]).view(z.shape[-2:])
    return (z * weight).sum((-1, -2)).pow(3)


def test_ranked_by_error_within_the_budget():
    advice = sd.diagnostics.advise(
        cubic, torch.zeros(2, 3), evaluations=9, draws=30, key=sd.Key(0), taus=[0.5, 1.0]
    )
    errors = [item.error for item in advice]
    assert errors == sorted(errors)
    assert advice.best.error == errors[0]
    for item in advice:
        m = item.measures
        assert item.repeats == 9 // m.evaluations >= 1
        assert item.error == pytest.approx(m.bias**2 + m.variance / item.repeats)
    assert "enumeration" not in [item.measures.estimator for item in advice]
    assert "binary" in advice.untried["arm"]
    assert "bound" in advice.untried["vimco"]
    assert "9 evaluations" in str(advice)


def test_a_larger_budget_favours_the_unbiased():
    """Bias does not average out: with many evaluations an unbiased estimator comes first, with one a biased
    one."""
    options = {
        "draws": 400,
        "key": sd.Key(0),
        "estimators": ["st", "rloo", "reinforce", "unordered-set"],
        "taus": [1.0],
    }
    logits = torch.tensor([[0.8, -0.4, 0.1]] * 3)
    few = sd.diagnostics.advise(cubic, logits, evaluations=1, **options)
    many = sd.diagnostics.advise(cubic, logits, evaluations=100_000, **options)
    assert few.best.measures.estimator == "st"
    assert many.best.measures.estimator in ("rloo", "unordered-set", "reinforce")


def test_budget_in_seconds():
    advice = sd.diagnostics.advise(
        cubic, torch.zeros(2, 3), seconds=0.05, draws=50, key=sd.Key(0), estimators=["st", "rloo"], taus=[1.0]
    )
    for item in advice:
        assert item.repeats == int(0.05 / item.measures.seconds)


def test_refusals():
    for budget in ({}, {"evaluations": 1, "seconds": 1.0}):
        with pytest.raises(ValueError, match="expected exactly one budget"):
            sd.diagnostics.advise(cubic, torch.zeros(2, 3), **budget)
    with pytest.raises(ValueError, match="evaluations: got 0, expected an int >= 1"):
        sd.diagnostics.advise(cubic, torch.zeros(2, 3), evaluations=0)
    with pytest.raises(ValueError, match=r"seconds: got 0.0, expected a number > 0"):
        sd.diagnostics.advise(cubic, torch.zeros(2, 3), seconds=0)
    with pytest.raises(TypeError, match=r"evaluations: got 2.5, expected an int >= 1"):
        sd.diagnostics.advise(cubic, torch.zeros(2, 3), evaluations=2.5)
    with pytest.raises(ValueError, match="no estimator fits a budget of 1: rloo: one estimate asks for 4"):
        sd.diagnostics.advise(cubic, torch.zeros(2, 3), evaluations=1, estimators=["rloo"])
