"""Chi-square of the page against SciPy's."""

import math

import pytest
import scipy.special
import scipy.stats


def test_the_gamma_function(javascript):
    values = [0.5, 1, 1.5, 2, 2.5, 7, 11.9, 12, 100]
    found = javascript("(values) => values.map(logGamma)", values)
    assert found == pytest.approx(scipy.special.gammaln(values).tolist(), rel=1e-13, abs=1e-14)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5])
def test_p_values(javascript, freedom):
    statistics = [0, 1e-12, 1e-3, 0.5, freedom, freedom + 1.9, freedom + 2.1, 20, 100, 700]
    found = javascript(
        "(statistics, freedom) => statistics.map((x) => upperGamma(freedom / 2, x / 2))", statistics, freedom
    )
    assert found == pytest.approx(scipy.stats.chi2.sf(statistics, freedom).tolist(), rel=1e-10)


def test_counts_against_probabilities(javascript):
    counts, law = [655, 240, 105], [0.65, 0.25, 0.1]
    found = javascript("chiSquare", counts, law)
    wanted = scipy.stats.chisquare(counts, [1000 * p for p in law])
    assert found["freedom"] == 2
    assert found["statistic"] == pytest.approx(wanted.statistic, rel=1e-12)
    assert found["p"] == pytest.approx(wanted.pvalue, rel=1e-10)


def test_rare_classes_are_taken_together(javascript):
    """0.5, 3 and 40 are expected: the rarest two make 3.5, which is still too few, so all three are one."""
    counts, law = [1, 2, 42, 955], [0.0005, 0.003, 0.04, 0.9565]
    found = javascript("chiSquare", counts, law)
    wanted = scipy.stats.chisquare([45, 955], [43.5, 956.5])
    assert found["freedom"] == 1
    assert found["p"] == pytest.approx(wanted.pvalue, rel=1e-10)


def test_one_class_leaves_nothing_to_compare(javascript):
    assert javascript("chiSquare", [100, 0], [0.999, 0.001]) is None
    assert not math.isnan(javascript("chiSquare", [900, 100], [0.9, 0.1])["p"])
