"""An estimator's bias and variance over a range of temperatures."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from softdraw.arguments import read_temperature, wrong_value
from softdraw.diagnostics.compare import compare
from softdraw.diagnostics.comparison import rows_to_csv
from softdraw.diagnostics.exact import Family
from softdraw.diagnostics.measures import Measures
from softdraw.estimators import Cost, get
from softdraw.random import Key, fresh_key

__all__ = ["Sweep", "temperature_sweep"]


@dataclass(frozen=True)
class Sweep:
    """What ``temperature_sweep`` found.

    Attributes:
        estimator: name of the estimator.
        rows: one ``Measures`` per temperature, in the order given; iterating gives these.
        exact: the gradient they were measured against, ``[*batch, D, C]``.
    """

    estimator: str
    rows: tuple[Measures, ...]
    exact: Tensor

    def __iter__(self) -> Iterator[Measures]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def taus(self) -> tuple[float, ...]:
        """The temperatures."""
        return tuple(row.tau for row in self.rows if row.tau is not None)

    @property
    def best(self) -> Measures:
        """The row of least mean squared error."""
        return min(self.rows, key=lambda row: row.mse)

    def to_csv(self) -> str:
        """One line per temperature, with a header."""
        return rows_to_csv(self.rows)

    def __str__(self) -> str:
        lines = [f"{self.estimator}: {'tau':>8} {'bias':>10} {'variance':>10} {'mse':>10}"]
        for row in self.rows:
            mark = "  least error" if row is self.best else ""
            lines.append(
                f"{'':{len(self.estimator)}}  {row.tau:8.4g} {row.bias:10.3e} {row.variance:10.3e} "
                f"{row.mse:10.3e}{mark}"
            )
        return "\n".join(lines)


def temperature_sweep(
    f: Cost,
    logits: Tensor,
    estimator: str,
    taus: Sequence[float] | Iterable[float],
    draws: int = 1000,
    *,
    key: Key | None = None,
    mask: Tensor | None = None,
    exact: Tensor | None = None,
    warmup: int = 0,
    distribution: Family | None = None,
    **options: Any,
) -> Sweep:
    """Measure one estimator at several temperatures, with the same noise at each.

    For the Gumbel family theory promises a trade-off, bias falling and variance rising as tau falls; ``best``
    is the temperature of least mean squared error on this problem.

    Args:
        f: maps one-hot samples ``[S, *batch, D, C]`` to costs ``[S, *batch]``.
        logits: ``[*batch, D, C]``.
        estimator: the name of an estimator that takes ``tau``.
        taus: the temperatures.
        draws: independent estimates at each, at least 2.
        key: where the noise comes from.
        mask: boolean, broadcastable to the logits, True where a class is allowed.
        exact: the gradient to compare with, if it is known.
        warmup: calls that train an estimator with state; 0 keeps a learned temperature where it was put.
        distribution: as in ``compare``.
        **options: further options of the estimator.

    Raises:
        ValueError: no temperature, an estimator without one, or one that cannot serve the problem.
        TypeError: a temperature that is no number.

    Example:
        >>> import torch, softdraw as sd
        >>> sweep = sd.diagnostics.temperature_sweep(
        ...     lambda z: (z[..., 0, 0] - 0.45) ** 2, torch.zeros(1, 2), "gumbel-softmax", [0.1, 1.0],
        ...     draws=200, key=sd.Key(0),
        ... )
        >>> sweep.rows[0].variance > sweep.rows[1].variance
        True
    """
    taus = [read_temperature("taus", tau) for tau in taus]
    if not taus:
        raise ValueError("taus: got none, expected one temperature or more")
    if type(get(estimator)).default_tau is None:
        raise wrong_value("estimator", estimator, "one that has a temperature")
    key = key if key is not None else fresh_key()
    rows: list[Measures] = []
    for tau in taus:
        comparison = compare(
            f,
            logits,
            [get(estimator, tau=tau, **options)],
            draws,
            key=key,
            mask=mask,
            exact=exact,
            warmup=warmup,
            distribution=distribution,
        )
        if comparison.skipped:
            raise ValueError(f"{estimator} cannot serve here: {next(iter(comparison.skipped.values()))}")
        exact = comparison.exact
        rows.append(comparison.rows[0])
    if exact is None:
        raise AssertionError("unreachable: compare always returns the gradient it used")
    return Sweep(estimator, tuple(rows), exact)
