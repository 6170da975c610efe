"""Measuring estimators under distributions other than one-hot."""

import pytest
import torch

import softdraw as sd
from softdraw.diagnostics.problems import Problem

LOGITS = torch.tensor([0.4, -1.0, 0.8], dtype=torch.float64)
GOAL = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)


def one_hot(x):
    return sd.distributions.OneHotCategorical(logits=x)


def cost(z):
    return (z @ GOAL).square()


def as_variable(z):
    return cost(z[..., 0, :])


def test_a_one_hot_law_is_measured_as_its_logits_are():
    names = ["enumeration", "marginal", "relaxed", "rloo", "imle"]
    laws = sd.diagnostics.compare(cost, LOGITS, names, 400, key=sd.Key(0), distribution=one_hot)
    logits = sd.diagnostics.compare(as_variable, LOGITS.unsqueeze(0), names, 400, key=sd.Key(0))
    torch.testing.assert_close(laws.exact, logits.exact[0])
    assert laws["enumeration"].bias < 1e-12
    assert laws["enumeration"].evaluations == 3
    for name in names[:-1]:  # I-MLE takes its step from the cost of a sample, or from their mean
        assert laws[name].variance == pytest.approx(logits[name].variance, rel=1e-6, abs=1e-12)
        assert laws[name].bias == pytest.approx(logits[name].bias, rel=1e-6, abs=1e-7)
        assert laws[name].evaluations == sd.estimators.get(name).samples or name == "enumeration"
    assert laws["rloo"].bias <= 5 * laws["rloo"].bias_error
    assert laws["imle"].seconds > 0


def test_what_cannot_serve_is_skipped_with_its_reason():
    found = sd.diagnostics.compare(
        cost, LOGITS, ["st", "vimco", "rloo"], 10, key=sd.Key(0), distribution=one_hot, timing=False
    )
    assert [row.estimator for row in found] == ["rloo"]
    assert "serves one-hot logits" in found.skipped["st"]
    assert "serves one-hot logits" in found.skipped["vimco"]


def test_a_law_that_takes_no_batch_is_drawn_one_at_a_time():
    """Fixed logits beside the parameters: a dim in front of them is none of the batch."""
    fixed = torch.tensor([0.3, 0.1, -0.2], dtype=torch.float64)

    def make(x):
        if x.dim() > 1:
            raise ValueError("one at a time")
        return one_hot(x + fixed)

    found = sd.diagnostics.compare(cost, LOGITS, ["rloo", "marginal"], 200, key=sd.Key(0), distribution=make)
    exact = sd.diagnostics.exact_gradient(as_variable, (LOGITS + fixed).unsqueeze(0))
    torch.testing.assert_close(found.exact, exact[0])
    assert found["rloo"].bias <= 5 * found["rloo"].bias_error
    assert found["rloo"].variance > 0


def test_without_a_support_the_reference_is_drawn():
    def bits(x):
        return torch.distributions.Independent(torch.distributions.Bernoulli(logits=x), 1)

    found = sd.diagnostics.compare(
        lambda z: z @ GOAL, LOGITS, ["marginal"], 20, key=sd.Key(0), distribution=bits, timing=False
    )
    p = LOGITS.sigmoid()
    assert found.exact_error is not None
    assert bool(((found.exact - p * (1 - p) * GOAL).abs() < 6 * found.exact_error).all())
    assert found["marginal"].variance < 1e-12


def test_values_sweeps_and_problems():
    torch.testing.assert_close(
        sd.diagnostics.exact_value(cost, one_hot(LOGITS)), LOGITS.softmax(0) @ GOAL.square()
    )
    sweep = sd.diagnostics.temperature_sweep(
        cost, LOGITS, "relaxed", [0.2, 1.0], 300, key=sd.Key(0), distribution=one_hot
    )
    assert sweep.rows[0].variance > sweep.rows[1].variance
    assert Problem("x", "y", cost, LOGITS, distribution=one_hot).distribution is one_hot


def test_errors_name_what_came():
    with pytest.raises(TypeError, match=r"logits: got .*OneHotCategorical.*parameters that distribution="):
        sd.diagnostics.compare(cost, one_hot(LOGITS), ["rloo"], distribution=one_hot)
    with pytest.raises(ValueError, match=r"logits: got a tensor of shape .*with a dim"):
        sd.diagnostics.compare(cost, torch.zeros(()), ["rloo"], distribution=one_hot)
