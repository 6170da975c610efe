"""A fitted generator on disk: weights, data, settings and history."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from numpy.typing import NDArray

from softdraw.molecules.data.graphs import GraphSet
from softdraw.molecules.data.split import Parts
from softdraw.molecules.errors import CheckpointError, DataError
from softdraw.molecules.model.network import GraphNetwork
from softdraw.molecules.storage.arrays import read_arrays, write_arrays
from softdraw.molecules.storage.atomic import make_folder, write_json
from softdraw.molecules.storage.tensors import read_json, read_tensors, write_tensors

if TYPE_CHECKING:
    from softdraw.molecules.generator import MoleculeGenerator

__all__ = ["load_generator", "save_generator"]

FORMAT = 1
"""Version of the saved form."""
MODEL, DATA, STATE = "model.safetensors", "molecules.npz", "generator.json"
KEPT = (
    "seed",
    "augment",
    "learning_rate",
    "batch_size",
    "dataset_summary",
    "fit_summary",
    "steer_summary",
    "fit_history",
    "steer_history",
    "property_statistics",
)
"""Attributes that are kept as JSON."""

Generator = TypeVar("Generator", bound="MoleculeGenerator")


def save_generator(generator: "MoleculeGenerator", folder: Path) -> None:
    """Write a generator; the file that makes the folder whole, ``generator.json``, comes last.

    Raises:
        OutputError: the folder cannot be written, or the disk is full.
        RuntimeError: the generator is not fitted.
    """
    network, parts = generator.network, generator.parts
    make_folder(folder)
    arrays: dict[str, NDArray[Any]] = {}
    for name in ("train", "validation", "heldout"):
        part: GraphSet = getattr(parts, name)
        arrays |= {f"{name}.{field}": array for field, array in part.to_arrays().items()}
    write_arrays(folder / DATA, arrays)
    write_tensors(folder / MODEL, dict(network.state_dict()))
    state: dict[str, Any] = {name: getattr(generator, name) for name in KEPT}
    state |= {"format": FORMAT, "options": generator.options.to_dict(), "max_atoms": network.max_atoms}
    write_json(folder / STATE, state)


def load_generator(cls: type[Generator], folder: Path) -> Generator:
    """Read what ``save_generator`` wrote.

    Raises:
        CheckpointError: a file is missing or damaged, or of another version.
    """
    state = read_json(folder / STATE)
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise CheckpointError(f"{folder / STATE}: not a saved generator of format {FORMAT}")
    weights = read_tensors(folder / MODEL)
    try:
        arrays = read_arrays(folder / DATA)
        generator = cls(**state["options"])
        for name in KEPT:
            setattr(generator, name, state[name])
        pairs = generator.property_statistics.items()
        generator.property_statistics = {name: (mean, std) for name, (mean, std) in pairs}
        parts = {}
        for name in ("train", "validation", "heldout"):
            own = {k.removeprefix(f"{name}."): v for k, v in arrays.items() if k.startswith(f"{name}.")}
            parts[name] = GraphSet.from_arrays(own)
        network = GraphNetwork(parts["train"].vocabulary.valences, state["max_atoms"], generator.options)
        network.load_state_dict(weights)
    except (DataError, KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        reason = str(error).strip().split("\n")[0]
        raise CheckpointError(f"{folder}: not a whole saved generator ({reason})") from error
    generator.adopt(network, Parts(**parts))
    return generator
