"""One self-contained HTML page about what estimators did on a problem."""

import base64
from collections.abc import Mapping, Sequence
from html import escape

from softdraw.diagnostics.figures import error_figure, svg, tau_figure, triangle_figure
from softdraw.diagnostics.measures import Measures

__all__ = ["report"]

_COLUMNS = (
    ("bias", "bias", "length of the mean gradient less the exact one; lower is better"),
    ("variance", "variance", "trace of the covariance of one estimate; lower is better"),
    ("mse", "squared error", "bias squared plus variance; lower is better"),
    ("cosine", "cosine", "mean cosine with the exact gradient; higher is better"),
    ("dead", "dead rows", "share of rows without gradient; lower is better"),
    ("seconds", "seconds", "time of one estimate with its backward"),
)

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1f; --paper: #fff; --soft: #6b6b76; --line: #ddd; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e6ea; --paper: #17171a; --soft: #9c9ca8; --line: #37373d; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 62rem;
  margin: 2rem auto; padding: 0 1rem; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap;
} th:first-child, td:first-child { text-align: left; } img { max-width: 100%; background: #fff; border-radius:
4px; } .soft { color: var(--soft); }
"""


def report(
    rows: Sequence[Measures],
    *,
    title: str,
    description: str,
    skipped: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
) -> str:
    """The page as HTML text: the table and the plots, with no script and no address outside the page.

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
    body = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(description)}</p>",
        "<h2>Every estimator</h2>",
        _table(rows),
        "<p class=soft>After ± stands one standard error. "
        + " ".join(f"{escape(name.capitalize())}: {escape(what)}." for _, name, what in _COLUMNS)
        + "</p>",
    ]
    if skipped:
        items = "".join(f"<li>{escape(name)}: {escape(reason)}</li>" for name, reason in skipped.items())
        body.append(f"<p>Not tried:</p><ul>{items}</ul>")
    taus = {row.tau for row in rows if row.tau is not None}
    if len(taus) > 1:
        body += [
            "<h2>Bias and variance against temperature</h2>",
            _image(tau_figure(rows), "bias and variance"),
        ]
    body += [
        "<h2>What temperature does to a sample</h2>",
        "<p>Soft samples of three classes with probabilities 0.5, 0.3 and 0.2. Each corner is a class.</p>",
        _image(triangle_figure(), "soft samples on the triangle of three classes"),
        "<h2>Error against cost</h2>",
        "<p>Mean squared error of the mean of n estimates, bias squared plus variance over n. "
        "A line that turns flat has only its bias left.</p>",
        _image(error_figure(rows), "error against evaluations and seconds"),
        *(f"<p class=soft>{escape(note)}</p>" for note in notes),
    ]
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        f"<title>softdraw: {escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body>{''.join(body)}</body></html>\n"
    )


def _table(rows: Sequence[Measures]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for _, name, _ in _COLUMNS)
    lines = []
    for row in rows:
        values = row.to_dict()
        cells = "".join(f"<td>{_figure(values[key], values[key + '_error'])}</td>" for key, _, _ in _COLUMNS)
        tau = "" if row.tau is None else f"{row.tau:g}"
        lead = f"<td>{escape(row.estimator)}</td><td>{tau}</td><td>{row.evaluations}</td>"
        lines.append(f"<tr>{lead}{cells}</tr>")
    return (
        "<div class=table><table><thead><tr><th>estimator</th><th>tau</th><th>evaluations</th>"
        f"{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _figure(value: float | int | str | None, error: float | int | str | None) -> str:
    if not isinstance(value, float) or not isinstance(error, float):
        return ""
    return f"{value:.3g} ± {error:.1g}"


def _image(figure: object, text: str) -> str:
    data = base64.b64encode(svg(figure).encode()).decode()  # type: ignore[arg-type]
    return f'<img alt="{escape(text)}" src="data:image/svg+xml;base64,{data}">'
