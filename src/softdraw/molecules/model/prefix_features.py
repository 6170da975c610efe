"""What a partly drawn graph shows at each decision: open valences and distances along bonds.

Atoms are drawn one after another; the prefix ``i`` is the graph of the first ``i`` atoms. Every feature here
is a function of earlier decisions only, so that the network may read it at that decision.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

UNREACHED = 15
"""Distance between atoms that no path joins yet; longer paths count as this too."""


@dataclass(frozen=True)
class PrefixFeatures:
    """Integer features of every prefix of a batch of graphs, ``N`` atoms wide.

    Attributes:
        open_valence: ``[B, N + 1, N]``, open valence of atom ``c`` in prefix ``i`` (may be negative when a
            graph breaks the valence rules).
        distance: ``[B, N, N]``, bonds between atom ``i`` and the earlier atom ``j`` once the row of ``i`` is
            drawn.
        open_new: ``[B, N, N]``, open valence of the new atom ``i`` before its bond to ``j`` is drawn.
        distance_new: ``[B, N, N]``, bonds between the new atom ``i`` and ``j`` before that bond is drawn: one
            more than this is the size of the smallest ring that the bond would close.
    """

    open_valence: Tensor
    distance: Tensor
    open_new: Tensor
    distance_new: Tensor


def prefix_features(types: Tensor, bonds: Tensor, valences: Tensor) -> PrefixFeatures:
    """Features of all prefixes at once, for teacher forcing.

    Args:
        types: ``[B, N]`` atom types, -1 where there is no atom.
        bonds: ``[B, N, N]`` symmetric bond orders.
        valences: ``[K]`` largest sum of bond orders of each type.

    Returns:
        The features that ``PrefixFeatures`` lists. The bonds of atom ``i`` are drawn to ``i - 1`` first
        and to atom 0 last.
    """
    batch, atoms = types.shape
    valence = torch.where(types >= 0, valences[types.clamp(min=0)], 0)
    drawn = torch.zeros(batch, atoms, atoms + 1, dtype=bonds.dtype, device=bonds.device)
    torch.cumsum(bonds, dim=2, out=drawn[:, :, 1:])
    open_valence = (valence.unsqueeze(2) - drawn).transpose(1, 2)
    lower = bonds.tril(-1)
    open_new = valence.unsqueeze(2) - (lower.flip(2).cumsum(2).flip(2) - lower)

    between = torch.full((batch, atoms, atoms), UNREACHED, dtype=torch.int16, device=bonds.device)
    between.diagonal(dim1=1, dim2=2).zero_()
    distance = between.clone()
    distance_new = torch.full_like(distance, UNREACHED)
    for atom in range(1, atoms):
        bonded = bonds[:, atom, :atom] > 0
        through = between[:, :atom, :atom].masked_fill(~bonded.unsqueeze(2), UNREACHED - 1)
        later = torch.ones(atom, atom, dtype=torch.bool, device=bonds.device).tril(-1)  # partner k after j
        distance_new[:, atom, :atom] = through.masked_fill(~later, UNREACHED - 1).amin(1) + 1
        row = through.amin(1) + 1
        distance[:, atom, :atom] = row
        shorter = row.unsqueeze(2) + row.unsqueeze(1)
        torch.minimum(between[:, :atom, :atom], shorter, out=between[:, :atom, :atom])
        between[:, atom, :atom] = row
        between[:, :atom, atom] = row
    return PrefixFeatures(open_valence, distance.long(), open_new, distance_new.long())
