"""How likely a model is to draw given molecules, each in the atom order of its canonical SMILES."""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from rdkit import Chem, rdBase

from softdraw.molecules.chemistry.codec import Record
from softdraw.molecules.chemistry.vocabulary import Vocabulary
from softdraw.molecules.data.account import Dropped, Tally
from softdraw.molecules.data.filters import REASONS, MoleculeFilter, Rules
from softdraw.molecules.data.graphs import GraphSet
from softdraw.molecules.data.sources import Row
from softdraw.molecules.model.likelihood import log_likelihood
from softdraw.molecules.model.network import GraphNetwork
from softdraw.molecules.runtime.threads import threads_for

__all__ = ["UNDRAWN", "Likelihoods", "likelihoods"]

UNDRAWN = "atom type that is not drawn"
"""Why a molecule has no likelihood under this model; the other reasons are those of the data."""
UNDEFINED = (*REASONS, UNDRAWN)
_CHUNK, _BATCH = 8192, 256
"""Molecules that are read before any is computed, so that a batch holds molecules of about one size; and
molecules of a batch."""


@dataclass(frozen=True, eq=False)
class Likelihoods:
    """The log-likelihood of some molecules, and an account of those that have none.

    Attributes:
        nats: ``[molecules]`` float64, NaN where it is undefined.
        atoms: ``[molecules]`` heavy atoms, 0 where the likelihood is undefined.
        undefined: by reason (one of ``REASONS`` of the data, or ``UNDRAWN``), how many have none, and where.
        stereo: how many of the others had stereo marks, which are dropped.
    """

    nats: NDArray[np.float64]
    atoms: NDArray[np.int64]
    undefined: Mapping[str, Dropped]
    stereo: int


@torch.inference_mode()
def likelihoods(network: GraphNetwork, vocabulary: Vocabulary, rows: Iterable[Row]) -> Likelihoods:
    """Log-probability that the network draws each molecule, all decisions allowed.

    It is that of one way to draw the molecule: atom by atom in the reading order of its canonical SMILES. As
    a molecule can be drawn in other orders too, it is a lower bound of the log-probability of the molecule.

    Args:
        network: gives the logits.
        vocabulary: what its atom types mean.
        rows: line numbers and SMILES, as ``Source.rows`` gives them.

    Returns:
        One entry for each row.
    """
    check = MoleculeFilter(Rules(None, network.max_atoms, charges=True))
    table = Chem.GetPeriodicTable()
    known = {(table.GetAtomicNumber(one.symbol), one.charge) for one in vocabulary}
    tally, stereo = Tally(), 0
    nats, atoms = [np.zeros(0)], [np.zeros(0, dtype=np.int64)]
    with rdBase.BlockLogs(), threads_for(network.options.width):
        left = iter(rows)
        while chunk := list(itertools.islice(left, _CHUNK)):
            records: dict[int, Record] = {}
            for place, (line, smiles) in enumerate(chunk):
                usable = check(smiles)
                if isinstance(usable, str):
                    tally.leave_out(usable, line)
                elif known.issuperset(usable.record[1]):
                    records[place] = usable.record
                    stereo += usable.isomeric != usable.record[0]
                else:
                    tally.leave_out(UNDRAWN, line)
            values, sizes = np.full(len(chunk), np.nan), np.zeros(len(chunk), dtype=np.int64)
            if records:
                places = np.array(list(records))
                graphs = GraphSet.from_records(records.values(), vocabulary)
                values[places], sizes[places] = _of_graphs(network, graphs), graphs.sizes
            nats.append(values)
            atoms.append(sizes)
    return Likelihoods(np.concatenate(nats), np.concatenate(atoms), tally.dropped(UNDEFINED), stereo)


def _of_graphs(network: GraphNetwork, graphs: GraphSet) -> NDArray[np.float64]:
    """Smaller molecules first, so that little of a batch is padding."""
    values = np.empty(len(graphs))
    order = np.argsort(graphs.sizes, kind="stable")
    for start in range(0, len(order), _BATCH):
        batch = order[start : start + _BATCH]
        types, bonds = graphs.dense(batch)
        device = network.start.device
        values[batch] = log_likelihood(network, types.to(device), bonds.to(device)).double().cpu().numpy()
    return values
