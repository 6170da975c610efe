"""Options of the command line for how a steering learns; what is not said is left to ``SteerOptions``."""

from typing import Annotated

import typer

from softdraw.molecules.steering.options import BINS, SteerOptions

__all__ = [
    "BatchSize",
    "CrowdedBy",
    "Crowding",
    "Divergence",
    "LearningRate",
    "Memory",
    "Offspring",
    "Screen",
    "Updates",
]

BatchSize = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="N", help="Molecules drawn in a step.", show_default=f"{SteerOptions.batch_size}"
    ),
]
LearningRate = Annotated[
    float | None,
    typer.Option(
        metavar="RATE", help="Peak of the learning rate.", show_default=f"{SteerOptions.learning_rate}"
    ),
]
Divergence = Annotated[
    float | None,
    typer.Option(
        metavar="PRICE",
        help="Price of a nat of divergence from the fitted model, in standard deviations.",
        show_default=f"{SteerOptions.divergence}",
    ),
]
Updates = Annotated[
    int | None,
    typer.Option(
        min=0,
        metavar="N",
        help="Updates from the best molecules so far, for each batch (log-variance).",
        show_default=f"{SteerOptions.updates}",
    ),
]
Memory = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="The best so many molecules are learned from again (log-variance).",
        show_default=f"{SteerOptions.memory}",
    ),
]
Offspring = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        help="Share of a batch that crossover and mutation of the best molecules propose (log-variance).",
        show_default=f"{SteerOptions.offspring:g}",
    ),
]
Screen = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Molecules proposed for each that is evaluated: the most promising are (log-variance).",
        show_default=f"{SteerOptions.screen}",
    ),
]
Crowding = Annotated[
    float | None,
    typer.Option(
        metavar="PRICE",
        help="Price of molecules that were drawn before, in standard deviations (log-variance).",
        show_default=f"{SteerOptions.crowding:g}",
    ),
]
CrowdedBy = Annotated[
    str | None,
    typer.Option(
        metavar="|".join(BINS),
        help="What is counted for that: the molecule itself, its scaffold, or what is similar to it.",
        show_default=SteerOptions.crowded_by,
    ),
]
