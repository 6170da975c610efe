"""What a fit chooses where the user leaves it open: the size of the network, batch, rate, atom orders."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from softdraw.molecules.errors import CheckpointError
from softdraw.molecules.fitting.optimizers import OPTIMIZERS
from softdraw.molecules.model.sizes import NETWORKS, NetworkOptions
from softdraw.molecules.runtime.budget import Budget

__all__ = ["PLAN_FILE", "FitPlan", "from_dict", "plan_fit", "to_dict"]

PLAN_FILE = "plan.json"
"""Name of the plan of a fit, beside its checkpoint: a fit that goes on keeps its plan."""
SMALL_ATOMS = 12
"""Up to this many heavy atoms a molecule is small, and so is the network for it."""
LARGE_MINUTES, LARGE_MOLECULES = 10.0, 50_000
"""From this time and this many molecules on, a large network is worth its slower steps."""
FEW_EPOCHS_MOLECULES = 150_000
"""A set as large as this is hardly seen twice, and need not be varied by random atom orders."""
FITTED_RATE = 1e-3
"""Learning rate of a fit that goes on from another one."""
MUON_WIDTH = 96
"""From this width on Muon pays for its products. A sixth of MOSES, one core, seed 0, nats of held-out ones:
width 96 after 400 steps 25.59 in 147 s, with AdamW 29.52 in 139 s; width 128 after 790 steps 23.27, and
25.68."""
PART_SHARE = 0.125
"""Of its batches, those that teach to draw on from a given part."""


@dataclass(frozen=True)
class FitPlan:
    """How to learn.

    Attributes:
        network: sizes of the network.
        name: of those sizes, ``"own"`` for the user's.
        batch_size: molecules of a batch.
        learning_rate: its peak.
        augment: share of batches in random atom orders.
        why: the reasons for what was chosen, in a line.
        optimizer: one of ``optimizers.OPTIMIZERS``.
    """

    network: NetworkOptions
    name: str
    batch_size: int
    learning_rate: float
    augment: float
    why: str
    optimizer: str = "adamw"


def plan_fit(
    molecules: int,
    max_atoms: int,
    budget: Budget,
    *,
    network: NetworkOptions | None = None,
    fitted: bool = False,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    augment: float | None = None,
) -> FitPlan:
    """Choose what is None.

    Args:
        molecules: to learn from.
        max_atoms: of the largest one.
        budget: of the fit.
        network: sizes of the network.
        fitted: whether its weights are those of an earlier fit, which a high rate would undo.
        batch_size: molecules of a batch.
        learning_rate: its peak.
        augment: share of batches in random atom orders.

    Example:
        >>> plan = plan_fit(1_500_000, 27, Budget(60.0, None))
        >>> plan.name, plan.batch_size, plan.augment
        ('large', 128, 0.125)
        >>> print(plan.why)
        large network (128 wide, 4 layers) for 1,500,000 molecules of up to 27 atoms in 60 minutes, batches of
        128, learning rate 0.003, Muon, canonical atom orders, and others in a share 0.125 of batches
    """
    if network is None:
        network = NETWORKS[_size_for(molecules, max_atoms, budget)]
    name = next((name for name, sizes in NETWORKS.items() if sizes == network), "own")
    small = max_atoms <= SMALL_ATOMS
    if batch_size is None:
        batch_size = max(1, min(256 if small else 128, molecules // 4 or 1))
    if learning_rate is None:
        learning_rate = 4e-3 if network.width <= NETWORKS["medium"].width else 3e-3
        learning_rate = FITTED_RATE if fitted else learning_rate
    if augment is None:
        augment = PART_SHARE if molecules >= FEW_EPOCHS_MOLECULES and not small else 1.0
    optimizer = "muon" if network.width >= MUON_WIDTH else "adamw"
    orders = {0.0: "canonical atom orders", 1.0: "random atom orders"}.get(
        augment, f"canonical atom orders, and others in a share {augment:g} of batches"
    )
    why = (
        f"{name} network ({network.width} wide, {network.layers} layer{'s' * (network.layers > 1)}) for "
        f"{molecules:,} molecules of up to {max_atoms} atoms in {budget}, batches of {batch_size}, learning "
        f"rate {learning_rate:g}, {OPTIMIZERS[optimizer]}, {orders}"
    )
    return FitPlan(network, name, batch_size, learning_rate, augment, why, optimizer)


def to_dict(plan: FitPlan) -> dict[str, Any]:
    """The plan, ready for JSON."""
    return asdict(plan)


def from_dict(stored: Mapping[str, Any]) -> FitPlan:
    """The plan that ``to_dict`` gave, of a fit to go on with.

    Raises:
        CheckpointError: it is none.
    """
    try:
        return FitPlan(**{**stored, "network": NetworkOptions(**stored["network"])})
    except (TypeError, ValueError, KeyError) as error:
        raise CheckpointError(f"{PLAN_FILE}: not the plan of a fit ({error})") from error


def _size_for(molecules: int, max_atoms: int, budget: Budget) -> str:
    if max_atoms <= SMALL_ATOMS:
        return "small"
    if molecules >= LARGE_MOLECULES and budget.minutes is not None and budget.minutes >= LARGE_MINUTES:
        return "large"
    return "medium"
