"""Writing and reading priors: a network, its vocabulary and what is known of its data, without the data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from softdraw.molecules.chemistry.vocabulary import Vocabulary
from softdraw.molecules.errors import CheckpointError
from softdraw.molecules.model.network import GraphNetwork
from softdraw.molecules.model.sizes import NetworkOptions
from softdraw.molecules.storage.atomic import make_folder, write_json
from softdraw.molecules.storage.tensors import read_json, read_tensors, write_tensors

__all__ = ["Prior", "prior_names", "read_prior", "write_prior"]

HOME = Path(__file__).parent
WEIGHTS_FILE, SETTINGS_FILE = "model.safetensors", "prior.json"


@dataclass
class Prior:
    """A fitted network without the molecules that it learned from.

    Attributes:
        network: the network.
        vocabulary: what its atom types mean.
        dataset_summary: what it was fitted to.
        fit_summary: what the fit did.
        property_statistics: by property, mean and standard deviation over that data.
    """

    network: GraphNetwork
    vocabulary: Vocabulary
    dataset_summary: dict[str, Any]
    fit_summary: dict[str, Any]
    property_statistics: dict[str, tuple[float, float]]


def prior_names() -> list[str]:
    """The priors that are there.

    Example:
        >>> prior_names()
        ['druglike']
    """
    return sorted(file.parent.name for file in HOME.glob(f"*/{SETTINGS_FILE}"))


def write_prior(folder: Path, prior: Prior) -> None:
    """Write a prior, its weights in half precision.

    Raises:
        OutputError: the folder cannot be written, or the disk is full.
    """
    make_folder(folder)
    state = prior.network.state_dict()
    write_tensors(
        folder / WEIGHTS_FILE,
        {name: one.half() if one.is_floating_point() else one for name, one in state.items()},
    )
    write_json(
        folder / SETTINGS_FILE,
        {
            "vocabulary": prior.vocabulary.to_json(),
            "options": prior.network.options.to_dict(),
            "max_atoms": prior.network.max_atoms,
            "dataset_summary": prior.dataset_summary,
            "fit_summary": prior.fit_summary,
            "property_statistics": prior.property_statistics,
        },
    )


def read_prior(name: str, home: Path = HOME) -> Prior:
    """Read a prior.

    Args:
        name: one of ``prior_names``.
        home: the folder that it lies in.

    Raises:
        CheckpointError: it is not there, or damaged.
    """
    folder = home / name
    state = read_json(folder / SETTINGS_FILE)
    weights = read_tensors(folder / WEIGHTS_FILE)
    try:
        vocabulary = Vocabulary.from_json(state["vocabulary"])
        network = GraphNetwork(vocabulary.valences, state["max_atoms"], NetworkOptions(**state["options"]))
        network.load_state_dict(weights)  # copied into float32
        moments = state["property_statistics"].items()
        statistics = {key: (float(mean), float(std)) for key, (mean, std) in moments}
        return Prior(network.eval(), vocabulary, state["dataset_summary"], state["fit_summary"], statistics)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{folder}: not a whole prior ({str(error).splitlines()[0]})") from error
