"""Figures and the page: what they show, and that they stand alone."""

import xml.etree.ElementTree

import torch

import softdraw as sd
from softdraw.diagnostics.figures import error_figure, svg, tau_figure, temperature_figure, triangle_figure
from softdraw.diagnostics.report import report


def rows():
    def f(z):
        return (z * torch.arange(3.0)).sum((-1, -2)).pow(3)

    pair = [sd.estimators.get("gumbel-softmax", tau=tau) for tau in (0.3, 3.0)]
    return sd.diagnostics.compare(f, torch.zeros(2, 3), [*pair, "rloo"], draws=50, key=sd.Key(0)).rows


def test_lines_show_the_measured_values():
    measured = rows()
    bias, variance = tau_figure(measured).axes
    line = variance.containers[0].lines[0]
    assert list(line.get_xdata()) == [0.3, 3.0]
    assert list(line.get_ydata()) == [row.variance for row in measured[:2]]
    assert len(bias.containers) == 1  # rloo has no temperature
    by_evaluations = error_figure(measured).axes[0]
    assert len(by_evaluations.lines) == 3
    last = by_evaluations.lines[2]
    assert last.get_xdata()[0] == 4
    assert last.get_ydata()[0] == measured[2].bias ** 2 + measured[2].variance


def test_cold_samples_lie_in_the_corners_and_hot_ones_in_the_middle():
    cold, hot = (axes.collections[0].get_offsets() for axes in triangle_figure((0.05, 100.0), draws=300).axes)
    corners = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.5, 3**0.5 / 2]])
    nearest = torch.cdist(torch.tensor(cold.data).float(), corners).amin(1)
    assert (nearest < 0.1).float().mean() > 0.8
    centre = torch.cdist(torch.tensor(hot.data).float(), corners.mean(0, keepdim=True))
    assert centre.max() < 0.1


def test_svg_is_valid_and_repeatable():
    first, second = svg(temperature_figure(rows()[:2])), svg(temperature_figure(rows()[:2]))
    xml.etree.ElementTree.fromstring(first)
    assert len(first) == len(second)


def test_page_with_nothing_measured():
    page = report([], title="t", description="d", skipped={"arm": "binary <only>"}, notes=["n"])
    assert "binary &lt;only&gt;" in page


def test_pyplot_is_left_alone():
    import sys

    before = "matplotlib.pyplot" in sys.modules
    svg(triangle_figure((1.0,), draws=5))
    assert ("matplotlib.pyplot" in sys.modules) == before
