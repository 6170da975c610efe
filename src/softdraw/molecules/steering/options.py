"""Settings of a steering."""

from dataclasses import dataclass

from softdraw.arguments import read_choice, read_count, read_number

__all__ = ["BINS", "SteerOptions"]

BINS = ("molecule", "scaffold", "similarity")
"""What is counted for the price of crowding: what the molecules of a bin have in common."""


@dataclass(frozen=True)
class SteerOptions:
    """Settings of a steering run.

    Attributes:
        batch_size: graphs drawn in a step.
        learning_rate: peak of Adam's, which falls to a tenth along a cosine.
        divergence: ``beta``, the price of a nat of divergence from the fitted network, in standard
            deviations.
        tau: first and last temperature of the exponential schedule.
        property_steps: steps on real molecules before steering, when there is a property network.
        property_rate: learning rate of the property network.
        property_updates: of the property network on drawn molecules, for each batch: the first on that
            batch, the others on those that were evaluated lately.
        pathwise_updates: of an estimator that asks a property network, for each batch of evaluations: those
            beyond the first draw afresh and take its word, and are left out while it errs by 0.5 standard
            deviations or more.
        free_draws: of ``control-variate``, for each evaluated graph: graphs that only the property network
            sees.
        updates: of ``log-variance``, from the memory of evaluated molecules, for each batch.
        memory: the best so many molecules are learned from again.
        offspring: share of a batch that crossover and mutation of the best molecules propose.
        screen: molecules that are proposed for each that is evaluated; the most promising are.
        crowding: of ``log-variance``, the price of a molecule whose bin is crowded: times the logarithm of by
            how much, it is added to its cost (see ``Crowding.shares``).
        crowded_by: what a bin holds: draws of one ``"molecule"``, molecules with one ``"scaffold"``, or of
            ``"similarity"`` to its first one.
        record_every: steps between two entries of the history; every step has one where calls are counted.

    Raises:
        TypeError: a number is none.
        ValueError: the batch size, the learning rate or the price is out of its range.
    """

    batch_size: int = 128
    learning_rate: float = 1e-3
    divergence: float = 0.25
    tau: tuple[float, float] = (1.0, 0.3)
    property_steps: int = 400
    property_rate: float = 2e-3
    property_updates: int = 1
    pathwise_updates: int = 1
    free_draws: int = 4
    updates: int = 2
    memory: int = 1000
    offspring: float = 0.0
    screen: int = 1
    crowding: float = 0.1
    crowded_by: str = "molecule"
    record_every: int = 10

    def __post_init__(self) -> None:
        read_count("batch_size", self.batch_size, 1)
        read_count("property_updates", self.property_updates, 1)
        read_count("pathwise_updates", self.pathwise_updates, 1)
        read_count("free_draws", self.free_draws, 0)
        read_count("updates", self.updates, 0)
        read_count("memory", self.memory, 1)
        read_count("screen", self.screen, 1)
        read_number("offspring", self.offspring, least=0.0, below=1.0)
        read_number("crowding", self.crowding, least=0.0)
        read_choice("crowded_by", self.crowded_by, BINS)
        read_number("learning_rate", self.learning_rate, least=0.0)
        read_number("divergence", self.divergence, least=0.0)
