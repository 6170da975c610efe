"""The table of scores: what each one means, and which way is better."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["DASH", "MOSES_ROWS", "ROWS", "Row", "filled_rows", "written"]

DASH = "\N{EN DASH}"
"""Where there is no figure."""


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        name: of the score, as ``Scores`` has it, or a run where it held the draws to patterns.
        title: what to call it.
        meaning: one sentence.
        better: ``"higher"``, ``"lower"``, or ``""`` where neither is.
        kind: ``"share"``, ``"number"``, or ``"similarity"``, which has four digits.
    """

    name: str
    title: str
    meaning: str
    better: str
    kind: str = "number"


ROWS = (
    Row("count", "molecules drawn", "Every draw counts, valid or not.", ""),
    Row(
        "validity",
        "valid",
        "RDKit reads the molecule without any repair, and it is one fragment.",
        "higher",
        "share",
    ),
    Row("uniqueness", "unique", "Different molecules among the valid ones.", "higher", "share"),
    Row(
        "novelty_train",
        "new to training",
        "Different molecules that were not trained on. A close fit to a small or complete set lowers it, so "
        "it says little without a distance beside it.",
        "",
        "share",
    ),
    Row(
        "novelty_whole",
        "new to the data",
        "The same against everything that was read, held-out molecules included.",
        "",
        "share",
    ),
    Row(
        "valid_unique_novel",
        "valid, unique and new",
        "Different valid molecules that are not in the data, as a share of all draws.",
        "higher",
        "share",
    ),
    Row(
        "fcd",
        "Fréchet ChemNet distance",
        "How far the draws are from the held-out molecules in the activations of ChemNet. It depends on the "
        "number of draws: compare only with the same count.",
        "lower",
    ),
    Row(
        "atom_types",
        "atom types",
        "Total variation to the held-out molecules: 0 the same frequencies, 1 nothing shared.",
        "lower",
    ),
    Row("bond_orders", "bond orders", "The same for single, double and triple bonds.", "lower"),
    Row("ring_sizes", "ring sizes", "The same for the sizes of rings.", "lower"),
    Row("logp", "logP", "Wasserstein distance to the held-out molecules, in units of logP.", "lower"),
    Row("qed", "QED", "The same for drug-likeness, which goes from 0 to 1.", "lower"),
    Row("mw", "molecular weight", "The same for weight, in g/mol.", "lower"),
    Row("tpsa", "polar surface", "The same for the polar surface area, in Å².", "lower"),
    Row(
        "diversity",
        "internal diversity",
        "One less the mean Tanimoto similarity between the draws: 0 all alike.",
        "higher",
    ),
    Row(
        "passing",
        "passes the patterns",
        "Molecules that hold no pattern of --forbid and all of --require.",
        "higher",
        "share",
    ),
    Row("mean_atoms", "heavy atoms", "Heavy atoms of a valid molecule, on average.", ""),
)


def _compared(suffix: str, to: str) -> tuple[Row, ...]:
    """The four comparisons of MOSES with one set."""
    return (
        Row(f"fcd_{suffix}", f"FCD, {to}", f"Fréchet ChemNet distance to {to}.", "lower"),
        Row(
            f"snn_{suffix}",
            f"SNN, {to}",
            f"Tanimoto similarity to the nearest molecule of {to}, on average.",
            "higher",
            "similarity",
        ),
        Row(
            f"frag_{suffix}",
            f"Frag, {to}",
            f"Cosine similarity of the counts of BRICS fragments with those of {to}.",
            "higher",
            "similarity",
        ),
        Row(
            f"scaf_{suffix}",
            f"Scaf, {to}",
            f"The same for scaffolds of at least two rings; to {to}.",
            "higher",
            "similarity",
        ),
    )


MOSES_ROWS = (
    Row("count", "molecules drawn", "Every draw counts, valid or not.", ""),
    Row("valid", "valid", "RDKit reads the molecule; several fragments are one.", "higher", "share"),
    Row("unique_1k", "unique@1k", "Different molecules among the first 1,000 valid ones.", "higher", "share"),
    Row("unique_10k", "unique@10k", "The same among the first 10,000.", "higher", "share"),
    *_compared("test", "test"),
    *_compared("scaffolds", "scaffold test"),
    Row("int_div", "IntDiv", "One less the mean Tanimoto similarity.", "higher", "similarity"),
    Row("int_div2", "IntDiv2", "The same with the root mean square.", "higher", "similarity"),
    Row("filters", "Filters", "Valid molecules that pass the filters of MOSES.", "higher", "share"),
    Row("novelty", "Novelty", "Different molecules that are not in the training set.", "higher", "share"),
)
"""The table of MOSES, as ``moses.MosesScores`` has it."""


def filled_rows(scores: Mapping[str, Mapping[str, Any]], draws: list[str]) -> list[dict[str, Any]]:
    """The rows for which there is a figure, with one cell for each draw.

    Args:
        scores: by draw, its scores by name.
        draws: the columns.

    Returns:
        ``row`` and ``cells`` for each line.
    """
    lines = []
    for row in ROWS:
        values = [scores.get(draw, {}).get(row.name) for draw in draws]
        if any(value is not None for value in values):
            lines.append({"row": row, "cells": [written(value, row.kind) for value in values]})
    return lines


def written(value: Any, kind: str = "number") -> str:
    """A figure as text: a dash where there is none.

    Example:
        >>> written(0.98765, "share"), written(0.302134), written(1234), written(None)
        ('98.8 %', '0.302', '1,234', '–')
        >>> written(0.5254321, "similarity")
        '0.5254'
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return DASH
    if kind == "share":
        return f"{100 * value:.1f} %"
    if kind == "similarity":
        return f"{value:.4f}"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.3g}"
