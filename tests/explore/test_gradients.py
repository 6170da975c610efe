"""Gradients, bias and variance of the page, against the library's estimators and its diagnostics."""

import pytest
import torch

import softdraw as sd
from softdraw.diagnostics.measures import measure

from ..statistics import standard_errors

LOGITS = {"three": [1.0, 0.0, -0.8], "five": [0.3, -1.2, 0.9, 2.0, -0.4]}
WEIGHTS = {"three": [1.2, -0.6, 0.4], "five": [-0.5, 1.5, 0.25, -1.0, 0.8]}
TAUS = [0.2, 1.0, 2.5]
ROWS = 400


def cost(weights, degree):
    w = torch.tensor(weights, dtype=torch.float64)
    return lambda z: (z * w).sum((-1, -2)) ** degree


def estimates(name, case, tau, degree, rows=ROWS, seed=5):
    """Single estimates ``[rows, C]`` of the library, and the classes that were drawn."""
    options = {"baseline": "none"} if name == "reinforce" else {"tau": tau}
    leaf = torch.tensor(LOGITS[case], dtype=torch.float64).expand(rows, 1, -1).clone().requires_grad_()
    key = sd.Key(seed)
    value = sd.estimators.get(name, **options).expectation(cost(WEIGHTS[case], degree), leaf, key=key)
    (gradient,) = torch.autograd.grad(value.sum(), leaf)
    return gradient.squeeze(1), sd.gumbel_max(leaf.detach(), key=key).squeeze(1)


def exact(case, degree):
    logits = torch.tensor([LOGITS[case]], dtype=torch.float64)
    return sd.diagnostics.exact_gradient(cost(WEIGHTS[case], degree), logits)[0]


def moments(javascript, name, case, tau, degree, draws=ROWS, seed=5):
    return javascript(
        """(name, logits, weights, tau, degree, draws, seed) => {
          const noise = noiseOf(makeKey(seed), draws, logits.length);
          return momentsOf(name, logits, tau, costOf(weights, degree), noise, draws);
        }""",
        name,
        LOGITS[case],
        WEIGHTS[case],
        tau,
        degree,
        draws,
        seed,
    )


@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("case", LOGITS)
def test_the_exact_gradient(javascript, case, degree):
    found = javascript(
        "(logits, weights, degree) => exactGradient(logits, costOf(weights, degree))",
        LOGITS[case],
        WEIGHTS[case],
        degree,
    )
    torch.testing.assert_close(
        torch.tensor(found, dtype=torch.float64), exact(case, degree), rtol=1e-12, atol=1e-14
    )


@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("case", LOGITS)
def test_single_estimates_are_those_of_the_library(javascript, case, degree):
    """Every row of noise, at three temperatures."""
    found = javascript(
        """(logits, weights, taus, degree, rows) => {
          const noise = noiseOf(makeKey(5), rows, logits.length), cost = costOf(weights, degree);
          return ESTIMATORS.map((name) => taus.map((tau) =>
            Array.from(casesOf(name, logits, tau, cost, noise, rows).estimates)));
        }""",
        LOGITS[case],
        WEIGHTS[case],
        TAUS,
        degree,
        ROWS,
    )
    names = javascript("() => ESTIMATORS")
    assert sorted(names) == sorted(["st-gumbel-softmax", "reinmax", "st", "reinforce"])
    for name, of_name in zip(names, found, strict=True):
        for tau, values in zip(TAUS, of_name, strict=True):
            wanted, drawn = estimates(name, case, tau, degree)
            made = torch.tensor(values, dtype=torch.float64).reshape(-1, len(LOGITS[case]))
            if name != "st-gumbel-softmax":
                assert len(made) == len(LOGITS[case])  # one a class
                made = made[drawn]
            torch.testing.assert_close(made, wanted, rtol=1e-8, atol=1e-10, msg=f"{name} at {tau}")


@pytest.mark.parametrize("tau", TAUS)
@pytest.mark.parametrize("case", LOGITS)
def test_averaged_moments_are_those_of_diagnostics(javascript, case, tau):
    """st-gumbel-softmax: the same draws give the same bias and variance."""
    found = moments(javascript, "st-gumbel-softmax", case, tau, 3)
    drawn, _ = estimates("st-gumbel-softmax", case, tau, 3)
    wanted = measure(drawn, exact(case, 3), estimator="", tau=tau, evaluations=1)
    assert found["mean"] == pytest.approx(drawn.mean(0).tolist(), rel=1e-8, abs=1e-10)
    assert found["bias"] == pytest.approx(wanted.bias, rel=1e-7)
    assert found["variance"] == pytest.approx(wanted.variance, rel=1e-7)


@pytest.mark.parametrize("name", ["st-gumbel-softmax", "reinmax", "st", "reinforce"])
@pytest.mark.parametrize("tau", TAUS)
def test_moments_are_what_many_other_draws_give(javascript, name, tau):
    """The page's sums against a comparison of the library, at another key."""
    options = {"baseline": "none"} if name == "reinforce" else {"tau": tau}
    logits = torch.tensor([LOGITS["three"]], dtype=torch.float64)
    row = sd.diagnostics.compare(
        cost(WEIGHTS["three"], 2),
        logits,
        [sd.estimators.get(name, **options)],
        draws=20_000,
        key=sd.Key(3),
        timing=False,
    ).rows[0]
    found = moments(javascript, name, "three", tau, 2, draws=20_000)
    # of st-gumbel-softmax both sides are averages
    errors = standard_errors(2) * (2**0.5 if name == "st-gumbel-softmax" else 1)
    assert found["variance"] == pytest.approx(row.variance, abs=errors * row.variance_error)
    # below its noise a bias is clipped to 0
    assert found["bias"] == pytest.approx(row.bias, abs=errors * row.bias_error)


def test_what_theory_says_of_bias(javascript):
    """At tau 1 st is exact for a linear cost, reinmax up to a quadratic one; reinforce always."""
    cases = [(name, degree) for name in ("st", "reinmax", "reinforce") for degree in (1, 2, 3)]
    found = javascript(
        """(cases, logits, weights) => cases.map(([name, degree]) =>
          momentsOf(name, logits, 1, costOf(weights, degree)).bias)""",
        cases,
        LOGITS["five"],
        WEIGHTS["five"],
    )
    biases = dict(zip(cases, found, strict=True))
    zero = {("st", 1), ("reinmax", 1), ("reinmax", 2), *(("reinforce", degree) for degree in (1, 2, 3))}
    assert {case for case, bias in biases.items() if bias == 0} == zero
    assert min(bias for case, bias in biases.items() if case not in zero) > 0.01
