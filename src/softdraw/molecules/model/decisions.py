"""The decisions that draw a graph: for every atom its type, then where it is bonded.

Graphs are drawn atom by atom. For atom ``i``: its type, or `stop`. Then, unless it is the first, the earlier
atom that it hangs from together with the order of that bond, one choice among ``3 i``; then further bonds to
atoms before that one, each a choice among what is left, or `no more`. So the bonds of an atom come from its
latest partner to its earliest, every set of bonds has one sequence, every graph is in one piece, and a graph
of n atoms and r rings takes about 3 n + r decisions, however large n is.

What a decision is made from (open valences, distances along bonds) is a function of the decisions before it.
It is computed here for whole graphs, with NumPy, whose calls cost less than torch's on arrays this small.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["IGNORED", "NO_MORE", "SELF", "UNREACHED", "Decisions", "decisions_of"]

IGNORED = -100
"""The class of a decision that is not there."""
NO_MORE = 0
"""The class of a bond decision that ends the bonds of an atom; ``3 j + order`` is a bond to atom ``j``."""
ORDERS = 3
"""Bond orders: single, double, triple."""
UNREACHED = 15
"""Bonds between two atoms that no path joins yet; longer paths count as this too."""
SELF = UNREACHED + 2
"""The relation of an atom to itself. Of two atoms it is 0, 1, 2 if they share a triple, double or single
bond, and otherwise one more than the bonds between them."""


@dataclass(frozen=True)
class Decisions:
    """All decisions of ``B`` graphs, ``N`` atoms wide, with at most ``D`` bond decisions.

    Attributes:
        types: ``[B, N + 1]`` classes of the type decisions: the type of each atom, then ``K`` (`stop`) unless
            the graph is full; -100 where there is none.
        bonds: ``[B, D]`` classes of the bond decisions in the order in which they are made, -100 where there
            is none.
        atom: ``[B, D]`` the atom whose bonds are decided.
        step: ``[B, D]`` how many bonds it has already.
        limit: ``[B, D]`` only atoms before this one may still be chosen.
        partners: ``[B, D, P]`` the atoms that it is bonded to already, -1 where there is none.
        orders: ``[B, D, P]`` the orders of those bonds, 0 where there is none.
        open_new: ``[B, D]`` open valence of the atom.
        distance: ``[B, D, N]`` bonds between it and each earlier atom: one more than this is the size of the
            smallest ring that a bond would close.
        offset: ``[B, N]`` place along ``D`` of the first decision of each atom.
        count: ``[B, N]`` bonds of each atom to earlier ones.
        first_order: ``[B, N]`` order of its bond to the latest of them, 0 where there is none.
        gap: ``[B, N]`` how many atoms before it that one came, 0 where there is none.
        ring: ``[B, N]`` atoms of the smallest ring that its second bond closes, 0 where there is none.
        open_valence: ``[B, N, N]``, of atom ``c`` once the bonds of atom ``i`` are drawn; negative where a
            graph breaks the valence rules.
        relation: ``[B, N, N]``, of atom ``i`` to atom ``c`` at that time (see ``SELF``).
    """

    types: Tensor
    bonds: Tensor
    atom: Tensor
    step: Tensor
    limit: Tensor
    partners: Tensor
    orders: Tensor
    open_new: Tensor
    distance: Tensor
    offset: Tensor
    count: Tensor
    first_order: Tensor
    gap: Tensor
    ring: Tensor
    open_valence: Tensor
    relation: Tensor


def decisions_of(types: Tensor, bonds: Tensor, valences: Tensor, max_atoms: int) -> Decisions:
    """The decisions behind given graphs.

    Args:
        types: ``[B, N]`` int64 atom types, -1 where there is no atom.
        bonds: ``[B, N, N]`` int64 symmetric bond orders; every atom but the first has an earlier partner.
        valences: ``[K]`` largest sum of bond orders of each type.
        max_atoms: a graph of that many atoms stops without a decision.

    Returns:
        The decisions, on the device of ``types``.

    Raises:
        ValueError: an atom is bonded to no earlier one, so that nothing draws it.
    """
    kinds, links = types.cpu().numpy(), bonds.cpu().numpy()
    rows = _BondRows.of(kinds, links)
    found = {**_bond_decisions(rows), **_states(rows, kinds, links, valences.cpu().numpy())}
    found["open_new"] = found.pop("full")[np.arange(len(kinds))[:, None], found["atom"]] - found[
        "orders"
    ].sum(-1)
    sizes = (kinds >= 0).sum(1)
    chosen = np.full((len(kinds), kinds.shape[1] + 1), IGNORED)
    chosen[:, :-1] = np.where(kinds >= 0, kinds, IGNORED)
    stops = np.flatnonzero(sizes < max_atoms)
    chosen[stops, sizes[stops]] = len(valences)
    device = types.device
    return Decisions(
        types=torch.from_numpy(chosen).to(device),
        **{name: torch.from_numpy(array).to(device) for name, array in found.items()},
    )


@dataclass(frozen=True)
class _BondRows:
    """Bonds as rows, those of an atom from its latest partner to its earliest.

    ``owner``, ``atom``, ``partner``, ``order``, ``step`` are ``[bonds]``; ``count``, ``last`` (the earliest
    partner), ``decisions`` and ``offset`` are ``[B, N]``; ``table`` and ``table_orders`` are ``[B, N, P]``.
    """

    owner: NDArray[np.int64]
    atom: NDArray[np.int64]
    partner: NDArray[np.int64]
    order: NDArray[np.int64]
    step: NDArray[np.int64]
    count: NDArray[np.int64]
    last: NDArray[np.int64]
    table: NDArray[np.int64]
    table_orders: NDArray[np.int64]

    @property
    def ends(self) -> NDArray[np.bool_]:
        """Atoms that decide for no more; one bonded to atom 0 has nothing left to decide."""
        return self.last > 0

    @property
    def decisions(self) -> NDArray[np.int64]:
        return self.count + self.ends

    @property
    def offset(self) -> NDArray[np.int64]:
        return np.cumsum(self.decisions, 1) - self.decisions

    @classmethod
    def of(cls, kinds: NDArray[np.int64], links: NDArray[np.int64]) -> "_BondRows":
        batch, atoms = kinds.shape
        # nonzero goes through a row from its start: turned round, from the latest partner
        owner, atom, turned = np.nonzero(np.tril(links, -1)[:, :, ::-1])
        partner = atoms - 1 - turned
        order = links[owner, atom, partner]
        cell = owner * atoms + atom
        start = np.flatnonzero(np.diff(cell, prepend=-1))
        many = np.diff(np.append(start, len(cell)))
        step = np.arange(len(cell)) - np.repeat(start, many)
        count, last = np.zeros((2, batch, atoms), dtype=np.int64)
        count[owner[start], atom[start]] = many
        last[owner[start], atom[start]] = partner[start + many - 1]
        if ((count == 0) & (kinds >= 0))[:, 1:].any():
            raise ValueError("bonds: got an atom that no bond joins to an earlier one")
        table = np.full((batch, atoms, int(many.max(initial=1))), -1, dtype=np.int64)
        table[owner, atom, step] = partner
        table_orders = np.zeros_like(table)
        table_orders[owner, atom, step] = order
        return cls(owner, atom, partner, order, step, count, last, table, table_orders)


def _bond_decisions(rows: _BondRows) -> dict[str, NDArray[np.int64]]:
    """What is chosen, by which atom, among which."""
    batch, atoms = rows.count.shape
    offset = rows.offset
    most = int(rows.decisions.sum(1).max(initial=0))
    atom, step, limit = np.zeros((3, batch, most), dtype=np.int64)
    bonds = np.full((batch, most), IGNORED, dtype=np.int64)
    place = offset[rows.owner, rows.atom] + rows.step
    bonds[rows.owner, place] = 1 + ORDERS * rows.partner + rows.order - 1
    atom[rows.owner, place], step[rows.owner, place] = rows.atom, rows.step
    before = np.roll(rows.partner, 1)
    limit[rows.owner, place] = np.where(rows.step == 0, rows.atom, before)
    owner, ending = np.nonzero(rows.ends)
    place = offset[owner, ending] + rows.count[owner, ending]
    bonds[owner, place] = NO_MORE
    atom[owner, place], step[owner, place] = ending, rows.count[owner, ending]
    limit[owner, place] = rows.last[owner, ending]
    every = np.arange(batch)[:, None]
    had = np.arange(rows.table.shape[2]) < step[..., None]
    partners = np.where(had, rows.table[every, atom], -1)
    orders = np.where(had, rows.table_orders[every, atom], 0)
    return {
        "bonds": bonds, "atom": atom, "step": step, "limit": limit,
        "partners": partners, "orders": orders, "offset": offset, "count": rows.count,
        "first_order": rows.table_orders[:, :, 0],
        "gap": np.where(rows.count > 0, np.arange(atoms) - rows.table[:, :, 0], 0),
    }  # fmt: skip


def _states(
    rows: _BondRows, kinds: NDArray[np.int64], links: NDArray[np.int64], valences: NDArray[np.int64]
) -> dict[str, NDArray[np.int64]]:
    """Open valences and distances of every prefix, and the distances that each decision sees."""
    batch, atoms = kinds.shape
    full = np.where(kinds >= 0, valences[kinds.clip(0)], 0)
    open_valence = (full[:, :, None] - np.cumsum(links, 2)).transpose(0, 2, 1)
    decisions, offset = rows.decisions, rows.offset
    seen = np.full((batch, int(decisions.sum(1).max(initial=0)), atoms), UNREACHED, dtype=np.uint8)
    between = np.full((batch, atoms, atoms), UNREACHED, dtype=np.uint8)
    between[:, np.arange(atoms), np.arange(atoms)] = 0
    relation = np.full((batch, atoms, atoms), SELF, dtype=np.uint8)
    every = np.arange(batch)
    parent = rows.table[:, :, 0].clip(0)
    for i in range(1, atoms):
        row = np.minimum(between[every, parent[:, i], :i] + 1, UNREACHED)
        for bonded in range(1, int(rows.count[:, i].max(initial=0)) + 1):
            if bonded > 1:
                closing = np.flatnonzero(rows.count[:, i] >= bonded)
                through = between[closing, rows.table[closing, i, bonded - 1], :i] + 1
                row[closing] = np.minimum(row[closing], through)
            asked = np.flatnonzero(decisions[:, i] > bonded)
            seen[asked, offset[asked, i] + bonded, :i] = row[asked]
        closing = np.flatnonzero(rows.count[:, i] > 1)
        if len(closing):
            new = row[closing]
            shorter = new[:, :, None] + new[:, None, :]
            between[closing, :i, :i] = np.minimum(between[closing, :i, :i], shorter)
        between[:, i, :i] = between[:, :i, i] = row
        relation[:, i, :i] = row + 1
    relation[rows.owner, rows.atom, rows.partner] = ORDERS - rows.order
    ring = np.zeros((batch, atoms), dtype=np.int64)
    second = np.flatnonzero(rows.step == 1)
    owner, atom = rows.owner[second], rows.atom[second]
    ring[owner, atom] = seen[owner, offset[owner, atom] + 1, rows.partner[second]] + np.int64(1)
    return {
        "full": full, "ring": ring, "open_valence": open_valence,
        "distance": seen.astype(np.int64), "relation": relation.astype(np.int64),
    }  # fmt: skip
