"""Drawing graphs freely: one categorical draw after another, each fed back into the network.

The same loop serves sampling, where a draw is ``gumbel_max``, and steering, where a draw is a differentiable
one-hot and gradients run back through every draw and through the network's own inputs.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from softdraw.functional import gumbel_max
from softdraw.kernels.formulas import one_hot
from softdraw.molecules.model.network import BOND_ORDERS, Cache, GraphNetwork
from softdraw.molecules.model.prefix_features import UNREACHED
from softdraw.random import Key

Choose = Callable[[Tensor, Tensor | None, Key], Tensor]
"""``(logits [B, C], mask or None, key) -> one-hot [B, C]``, differentiable or not; a row that allows no
class gives zeros. The mask broadcasts against the logits."""


def choose_hard(logits: Tensor, mask: Tensor | None, key: Key) -> Tensor:
    """An exact categorical draw, without gradient."""
    return one_hot(gumbel_max(logits, mask=mask, key=key), logits.shape[-1], logits.dtype)


@dataclass(frozen=True)
class Drawn:
    """A batch of drawn graphs, ``N`` atoms wide, and every decision that led to them.

    Attributes:
        types: ``[B, N]`` int64, -1 after `stop`.
        bonds: ``[B, N, N]`` int64, symmetric.
        kinds: ``[B, N, K]`` one-hot types as drawn (zeros after `stop`), carrying gradients where the draw
            does.
        orders: ``[B, N, N, 4]`` one-hot bond orders as drawn, symmetric; zeros where there was no decision.
        type_logits: ``[B, N, K + 1]``.
        bond_logits: ``[B, N (N - 1) / 2, 4]`` in the order of ``torch.tril_indices(N, N, -1)``.
    """

    types: Tensor
    bonds: Tensor
    kinds: Tensor
    orders: Tensor
    type_logits: Tensor
    bond_logits: Tensor


def draw(network: GraphNetwork, batch: int, key: Key, *, mask: bool, choose: Choose = choose_hard) -> Drawn:
    """Draw ``batch`` graphs; graph ``b`` uses row ``b`` of ``key`` in every decision.

    Args:
        network: gives the logits.
        batch: ``B``.
        key: folded with the number of the decision, so that every decision has noise of its own.
        mask: allow only decisions that keep every valence and the graph in one piece, and no empty graph.
        choose: makes a one-hot of logits.

    Returns:
        The graphs and their decisions.
    """
    return _Loop(network, batch, key, mask, choose).run()


class _Loop:
    """State of one batch while it is drawn."""

    def __init__(self, network: GraphNetwork, batch: int, key: Key, mask: bool, choose: Choose) -> None:
        self.network, self.batch, self.key, self.mask, self.choose = network, batch, key, mask, choose
        self.device, self.dtype = network.start.device, network.start.dtype
        atoms = network.max_atoms
        self.whole = True  # no graph is finished yet
        self.alive = torch.ones(batch, dtype=torch.bool, device=self.device)
        self.types = torch.full((batch, atoms), -1, device=self.device)
        self.bonds = torch.zeros(batch, atoms, atoms, dtype=torch.long, device=self.device)
        self.open = torch.zeros(batch, atoms, dtype=torch.long, device=self.device)
        self.between = torch.full((batch, atoms, atoms), UNREACHED, device=self.device)
        self.between.diagonal(dim1=1, dim2=2).zero_()
        self.caches: list[Cache | None] = [None] * len(network.blocks)
        self.old: list[Tensor] = []
        self.partner: list[Tensor] = []
        self.kinds: list[Tensor] = []
        self.type_logits: list[Tensor] = []
        self.orders: dict[tuple[int, int], Tensor] = {}
        self.bond_logits: dict[tuple[int, int], Tensor] = {}
        self.decision = 0

    def run(self) -> Drawn:
        atoms, network = self.network.max_atoms, self.network
        token = self._token(network.start.expand(self.batch, -1), None)
        for atom in range(atoms):
            if not bool(self.alive.any()):
                break
            kind = self._draw_type(atom, token)
            row = self._draw_bonds(atom, token, kind)
            own = self.open[:, atom]
            embedded = network.atom_features(kind, own, torch.tensor(atom, device=self.device))
            token = self._token(embedded, self._pairs(atom, row))
            old, partner = network.bond_old(token).chunk(2, -1)
            self.old.append(old)
            self.partner.append(partner)
        return self._drawn()

    def _next_key(self) -> Key:
        self.decision += 1
        return self.key.fold_in(self.decision)

    def _token(self, embedded: Tensor, pairs: Tensor | None) -> Tensor:
        """Output of the encoder for one new token: ``[B, width]``."""
        tokens = embedded.unsqueeze(1)
        if pairs is None:
            pairs = tokens.new_zeros(self.batch, 1, 1, self.network.options.pair_width)
        for level, block in enumerate(self.network.blocks):
            tokens, self.caches[level] = block(tokens, pairs, None, self.caches[level])
        normed: Tensor = self.network.norm(tokens.squeeze(1))
        return normed

    def _pairs(self, atom: int, row: list[Tensor]) -> Tensor:
        """Pair features of the token of ``atom`` to all tokens so far: ``[B, 1, atom + 2, P]``."""
        none = one_hot(torch.zeros_like(self.types[:, 0]), BOND_ORDERS, self.dtype)
        bonds = torch.stack([*row, none], 1)
        features = self.network.pair_features(
            bonds, self.open[:, : atom + 1], self.between[:, atom, : atom + 1]
        )
        return F.pad(features, (0, 0, 1, 0)).unsqueeze(1)

    def _draw_type(self, atom: int, token: Tensor) -> Tensor:
        network = self.network
        logits = network.type_head(token)
        allowed = None
        if self.mask:
            room = (self.open > 0).any(1) if atom else torch.ones_like(self.alive)
            usable = (network.valences > 0) | torch.tensor(atom == 0, device=self.device)
            allowed = torch.cat((room.unsqueeze(1) & usable, torch.full_like(room, atom > 0).unsqueeze(1)), 1)
        choice = self.choose(logits, self._while_alive(allowed), self._next_key())
        self.type_logits.append(logits)
        index = choice.detach().argmax(1)
        self.alive = self.alive & (index < network.types)
        self.whole = bool(self.alive.all())
        kind = choice[:, :-1]
        self.kinds.append(kind)
        self.types[:, atom] = torch.where(self.alive, index, -1)
        self.open[:, atom] = torch.where(self.alive, network.valences[index.clamp(max=network.types - 1)], 0)
        return kind

    def _draw_bonds(self, atom: int, token: Tensor, kind: Tensor) -> list[Tensor]:
        """Draw the bonds of ``atom`` to ``atom - 1, ..., 0``; their one-hots in the order 0, 1, ..."""
        network = self.network
        if atom == 0:
            return []
        new = network.bond_new(torch.cat((token, kind), -1))
        held = torch.zeros((), dtype=self.dtype, device=self.device)
        distance = torch.full((self.batch, atom), UNREACHED, device=self.device)
        bonded = ~self.alive
        row: list[Tensor] = []
        for other in reversed(range(atom)):
            context = network.bond_context(
                self.open[:, other],
                self.open[:, atom],
                distance[:, other],
                torch.tensor(atom - other - 1, device=self.device),
            )
            logits = network.bond_head(new + self.old[other] + held + context)
            allowed = self._allowed_orders(atom, other, bonded) if self.mask else None
            choice = self.choose(logits, self._while_alive(allowed), self._next_key())
            self.bond_logits[atom, other] = logits
            order = choice.detach().argmax(1)
            row.append(choice)
            self.orders[atom, other] = choice
            held = held + network.bond_scale(choice[:, 1:]) * self.partner[other]
            self.bonds[:, atom, other] = self.bonds[:, other, atom] = order
            self.open[:, other] -= order
            self.open[:, atom] -= order
            joined = order > 0
            bonded = bonded | joined
            through = (self.between[:, other, :atom] + 1).clamp(max=UNREACHED)
            distance = torch.where(joined.unsqueeze(1), torch.minimum(distance, through), distance)
        shorter = distance.unsqueeze(2) + distance.unsqueeze(1)
        self.between[:, :atom, :atom] = torch.minimum(self.between[:, :atom, :atom], shorter)
        self.between[:, atom, :atom] = self.between[:, :atom, atom] = distance
        return row[::-1]

    def _while_alive(self, allowed: Tensor | None) -> Tensor | None:
        """Finished graphs allow no class: their draw is a row of zeros."""
        if self.whole:
            return allowed
        alive = self.alive.unsqueeze(1)
        return alive if allowed is None else allowed & alive

    def _allowed_orders(self, atom: int, other: int, bonded: Tensor) -> Tensor:
        """Orders within both open valences; `none` unless this is the last chance to join the graph."""
        most = torch.minimum(self.open[:, other], self.open[:, atom]).unsqueeze(1)
        allowed = torch.arange(BOND_ORDERS, device=self.device) <= most
        later = (self.open[:, :other] > 0).any(1)
        allowed[:, 0] = bonded | later | (most.squeeze(1) <= 0)
        return allowed

    def _drawn(self) -> Drawn:
        atoms, batch = self.network.max_atoms, self.batch
        kinds = self.kinds + [torch.zeros_like(self.kinds[0])] * (atoms - len(self.kinds))
        type_logits = self.type_logits + [torch.zeros_like(self.type_logits[0])] * (atoms - len(self.kinds))
        blank = torch.zeros(batch, BOND_ORDERS, dtype=self.dtype, device=self.device)
        pairs = [(i, j) for i in range(atoms) for j in range(i)]
        row, column = torch.tril_indices(atoms, atoms, -1, device=self.device)
        orders = torch.zeros(batch, atoms, atoms, BOND_ORDERS, dtype=self.dtype, device=self.device)
        bond_logits = torch.zeros(batch, 0, BOND_ORDERS, dtype=self.dtype, device=self.device)
        if pairs:
            lower = torch.stack([self.orders.get(pair, blank) for pair in pairs], 1)
            graph = torch.arange(batch, device=self.device).unsqueeze(1)
            orders = orders.index_put((graph, row, column), lower)
            orders = orders + orders.transpose(1, 2)
            bond_logits = torch.stack([self.bond_logits.get(pair, blank) for pair in pairs], 1)
        return Drawn(
            self.types, self.bonds, torch.stack(kinds, 1), orders, torch.stack(type_logits, 1), bond_logits
        )
