"""Drawing graphs freely: one categorical draw after another, each fed back into the network.

The same loop serves sampling, where a draw is ``gumbel_max``, and steering, where a draw is a differentiable
one-hot. Gradients then run back through every draw: through types and bonds, and through all that depends on
them, which are open valences, distances, and whether the graph had stopped.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from softdraw.functional import gumbel_max
from softdraw.kernels.formulas import one_hot
from softdraw.molecules.model.attention import Cache
from softdraw.molecules.model.decisions import ORDERS, SELF, UNREACHED
from softdraw.molecules.model.drawn import Drawn, NewBonds
from softdraw.molecules.model.few_rows import few_rows, put_back, taken
from softdraw.molecules.model.given import GivenParts, draws_from_part
from softdraw.molecules.model.growing import Growing
from softdraw.molecules.model.network import GraphNetwork
from softdraw.random import Key

__all__ = ["Choose", "choose_hard", "draw"]

Choose = Callable[[Tensor, Tensor | None, Key], Tensor]
"""``(logits [B, C], mask or None, key) -> one-hot [B, C]``, differentiable or not; a row that allows no
class gives zeros. The mask broadcasts against the logits."""


def choose_hard(logits: Tensor, mask: Tensor | None, key: Key) -> Tensor:
    """An exact categorical draw, without gradient."""
    return one_hot(gumbel_max(logits, mask=mask, key=key), logits.shape[-1], logits.dtype)


def draw(
    network: GraphNetwork,
    batch: int,
    key: Key,
    *,
    mask: bool,
    choose: Choose = choose_hard,
    precision: torch.dtype | None = None,
    given: GivenParts | None = None,
) -> Drawn:
    """Draw ``batch`` graphs; graph ``b`` uses row ``b`` of ``key`` in every decision.

    Args:
        network: gives the logits.
        batch: ``B``.
        key: folded with the number of the decision, so that every decision has noise of its own.
        mask: allow only decisions that keep every valence, and no empty graph.
        choose: makes a one-hot of logits.
        precision: of the products inside the encoder; None is that of the weights.
        given: a part of every graph, which is drawn on from.

    Returns:
        The graphs and their decisions.
    """
    return _Loop(network, batch, key, mask, choose, precision, given).run()


class _Loop:
    """State of one batch while it is drawn. What depends on choices is floating point: it has gradients."""

    def __init__(
        self,
        network: GraphNetwork,
        batch: int,
        key: Key,
        mask: bool,
        choose: Choose,
        precision: torch.dtype | None,
        given: GivenParts | None,
    ) -> None:
        self.network, self.batch, self.key, self.mask, self.choose = network, batch, key, mask, choose
        self.precision, self.given = precision, given
        # such choices are classes: no gradient goes through them, and nothing is mixed
        self.hard = choose is choose_hard and not torch.is_grad_enabled()
        self.device, self.dtype = network.start.device, network.start.dtype
        self.valences = network.valences.to(self.dtype)
        self.by_order = torch.arange(1.0, ORDERS + 1, device=self.device, dtype=self.dtype)
        self.alive = torch.ones(batch, dtype=torch.bool, device=self.device)
        self.whole = True  # no graph is finished yet
        self.there = torch.ones(batch, 1, device=self.device, dtype=self.dtype)  # 0 once stopped
        self.types: list[Tensor] = []
        self.kinds: list[Tensor] = []
        self.rows: list[Tensor] = []  # of every atom but the first, its bonds [B, atom, 3]
        self.type_logits: list[Tensor] = []
        self.bond_logits: dict[tuple[int, int], Tensor] = {}
        self.open = torch.zeros(batch, 0, device=self.device, dtype=self.dtype)
        self.between = torch.zeros(batch, 0, 0, device=self.device, dtype=self.dtype)
        self.caches = [Cache(network.max_atoms + 1) for _ in network.blocks]
        self.cached: Tensor | None = None  # the graphs that the caches still hold; None for all
        self.keys, self.partners = Growing(1, network.max_atoms), Growing(1, network.max_atoms)

    def run(self) -> Drawn:
        network = self.network
        start = network.start[int(draws_from_part(network, self.given))]
        token = self._encode(start.expand(self.batch, -1), None)
        for atom in range(network.max_atoms):
            if not bool(self.alive.any()):
                break
            kind = self._draw_type(atom, token)
            own = kind @ self.valences
            bonds = self._draw_bonds(atom, token, kind, own)
            self._join(atom, bonds, own)
            embedded = self._embed(atom, kind, bonds)
            token = self._encode(embedded, self._relations(atom, bonds.row))
            self.keys.append(network.key(token).unsqueeze(1))
            self.partners.append(network.ask_partner(token).unsqueeze(1))
        return Drawn.of(
            self.types,
            self.kinds,
            self.rows,
            self.type_logits,
            self.bond_logits,
            network.max_atoms,
            self.given,
        )

    def _embed(self, atom: int, kind: Tensor, bonds: NewBonds) -> Tensor:
        """The input of the new atom's token."""
        place, row = torch.tensor(atom, device=self.device), bonds.row
        bonded = torch.zeros_like(kind)
        if atom:
            bonded = (row.sum(2).unsqueeze(1) @ torch.stack(self.kinds[:-1], 1)).squeeze(1)
        count, known = row.sum((1, 2)), (bonds.first_order, bonds.gap, bonds.ring)
        return self.network.atom_tokens(kind, self.open[:, atom], place, bonded, count, *known)

    def _encode(self, embedded: Tensor, relation: Tensor | None) -> Tensor:
        """Output of the encoder for one new token: ``[B, width]``."""
        network = self.network
        self._forget_finished()
        (tokens,) = taken(self.cached, embedded.unsqueeze(1))
        bias = tokens.new_zeros(len(network.blocks), 1, 1, 1, 1)
        if relation is not None:
            related, free = taken(self.cached, relation.unsqueeze(1), self.open.unsqueeze(1))
            bias = network.attention_bias(related, free)
        device = self.device.type
        with torch.autocast(device, dtype=self.precision, enabled=self.precision is not None):
            for level, block in enumerate(network.blocks):
                tokens = block(tokens, bias[level], self.caches[level])
        return put_back(self.cached, network.norm(tokens.squeeze(1)), self.batch)

    def _forget_finished(self) -> None:
        """Leave graphs out of the encoder once enough of them are finished; their tokens are zeros then."""
        held = self.batch if self.cached is None else len(self.cached)
        rows = few_rows(self.alive, held) if self.hard else None
        if rows is None or not len(rows):
            return
        within = rows if self.cached is None else torch.searchsorted(self.cached, rows)
        for cache in self.caches:
            cache.keep(within)
        self.cached = rows

    def _relations(self, atom: int, row: Tensor) -> Tensor:
        """Of the new atom to all so far (see ``decisions.SELF``): ``[B, atom + 1]``."""
        bonded = self.between[:, atom, :atom] + 1 - row @ (self.by_order - 1)
        return torch.cat((bonded, bonded.new_full((self.batch, 1), SELF)), 1)

    def _draw_type(self, atom: int, token: Tensor) -> Tensor:
        network = self.network
        logits = network.type_head(token)
        allowed = None
        if self.mask:
            free = self.open > 0.5
            if self.given is not None:
                free = free & self.given.may_join(atom)
            room = free.any(1) if atom else torch.ones_like(self.alive)
            usable = (network.valences > 0) | torch.tensor(atom == 0, device=self.device)
            allowed = torch.cat((room.unsqueeze(1) & usable, torch.full_like(room, atom > 0).unsqueeze(1)), 1)
        if not self.whole:
            alive = self.alive.unsqueeze(1)
            allowed = alive if allowed is None else allowed & alive
        given = None if self.given is None else self.given.has_type(atom)
        choice = self.choose(_left_alone(logits, given), allowed, self.key.fold_in(atom))
        if self.given is not None:
            choice = self.given.type_choice(atom, choice)
        self.type_logits.append(logits)
        index = choice.detach().argmax(1)
        self.alive = self.alive & (index < network.types)
        self.whole = bool(self.alive.all())
        # an atom is there while no earlier decision stopped the graph
        kind = choice[:, :-1] * self.there
        self.there = self.there * (1 - choice[:, -1:])
        self.kinds.append(kind)
        self.types.append(torch.where(self.alive, index, -1))
        return kind

    def _draw_bonds(self, atom: int, token: Tensor, kind: Tensor, own: Tensor) -> NewBonds:
        """Bonds of the new atom."""
        row = kind.new_zeros(self.batch, atom, ORDERS)
        distance = kind.new_full((self.batch, atom), UNREACHED)
        first_order = gap = ring = kind.new_zeros(self.batch)
        if not atom:
            return NewBonds(row, distance, first_order, gap, ring)
        network = self.network
        asking = network.ask_atom(torch.cat((token, kind), -1)).unsqueeze(1)
        place = torch.arange(atom, device=self.device)
        limit = torch.where(self.alive, atom, 0)
        left, held, there = own, torch.zeros_like(asking), self.there
        step = 0
        while bool((limit > 0).any()):
            logits = self._bond_logits(limit > 0, step, asking, left, held, distance)
            self.bond_logits[atom, step] = logits
            given = None if self.given is None else self.given.has_bond(atom, step)
            choice = self.choose(
                _left_alone(logits, given),
                self._allowed(place, limit, left, step),
                self.key.fold_in(self._number(atom, step)),
            )
            if self.given is not None:
                choice = self.given.bond_choice(atom, step, choice, limit > 0)
            bond = (choice[:, 1:] if step else choice).reshape(self.batch, atom, ORDERS)
            bond = bond * there.unsqueeze(2)
            row = row + bond
            left = left - (bond @ self.by_order).sum(1)
            partner = bond.sum(2)
            made = partner.sum(1)
            if not step:
                first_order = (bond @ self.by_order).sum(1)
                gap = partner @ (atom - place).to(self.dtype)
            elif step == 1:
                ring = (partner * (distance + 1)).sum(1)
            features, far = self._of_partner(bond, partner)
            held = held + features
            reached = torch.minimum(distance, (far + 1).clamp(max=UNREACHED))
            there = there * made.unsqueeze(1)
            distance = torch.where(made.detach().unsqueeze(1) > 0.5, reached, distance)
            limit = torch.where(made.detach() > 0.5, (partner.detach() * place).sum(1).round().long(), 0)
            step += 1
        return NewBonds(row, distance, first_order, gap, ring)

    def _bond_logits(
        self, asked: Tensor, step: int, asking: Tensor, left: Tensor, held: Tensor, distance: Tensor
    ) -> Tensor:
        """Logits of a bond decision, zeros where none is asked for."""
        network, rows = self.network, few_rows(asked) if self.hard else None
        given = (
            asking,
            left.unsqueeze(1),
            held,
            self.keys.all,
            distance.unsqueeze(1),
            self.open.unsqueeze(1),
        )
        asking, left, held, keys, distance, free = taken(rows, *given)
        number = torch.full_like(left, step, dtype=torch.long)
        logits = network.bond_logits(network.bond_query(asking, left, number, held), keys, distance, free)
        return put_back(rows, logits[:, 0] if step else logits[:, 0, 1:], self.batch)

    def _of_partner(self, bond: Tensor, partner: Tensor) -> tuple[Tensor, Tensor]:
        """What the network is told of a bond ``[B, 1, width]``, and how far its partner is from each atom."""
        by_order, partners = self.network.ask_order.weight.t(), self.partners.all
        if not self.hard:  # a choice mixes orders and partners
            features = ((bond.transpose(1, 2) @ partners) * by_order).sum(1, keepdim=True)
            return features, (partner.unsqueeze(1) @ self.between).squeeze(1)
        every, which = torch.arange(self.batch, device=self.device), partner.argmax(1)
        features = partners[every, which] * (bond.sum(1) @ by_order)
        return features.unsqueeze(1), self.between[every, which]

    def _number(self, atom: int, step: int) -> int:
        """A number of its own for every bond decision, beside those of the types."""
        return self.network.max_atoms * (atom * self.network.max_atoms + step + 1)

    def _allowed(self, place: Tensor, limit: Tensor, left: Tensor, step: int) -> Tensor:
        """Bonds to atoms before the last partner, within both open valences; no more of them, but for the
        first. Finished graphs allow nothing.
        """
        before = place < limit.unsqueeze(1)
        if self.given is not None:
            before = before & self.given.may_join(len(place))
        allowed = before.unsqueeze(2)
        if self.mask:
            most = torch.minimum(self.open.detach(), left.detach().unsqueeze(1)).unsqueeze(2)
            allowed = allowed & (self.by_order <= most + 0.5)
        allowed = allowed.expand(-1, -1, ORDERS).flatten(1)
        return torch.cat(((limit > 0).unsqueeze(1), allowed), 1) if step else allowed

    def _join(self, atom: int, bonds: NewBonds, own: Tensor) -> None:
        """Open valences and distances with the new atom."""
        distance, orders = bonds.distance, bonds.row @ self.by_order
        self.rows.append(bonds.row)
        self.open = torch.cat((self.open - orders, (own - orders.sum(1)).unsqueeze(1)), 1)
        zero = own.new_zeros(self.batch, 1, 1)
        if not atom:
            self.between = zero
            return
        shorter = distance.unsqueeze(2) + distance.unsqueeze(1)
        old = torch.minimum(self.between, shorter)
        self.between = torch.cat(
            (
                torch.cat((old, distance.unsqueeze(2)), 2),
                torch.cat((distance.unsqueeze(1), zero), 2),
            ),
            1,
        )


def _left_alone(logits: Tensor, given: Tensor | None) -> Tensor:
    """Logits, without gradients where the decision is given: what is drawn there is not used."""
    return logits if given is None else torch.where(given.unsqueeze(1), logits.detach(), logits)
