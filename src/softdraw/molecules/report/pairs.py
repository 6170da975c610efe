"""Drawn molecules before and after steering, side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softdraw.molecules.report.pictures import molecule_picture
from softdraw.molecules.scoring.table import DASH

__all__ = ["label_of", "pairs"]

Values = Mapping[str, Mapping[str, NDArray[np.float64]]]

LABELS = {
    "logp": ("logP", "{:.2f}"),
    "qed": ("QED", "{:.2f}"),
    "tpsa": ("polar surface, Å²", "{:.0f}"),
    "mw": ("weight, g/mol", "{:.0f}"),
    "sa": ("synthetic accessibility", "{:.1f}"),
}
"""Name and format of a property; synthetic accessibility goes from 1, easy, to 10."""


def label_of(name: str) -> str:
    """What to call a property.

    Example:
        >>> label_of("logp"), label_of("my_module:weight")
        ('logP', 'weight')
    """
    return LABELS[name][0] if name in LABELS else name.rpartition(":")[2]


def pairs(
    before: Sequence[str], after: Sequence[str], properties: Values, first: Sequence[str], count: int
) -> list[dict[str, Any]]:
    """The first molecules of two draws that share their noise, so that those of a row belong together.

    Args:
        before: SMILES of the fitted model.
        after: SMILES of the steered model; empty when there is none.
        properties: by property and draw, the values.
        first: properties to list first, those of the targets.
        count: how many.

    Returns:
        For each, ``molecules`` (one or two, with ``smiles`` and ``picture``) and ``rows`` (label, a text for
        each molecule, whether it is a target).
    """
    names = dict.fromkeys([*first, *properties])
    shown = []
    for place in range(min(count, len(before))):
        drawn = {"fitted": before[place]}
        if place < len(after):
            drawn["steered"] = after[place]
        rows = []
        for name in names:
            texts = [_value(properties.get(name, {}).get(draw), place, name) for draw in drawn]
            rows.append({"label": label_of(name), "texts": texts, "target": name in first})
        molecules = [{"smiles": smiles, "picture": molecule_picture(smiles)} for smiles in drawn.values()]
        shown.append({"molecules": molecules, "rows": rows})
    return shown


def _value(values: NDArray[np.float64] | None, place: int, name: str) -> str:
    if values is None or place >= len(values) or not np.isfinite(values[place]):
        return DASH
    form = LABELS[name][1] if name in LABELS else "{:.3g}"
    return form.format(values[place])
