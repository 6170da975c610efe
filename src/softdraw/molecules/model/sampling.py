"""Many molecules from one key: the same ones whatever number is asked for at a time."""

from concurrent.futures import ThreadPoolExecutor

import torch
from rdkit import rdBase

from softdraw._torch import multiplies_bfloat16
from softdraw.molecules.chemistry.codec import decode_batch
from softdraw.molecules.chemistry.vocabulary import Vocabulary
from softdraw.molecules.model.drawing import draw
from softdraw.molecules.model.given import GivenParts
from softdraw.molecules.model.network import GraphNetwork
from softdraw.molecules.runtime.threads import one_thread
from softdraw.random import Key

__all__ = ["SPAN", "sample_smiles"]

BLOCK = 512
"""Graphs drawn at a time, always, since the last bits of a matrix product depend on its shape."""
SPAN = 4 * BLOCK
"""Graphs that several threads draw together, or one process of several."""


def sample_smiles(
    network: GraphNetwork,
    vocabulary: Vocabulary,
    count: int,
    key: Key,
    *,
    mask: bool,
    given: GivenParts | None = None,
    first: int = 0,
) -> list[str]:
    """Draw molecules, blocks of them on threads of their own.

    Args:
        network: what gives the logits.
        vocabulary: what its atom types mean.
        count: how many graphs to draw.
        key: molecule ``m`` uses row ``m`` of it.
        mask: allow only decisions that end in a molecule.
        given: parts to draw on from, by turns.
        first: molecule 0 has this one of them.

    Returns:
        ``count`` canonical SMILES, ``""`` where a graph is no molecule.
    """
    # as in training
    precision = torch.bfloat16 if multiplies_bfloat16() else None

    @torch.inference_mode()
    def block(start: int) -> list[str]:
        part = None if given is None else given.rows(first + start, BLOCK)
        drawn = draw(network, BLOCK, key.rows(start), mask=mask, precision=precision, given=part)
        wanted = min(BLOCK, count - start)
        return decode_batch(drawn.types[:wanted], drawn.bonds[:wanted], vocabulary)

    starts = range(0, count, BLOCK)
    threads = min(torch.get_num_threads(), len(starts))
    if threads <= 1:
        with one_thread():
            return [one for start in starts for one in block(start)]
    # RDKit's log is one for all threads: the first that is done would open it for the others
    team = ThreadPoolExecutor(threads, thread_name_prefix="softdraw-draw")
    with one_thread(), rdBase.BlockLogs(), team as pool:
        return [one for drawn in pool.map(block, starts) for one in drawn]
