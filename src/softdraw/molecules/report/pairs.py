"""Drawn molecules before and after steering, side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softdraw.molecules.chemistry.property import Property
from softdraw.molecules.report.pictures import molecule_picture
from softdraw.molecules.scoring.table import DASH

__all__ = ["pairs"]

Values = Mapping[str, Mapping[str, NDArray[np.float64]]]


def pairs(
    before: Sequence[str],
    after: Sequence[str],
    values: Values,
    records: Mapping[str, Property],
    first: Sequence[str],
    count: int,
) -> list[dict[str, Any]]:
    """The first molecules of two draws that share their noise, so that those of a row belong together.

    Args:
        before: SMILES of the fitted model.
        after: SMILES of the steered model; empty when there is none.
        values: by property and draw, the values.
        records: by property, what it is called and how it is written.
        first: properties to list first, those of the targets.
        count: how many.

    Returns:
        For each, ``molecules`` (one or two, with ``smiles`` and ``picture``) and ``rows`` (label, a text for
        each molecule, whether it is a target).
    """
    names = dict.fromkeys([*first, *values])
    shown = []
    for place in range(min(count, len(before))):
        drawn = {"fitted": before[place]}
        if place < len(after):
            drawn["steered"] = after[place]
        rows = []
        for name in names:
            texts = [_text(values.get(name, {}).get(draw), place, records[name]) for draw in drawn]
            rows.append({"label": records[name].title, "texts": texts, "target": name in first})
        molecules = [{"smiles": smiles, "picture": molecule_picture(smiles)} for smiles in drawn.values()]
        shown.append({"molecules": molecules, "rows": rows})
    return shown


def _text(values: NDArray[np.float64] | None, place: int, record: Property) -> str:
    if values is None or place >= len(values) or not np.isfinite(values[place]):
        return DASH
    return record.written(values[place])
