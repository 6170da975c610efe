"""The molecules of the data on which a steering knows its properties: for their scale, and to learn from.

Distances are in standard deviations of the data, and a property network learns from the data first. Where
calls are counted these molecules are paid for as any others, so there are few of them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from softdraw.molecules.chemistry.properties import PROPERTIES, Property, moments
from softdraw.molecules.data.graphs import GraphSet
from softdraw.molecules.data.split import LABELLED
from softdraw.molecules.evaluating.ledger import Ledger
from softdraw.molecules.runtime.remarks import remark
from softdraw.molecules.steering.gradients.estimator import BLACK_BOX
from softdraw.molecules.steering.targets import Target
from softdraw.molecules.steering.trial import MANY, evenly_spaced, tried_on, try_targets

__all__ = ["Labels", "labels_of", "needs_network", "try_counted"]

SHARE, MOST = 0.1, 500
"""Share of the calls, and number of them, that go to molecules of the data for a property network at most."""

Statistics = tuple[tuple[float, float], ...]
Known = tuple[NDArray[np.float64], tuple[float, float]]


class Labels(NamedTuple):
    """Molecules of the data and their properties.

    Attributes:
        graphs: the molecules, for the property network.
        values: ``[molecules, targets]``, NaN where there is none.
        statistics: mean and standard deviation of each target's property.
    """

    graphs: GraphSet
    values: NDArray[np.float64]
    statistics: Statistics


def needs_network(targets: Sequence[Target], estimator: str) -> bool:
    """Whether gradients have to pass through a network that learns the properties.

    Example:
        >>> needs_network([Target("logp", 2)], "st"), needs_network([Target("heavy_atoms", 9)], "st")
        (True, False)
        >>> needs_network([Target("logp", 2)], "reinforce")
        False
    """
    return estimator not in BLACK_BOX and any(target.record.additive is None for target in targets)


def try_counted(targets: Sequence[Target], ledger: Ledger, smiles: Sequence[str]) -> list[str]:
    """See that targets can work, by calls that are counted: 32, or half of a small budget.

    Where the spread of every property is known, 4 do. Before a property is refused as one that hardly varies,
    a tenth of the budget is asked. What an earlier process had tried is tried again, and is not paid for
    again.

    Args:
        targets: what to steer to.
        ledger: of their properties, with a limit.
        smiles: molecules of the data.

    Returns:
        Remarks, as ``trial.try_targets``.

    Raises:
        TargetError: one cannot work.
    """
    limit = ledger.limit or 0
    few = min(tried_on(targets), limit // 2)
    many = max(few, min(MANY, int(SHARE * limit)))
    before = ledger.of_data
    # once steps have begun the scale stays what it was, whatever the budget is now
    first = before if ledger.labelled else [*before, *_others(smiles, before, few)]
    return try_targets(targets, smiles, ledger.evaluation, first=first, many=many)


def labels_of(
    targets: Sequence[Target],
    ledger: Ledger,
    train: GraphSet,
    estimator: str,
    known: dict[Property, Known],
) -> Labels:
    """Try the targets, and evaluate molecules of the data.

    Where calls are counted these are the molecules of the trial, and with a property network a few more to
    learn from: a tenth of the budget, 500 at most, evenly spaced over the data. Without a network the scale
    of the distances comes from the trial's alone. After a resume they are what they were, also where the
    budget is another one now. Where nothing is counted they are the first 10,000; without a property network
    a function of the user's own is asked for 1,000. A property whose spread is known is asked for none of
    these where there is no network, and in any case its statistics are 0 and its spread.

    Args:
        targets: what to steer to.
        ledger: of their properties.
        train: molecules of the data.
        estimator: of the steering.
        known: by property, values of the first molecules of the data that were computed before and their
            statistics, read and added to where nothing is counted.

    Raises:
        TargetError: a target cannot work.
    """
    learned = needs_network(targets, estimator)
    if ledger.limit is not None:
        return _counted(targets, ledger, train, learned)
    records = [target.record for target in targets]
    if all(record in known for record in records):
        values = np.stack([known[record][0] for record in records], 1)
        ledger.learn(train.smiles[: len(values)], values)
    for text in try_targets(targets, train.smiles, ledger.evaluation):
        remark(text)
    if not learned and all(record.spread is not None for record in records):
        none = np.zeros((0, len(records)))
        return Labels(train.subset([]), none, _statistics(targets, none))
    if not learned and any(PROPERTIES.get(record.name) is not record for record in records):
        values = ledger.ask(evenly_spaced(train.smiles, MANY))
        return Labels(train.subset([]), values[:0], _statistics(targets, values))
    values = ledger.ask(train.smiles[:LABELLED])
    labels = Labels(train.subset(np.arange(len(values))), values, _statistics(targets, values))
    for place, record in enumerate(records):
        known[record] = values[:, place], labels.statistics[place]
    return labels


def _counted(targets: Sequence[Target], ledger: Ledger, train: GraphSet, learned: bool) -> Labels:
    complete = ledger.labelled
    for text in try_counted(targets, ledger, train.smiles):
        remark(text)
    if learned and not complete:
        before, wanted = ledger.used, min(MOST, int(SHARE * (ledger.limit or 0)))
        ledger.ask([*before, *_others(train.smiles, before, wanted)])
    of_data = set(ledger.used)
    # sorted: before a resume processes may have ended in another order
    statistics = _statistics(targets, ledger.known(sorted(of_data)))
    places = [place for place, one in enumerate(train.smiles) if one in of_data]
    return Labels(train.subset(places), ledger.known([train.smiles[place] for place in places]), statistics)


def _others(smiles: Sequence[str], before: Sequence[str], wanted: int) -> list[str]:
    """Evenly spaced molecules that fill up those of before to the number that is wanted."""
    known = set(before)
    left = max(0, wanted - len(known))
    return [one for one in evenly_spaced(smiles, wanted) if one not in known][:left]


def _statistics(targets: Sequence[Target], values: NDArray[np.float64]) -> Statistics:
    spreads = [target.record.spread for target in targets]
    return tuple(
        moments(target.property, values[:, place]) if spread is None else (0.0, spread)
        for place, (target, spread) in enumerate(zip(targets, spreads, strict=True))
    )
