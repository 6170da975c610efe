"""Many molecules from one key: the same ones whatever number is asked for at a time."""

import torch

from softdraw.molecules.chemistry.codec import decode_batch
from softdraw.molecules.chemistry.vocabulary import Vocabulary
from softdraw.molecules.model.drawing import draw
from softdraw.molecules.model.network import GraphNetwork
from softdraw.random import Key

__all__ = ["sample_smiles"]


def internal_width(max_atoms: int) -> int:
    """Graphs drawn at a time, always, since the last bits of a matrix product depend on its shape."""
    return 1024 if max_atoms <= 16 else 256


@torch.inference_mode()
def sample_smiles(
    network: GraphNetwork, vocabulary: Vocabulary, count: int, key: Key, *, mask: bool
) -> list[str]:
    """Draw molecules.

    Args:
        network: what gives the logits.
        vocabulary: what its atom types mean.
        count: how many graphs to draw.
        key: molecule ``m`` uses row ``m`` of it.
        mask: allow only decisions that end in a molecule.

    Returns:
        ``count`` canonical SMILES, ``""`` where a graph is no molecule.
    """
    width = internal_width(network.max_atoms)
    smiles: list[str] = []
    for start in range(0, count, width):
        drawn = draw(network, width, key.rows(start), mask=mask)
        wanted = min(width, count - start)
        smiles += decode_batch(drawn.types[:wanted], drawn.bonds[:wanted], vocabulary)
    return smiles
