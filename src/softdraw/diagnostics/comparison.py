"""What was found of several estimators: rows to read, to sort and to write."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from softdraw.diagnostics.measures import Measures

__all__ = ["Comparison", "rows_to_csv"]


@dataclass(frozen=True)
class Comparison:
    """What ``compare`` found.

    Attributes:
        rows: one ``Measures`` per estimator that could serve.
        skipped: name of each estimator that could not, with the reason.
        exact: the gradient they were measured against, ``[*batch, D, C]``.
        exact_error: its standard error where it is itself an estimate, else None.
        warmup: how many calls trained the estimators with state before they were frozen.
    """

    rows: tuple[Measures, ...]
    skipped: dict[str, str]
    exact: Tensor
    exact_error: Tensor | None = None
    warmup: int = 0

    def __iter__(self) -> Iterator[Measures]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> Measures:
        """The row of the estimator with that name or repr.

        Raises:
            KeyError: there is none.
        """
        for row in self.rows:
            if row.estimator == name:
                return row
        raise KeyError(f"{name!r} is not in this comparison; it has {[row.estimator for row in self.rows]}")

    def best(self) -> Measures:
        """The row of least mean squared error for one estimate.

        Raises:
            ValueError: no estimator could serve; the message says why.
        """
        if not self.rows:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in self.skipped.items())
            raise ValueError(f"no estimator could serve this problem: {reasons}")
        return min(self.rows, key=lambda row: row.mse)

    def to_csv(self) -> str:
        """One line per estimator, with a header."""
        return rows_to_csv(self.rows)

    def __str__(self) -> str:
        head = (
            f"{'estimator':28} {'bias':>20} {'variance':>20} {'mse':>20} {'cosine':>15} {'dead':>6} "
            f"{'evals':>6} {'ms':>8}"
        )
        lines = [head, *(_line(row) for row in self.rows)]
        lines += [f"{name:28.28} not tried: {reason}" for name, reason in self.skipped.items()]
        return "\n".join(lines)


def _line(row: Measures) -> str:
    cells = [(row.bias, row.bias_error), (row.variance, row.variance_error), (row.mse, row.mse_error)]
    figures = " ".join(f"{_pm(value, error):>20}" for value, error in cells)
    return (
        f"{row.estimator:28.28} {figures} {row.cosine:7.3f}±{row.cosine_error:6.3f} {row.dead:6.1%} "
        f"{row.evaluations:6d} {1e3 * row.seconds:8.3f}"
    )


def _pm(value: float, error: float) -> str:
    return f"{value:.3e} ± {error:.0e}"


def rows_to_csv(rows: Sequence[Measures]) -> str:
    """CSV text of measures, with a header."""
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0].to_dict()), lineterminator="\n")
        writer.writeheader()
        writer.writerows(row.to_dict() for row in rows)
    return text.getvalue()
