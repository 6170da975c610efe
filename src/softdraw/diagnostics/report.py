"""One self-contained HTML page about what estimators did on a problem."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from softdraw import pages
from softdraw.diagnostics.figures import error_figure, svg, swept, tau_figure, triangle_figure
from softdraw.diagnostics.measures import Measures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["report"]

_COLUMNS = {
    "bias": ("bias", "length of the mean gradient less the exact one; lower is better"),
    "variance": ("variance", "trace of the covariance of one estimate; lower is better"),
    "mse": ("squared error", "bias squared plus variance; lower is better"),
    "cosine": ("cosine", "mean cosine with the exact gradient; higher is better"),
    "dead": ("dead rows", "share of rows without gradient; lower is better"),
    "seconds": ("seconds", "time of one estimate with its backward"),
}


def report(
    rows: Sequence[Measures],
    *,
    title: str,
    description: str,
    skipped: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
) -> str:
    """The page as HTML text: the table and the plots, with no script and no address outside the page.

    A plot is there where it has something to show: that against temperature where an estimator was measured
    at two or more, that against cost where anything was measured.

    Args:
        rows: what was measured.
        title: the problem's name.
        description: the problem in one sentence.
        skipped: estimators that could not serve, with the reason.
        notes: further sentences, such as the command that makes the page again.

    Returns:
        The page. Every text in it is escaped.

    Example:
        >>> "&lt;b&gt;" in report([], title="<b>", description="")
        True
    """
    return pages.render(
        "softdraw.diagnostics",
        "report.html.j2",
        heading=f"softdraw: {title}",
        title=title,
        description=description,
        columns=list(_COLUMNS.values()),
        lines=[_line(row) for row in rows],
        skipped=skipped or {},
        by_temperature=_picture(tau_figure(rows)) if swept(rows) else None,
        samples=_picture(triangle_figure()),
        by_cost=_picture(error_figure(rows)) if rows else None,
        notes=notes,
    )


def _line(row: Measures) -> dict[str, object]:
    values = row.to_dict()
    return {
        "estimator": row.estimator,
        "tau": "" if row.tau is None else f"{row.tau:g}",
        "evaluations": row.evaluations,
        "cells": [f"{values[name]:.3g} ± {values[f'{name}_error']:.1g}" for name in _COLUMNS],
    }


def _picture(figure: "Figure") -> str:
    return pages.data_uri(svg(figure).encode(), "svg+xml")
