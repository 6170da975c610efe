"""A fitted generator as plain data on disk: weights, molecules, settings and history.

This room knows files and plain data, and no generator: who saves hands over a ``SavedModel``, who loads gets
one. May import: ``model``, ``data``, ``storage``, ``errors``.
"""

from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from softdraw.molecules.data.graphs import GraphSet
from softdraw.molecules.data.split import Parts
from softdraw.molecules.errors import CheckpointError, DataError
from softdraw.molecules.model.network import GraphNetwork
from softdraw.molecules.model.sizes import NetworkOptions
from softdraw.molecules.storage.arrays import read_arrays, write_arrays
from softdraw.molecules.storage.atomic import make_folder, write_json
from softdraw.molecules.storage.tensors import read_json, read_tensors, write_tensors

__all__ = ["SavedModel", "SavedSettings", "load_model", "save_model"]

MODEL_FORMAT = 2
"""Version of the saved form."""
WEIGHTS_FILE, MOLECULES_FILE, SETTINGS_FILE = "model.safetensors", "molecules.npz", "generator.json"


@dataclass
class SavedSettings:
    """What a generator was asked to do and what it did, in plain Python, ready for JSON.

    Attributes:
        seed: of everything random where no key is given.
        augment: share of training batches in random atom orders.
        learning_rate: peak of the learning rate of the fit.
        batch_size: molecules of a training batch; None chooses by the size of the molecules.
        dataset_summary: what was read, kept and left out.
        fit_summary: what the fit did.
        steer_summary: what the steering did.
        fit_history: figures of the fit over time.
        steer_history: figures of the steering over time.
        property_statistics: by property, mean and standard deviation over the data.
    """

    seed: int
    augment: float | None
    learning_rate: float | None
    batch_size: int | None
    dataset_summary: dict[str, Any] = field(default_factory=dict)
    fit_summary: dict[str, Any] = field(default_factory=dict)
    steer_summary: dict[str, Any] = field(default_factory=dict)
    fit_history: list[dict[str, Any]] = field(default_factory=list)
    steer_history: list[dict[str, Any]] = field(default_factory=list)
    property_statistics: dict[str, tuple[float, float]] = field(default_factory=dict)


@dataclass
class SavedModel:
    """A fitted network, the molecules that it learned from, and its settings."""

    network: GraphNetwork
    parts: Parts
    settings: SavedSettings


def save_model(folder: Path, model: SavedModel) -> None:
    """Write a model; the file that makes the folder whole, ``generator.json``, comes last.

    Raises:
        OutputError: the folder cannot be written, or the disk is full.
    """
    make_folder(folder)
    arrays: dict[str, NDArray[Any]] = {}
    for name in ("train", "validation", "heldout"):
        part: GraphSet = getattr(model.parts, name)
        arrays |= {f"{name}.{column}": array for column, array in part.to_arrays().items()}
    write_arrays(folder / MOLECULES_FILE, arrays)
    write_tensors(folder / WEIGHTS_FILE, dict(model.network.state_dict()))
    network = {"options": model.network.options.to_dict(), "max_atoms": model.network.max_atoms}
    write_json(folder / SETTINGS_FILE, {**asdict(model.settings), "format": MODEL_FORMAT, **network})


def load_model(folder: Path) -> SavedModel:
    """Read what ``save_model`` wrote.

    Raises:
        CheckpointError: a file is missing or damaged, or of another version.
    """
    if not (folder / SETTINGS_FILE).exists():
        within = sorted(str(found.parent) for found in folder.glob(f"*/*/{SETTINGS_FILE}"))
        if within:
            models = " or ".join(within)
            raise CheckpointError(f"{folder}: is the folder of a run; expected a model: {models}")
    state = read_json(folder / SETTINGS_FILE)
    if not isinstance(state, dict) or state.get("format") != MODEL_FORMAT:
        raise CheckpointError(f"{folder / SETTINGS_FILE}: not a saved generator of format {MODEL_FORMAT}")
    weights = read_tensors(folder / WEIGHTS_FILE)
    try:
        arrays = read_arrays(folder / MOLECULES_FILE)
        settings = SavedSettings(**{entry.name: state[entry.name] for entry in fields(SavedSettings)})
        moments = settings.property_statistics.items()
        settings.property_statistics = {name: (float(mean), float(std)) for name, (mean, std) in moments}
        parts = {}
        for name in ("train", "validation", "heldout"):
            own = {k.removeprefix(f"{name}."): v for k, v in arrays.items() if k.startswith(f"{name}.")}
            parts[name] = GraphSet.from_arrays(own)
        options = NetworkOptions(**state["options"])
        network = GraphNetwork(parts["train"].vocabulary.valences, state["max_atoms"], options)
        network.load_state_dict(weights)
    except (DataError, KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        reason = str(error).strip().split("\n")[0]
        raise CheckpointError(f"{folder}: not a whole saved generator ({reason})") from error
    return SavedModel(network, Parts(**parts), settings)
