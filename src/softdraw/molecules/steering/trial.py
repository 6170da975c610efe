"""Targets tried on a few molecules, so that one that cannot work is found before minutes of training."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from softdraw.molecules.chemistry.properties import Evaluation, evaluation
from softdraw.molecules.errors import TargetError
from softdraw.molecules.steering.targets import Target

__all__ = ["FEW", "MANY", "Ask", "evenly_spaced", "tried_on", "try_targets"]

FEW = 32
"""Molecules on which a target is tried."""
FEWEST = 4
"""Molecules on which targets are tried whose spread is known: that they work at all is what is asked."""
MANY = 1000
"""Molecules on which it is tried again before it is refused for a property that hardly varies or is seldom
defined."""
LEAST_DEFINED = 0.25
"""A property that is defined for a smaller share of molecules than this is refused as a target."""
FAR = 3.0
"""Standard deviations beyond every molecule that was looked at, from which a goal is called far."""


Ask = Callable[[int, Sequence[str]], Evaluation]
"""Evaluates the target at a place of their list on molecules."""


def try_targets(
    targets: Iterable[Target],
    smiles: Sequence[str],
    ask: Ask | None = None,
    *,
    first: Sequence[str] | None = None,
    many: int = MANY,
) -> list[str]:
    """See that targets can work.

    Args:
        targets: what to steer to.
        smiles: molecules of the data.
        ask: what evaluates them; by default the targets themselves, and no one counts.
        first: those on which they are tried; by default 32, evenly spaced, or 4 where the spread of every
            property is known.
        many: how many they are tried on again before one is refused.

    Returns:
        Remarks: a property that is undefined for some molecules, a goal far outside the data.

    Raises:
        TargetError: a property does not exist, fails for every molecule that it was tried on, is defined for
            less than a quarter of them, or is the same for all and its spread is not known.

    Example:
        >>> try_targets([Target("heavy_atoms", 500)], ["C", "CC", "CCC"])
        ['target heavy_atoms=500: 610 standard deviations away from the data (mean 2, from 1 to 3)']
    """
    targets = list(targets)

    def asked(place: int, molecules: Sequence[str]) -> Evaluation:
        return evaluation(targets[place].record, molecules)

    first = evenly_spaced(smiles, tried_on(targets)) if first is None else first
    remarks = []
    for place, target in enumerate(targets):
        scaled = target.record.spread is not None
        more = min(FEW, many) if scaled else many
        found = (ask or asked)(place, first)
        if (found.defined or scaled) and _trouble(found, scaled) and more > len(first):
            found = (ask or asked)(place, evenly_spaced(smiles, more))
        trouble = _trouble(found, scaled)
        if trouble:
            raise TargetError(f"target {target}: {trouble}")
        if found.defined < found.molecules:
            remarks.append(f"target {target}: {_share(found)}; molecules without it do not count")
        if not scaled:
            remarks += _far(target, found.values[np.isfinite(found.values)])
    return remarks


def tried_on(targets: Sequence[Target]) -> int:
    """Molecules that targets are tried on at first: 4 where the spread of every property is known, else 32.

    Example:
        >>> tried_on([Target("logp", 2)])
        32
    """
    return FEW if any(target.record.spread is None for target in targets) else FEWEST


def evenly_spaced(smiles: Sequence[str], count: int) -> list[str]:
    """``count`` entries, evenly spaced, since data files are often sorted."""
    if len(smiles) <= count:
        return list(smiles)
    return [smiles[index] for index in np.linspace(0, len(smiles) - 1, count).round().astype(int)]


def _trouble(found: Evaluation, scaled: bool) -> str:
    known = found.values[np.isfinite(found.values)]
    if len(known) < LEAST_DEFINED * found.molecules or not len(known):
        return f"{_share(found)}, expected a number for at least a quarter of them"
    if not scaled and np.ptp(known) <= 1e-12 * abs(known[0]):
        return f"the property is {known[0]:.4g} for all {len(known)} molecules tried, expected it to vary"
    return ""


def _share(found: Evaluation) -> str:
    text = f"the property is defined for {found.defined} of {found.molecules} molecules tried"
    return f"{text} ({found.reason})" if found.reason else text


def _far(target: Target, known: NDArray[np.float64]) -> list[str]:
    ends = target.aim.ends
    if ends is None:
        return []
    mean, std, low, high = known.mean(), known.std(), known.min(), known.max()
    if ends[0] <= high + FAR * std and low - FAR * std <= ends[1]:
        return []
    away = ends[0] - mean if ends[0] > high else mean - ends[1]
    return [
        f"target {target}: {away / std:.3g} standard deviations away from the data "
        f"(mean {mean:.4g}, from {low:.4g} to {high:.4g})"
    ]
