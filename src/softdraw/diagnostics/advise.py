"""Which estimator and which temperature fit a problem and a budget, by measuring them."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from softdraw.arguments import read_count, read_number
from softdraw.diagnostics.compare import compare
from softdraw.diagnostics.measures import Measures
from softdraw.estimators import Cost, Estimator, get, names
from softdraw.random import Key, fresh_key

__all__ = ["Advice", "Recommendation", "advise"]

_TAUS = (0.1, 0.3, 0.5, 1.0, 1.5)


@dataclass(frozen=True)
class Recommendation:
    """One estimator at one temperature, with what the budget buys.

    Attributes:
        measures: its figures for a single estimate.
        repeats: how many estimates the budget pays for.
        error: bias^2 + variance / repeats, the mean squared error of their mean.
    """

    measures: Measures
    repeats: int
    error: float


@dataclass(frozen=True)
class Advice:
    """What ``advise`` found.

    Attributes:
        ranked: the recommendations, the least error first; iterating gives these.
        untried: name of each estimator that was left out, with the reason.
        budget: what one gradient may cost, in words.
    """

    ranked: tuple[Recommendation, ...]
    untried: dict[str, str]
    budget: str

    def __iter__(self) -> Iterator[Recommendation]:
        return iter(self.ranked)

    @property
    def best(self) -> Recommendation:
        """The recommendation of least error."""
        return self.ranked[0]

    def __str__(self) -> str:
        lines = [f"Mean squared error of the gradient within {self.budget}, the least first:"]
        for rank, item in enumerate(self.ranked, 1):
            m = item.measures
            tau = "" if m.tau is None else f", tau={m.tau:.3g}"
            lines.append(
                f"{rank:3d}. {m.estimator}{tau}: {item.error:.3e} = bias {m.bias:.2e} squared + variance "
                f"{m.variance:.2e} / {item.repeats} (evaluations {m.evaluations}, {1e3 * m.seconds:.2f} ms)"
            )
        lines += [f"     not tried: {name}: {reason}" for name, reason in self.untried.items()]
        return "\n".join(lines)


def advise(
    f: Cost,
    logits: Tensor,
    *,
    evaluations: int | None = None,
    seconds: float | None = None,
    draws: int = 300,
    taus: Sequence[float] = _TAUS,
    estimators: Iterable[str] | None = None,
    mask: Tensor | None = None,
    key: Key | None = None,
) -> Advice:
    """Rank estimators and temperatures for one problem under a budget per gradient.

    Every estimator is measured by ``compare``; what the budget pays for is averaged, so a biased estimator of
    low variance wins under a small budget and an unbiased one under a large. Each estimator enters with its
    best temperature among ``taus``.

    Args:
        f: maps one-hot samples ``[S, *batch, D, C]`` to costs ``[S, *batch]``.
        logits: ``[*batch, D, C]``.
        evaluations: how many values of f one gradient may cost, or
        seconds: how long one gradient may take. Exactly one of the two.
        draws: independent estimates of each.
        taus: the temperatures to try.
        estimators: names; all registered ones when None, but enumeration, which is the yardstick, and those
            that are another one for logits.
        mask: boolean, broadcastable to the logits, True where a class is allowed.
        key: where the noise comes from.

    Raises:
        ValueError: none or both budgets, a budget that is not positive, or no estimator that fits it.
        TypeError: a budget that is no number, or ``evaluations`` that is no int.

    Example:
        >>> import torch, softdraw as sd
        >>> advice = sd.diagnostics.advise(
        ...     lambda z: (z[..., 0, 0] - 0.45) ** 2, torch.zeros(1, 2), evaluations=1, draws=100,
        ...     estimators=["st", "reinmax", "rloo"], key=sd.Key(0),
        ... )
        >>> sorted(advice.untried)
        ['rloo']
    """
    if (evaluations is None) == (seconds is None):
        raise ValueError(
            f"evaluations, seconds: got {evaluations} and {seconds}, expected exactly one budget"
        )
    limit: float
    if evaluations is not None:
        limit = evaluations = read_count("evaluations", evaluations, least=1)
    else:
        limit = seconds = read_number("seconds", seconds, above=0.0)
    key = key if key is not None else fresh_key()
    chosen = list(estimators) if estimators is not None else _different()
    untried: dict[str, str] = {}
    ranked: list[Recommendation] = []
    exact: Tensor | None = None
    for name in chosen:
        first = get(name)
        reason = _unfit(first, logits, evaluations)
        if reason:
            untried[name] = reason
            continue
        # a learned temperature is not swept: training moves it anyway
        sweepable = first.default_tau is not None and not any(True for _ in first.parameters())
        options = [{"tau": tau} for tau in taus] if sweepable and taus else [{}]
        comparison = compare(
            f, logits, [get(name, **option) for option in options], draws, key=key, mask=mask, exact=exact
        )
        exact = comparison.exact
        if not comparison.rows:
            untried[name] = next(iter(comparison.skipped.values()))
            continue
        items = [_recommend(row, name, evaluations, seconds) for row in comparison.rows]
        affordable = [item for item in items if item is not None]
        if affordable:
            ranked.append(min(affordable, key=lambda item: item.error))
        else:
            untried[name] = (
                f"one estimate takes {min(r.seconds for r in comparison.rows):.2e} s, over the budget"
            )
    if not ranked:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in untried.items())
        raise ValueError(f"no estimator fits a budget of {limit:g}: {reasons}")
    budget = f"{evaluations} evaluations of f" if evaluations is not None else f"{seconds:g} s"
    return Advice(tuple(sorted(ranked, key=lambda item: item.error)), untried, budget)


def _different() -> list[str]:
    return [name for name in names() if name != "enumeration" and not get(name).as_logits]


def _unfit(est: Estimator, logits: Tensor, evaluations: int | None) -> str:
    variables, classes = logits.shape[-2:]
    if est.target == "bound":
        return "it estimates a multi-sample bound, not E[f]"
    if est.binary and classes != 2:
        return f"binary only, and the logits have {classes} classes"
    cost = est.evaluations(variables, classes)
    if evaluations is not None and cost > evaluations:
        return f"one estimate asks for {cost} evaluations, over the budget of {evaluations}"
    return ""


def _recommend(
    row: Measures, name: str, evaluations: int | None, seconds: float | None
) -> Recommendation | None:
    if evaluations is not None:
        repeats = evaluations // row.evaluations
    else:
        repeats = math.floor((seconds or 0.0) / row.seconds)
    if repeats < 1:
        return None
    named = Measures(**{**row.to_dict(), "estimator": name})  # type: ignore[arg-type]
    return Recommendation(named, repeats, row.bias**2 + row.variance / repeats)
