"""The network: a causal transformer over atoms, whose two heads give the logits of every decision.

Token 0 stands for the empty graph, token ``i`` for atom ``i - 1`` together with its bonds to earlier atoms.
The type of the next atom is read off the last token. A bond decision asks with a query of its atom, its type,
what it is bonded to already and its open valence; each earlier atom answers with a key, and with what its
open valence and its distance mean to this query. ``decisions`` says what is decided, and in what order.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from softdraw.kernels.formulas import one_hot
from softdraw.molecules.model.attention import Block
from softdraw.molecules.model.decisions import ORDERS, SELF, UNREACHED, Decisions
from softdraw.molecules.model.lookup import Whole, count_features, read_at, read_table
from softdraw.molecules.model.sizes import NetworkOptions

__all__ = ["BOND_ORDERS", "GraphNetwork"]

BOND_ORDERS = ORDERS + 1
"""Classes of a pair of atoms: no bond, single, double, triple."""
MOST_BONDS = 3
"""Bonds to earlier atoms that are told apart; more count as this many."""
LARGEST_RING = 9
"""Atoms of a closed ring that are told apart; larger rings count as this."""
IMPOSSIBLE = -1e9
"""Logit of what no graph allows, such as a bond to an atom that is not there."""


class GraphNetwork(nn.Module):
    """Logits of every decision of an autoregressive molecular graph.

    Args:
        valences: largest sum of bond orders of each atom type, in the order of the vocabulary (``K`` types).
        max_atoms: ``N``, atoms of the largest graph; a graph of that size stops without a decision.
        options: sizes.

    Attributes:
        knows_parts: whether it learned to draw on from a given part.
    """

    valences: Tensor
    knows_parts: Tensor

    def __init__(
        self, valences: Sequence[int], max_atoms: int, options: NetworkOptions | None = None
    ) -> None:
        super().__init__()
        self.options = options = options or NetworkOptions()
        self.max_atoms, self.types, self.top = max_atoms, len(valences), max(valences)
        self.register_buffer("valences", torch.tensor(list(valences)), persistent=False)
        width, opens = options.width, self.top + 2
        # of graphs drawn in the usual order of atoms, and of those drawn on from a given part
        self.start = nn.Parameter(torch.zeros(2, width))
        self.register_buffer("knows_parts", torch.tensor(False))
        self.atom = nn.Linear(2 * self.types + opens + 2 * max_atoms + sum(self.token_counts), width)
        # a token is a sum of few of these rows: small ones would drown in what the blocks add
        nn.init.normal_(self.atom.weight, std=0.3)
        self.relation = nn.Parameter(torch.randn(SELF + 1, opens, options.layers * options.heads) * 0.02)
        self.to_start = nn.Parameter(torch.zeros(options.layers * options.heads))
        self.blocks = nn.ModuleList(
            Block(width, options.heads, options.expand) for _ in range(options.layers)
        )
        self.norm = nn.LayerNorm(width)
        self.type_head = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, self.types + 1))
        self.ask_atom = nn.Linear(width + self.types, width)
        self.ask_state = nn.Linear(opens + MOST_BONDS + 1, width, bias=False)
        self.ask_partner = nn.Linear(width, width, bias=False)
        self.ask_order = nn.Linear(ORDERS, width, bias=False)
        self.bond_head = nn.Sequential(
            nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, ORDERS * options.bond_width + 1)
        )
        self.key = nn.Linear(width, options.bond_width)
        self.seen = nn.Parameter(torch.randn(options.bond_width, (UNREACHED + 1) * opens) * 0.1)

    @property
    def token_counts(self) -> tuple[int, int]:
        """Inputs of a token that tell its bonds to earlier atoms, and the ring that they close."""
        return MOST_BONDS + 1 + BOND_ORDERS, LARGEST_RING + 1

    @property
    def working_dtype(self) -> torch.dtype:
        """What matrix products are computed in."""
        if torch.is_autocast_enabled(self.start.device.type):
            return torch.get_autocast_dtype(self.start.device.type)
        return self.start.dtype

    def open_features(self, open_valence: Tensor) -> Tensor:
        """One-hot open valence, -1 and below counted as one class."""
        return count_features(open_valence, -1, self.top, self.working_dtype)

    def atom_tokens(
        self,
        kinds: Tensor,
        open_valence: Tensor,
        place: Tensor,
        bonded: Tensor,
        count: Tensor,
        first_order: Tensor,
        gap: Tensor,
        ring: Tensor,
    ) -> Tensor:
        """Input of the tokens of atoms, ``[..., width]``.

        Args:
            kinds: ``[..., K]`` one-hot types.
            open_valence: ``[...]``, once their bonds to earlier atoms are drawn.
            place: ``[...]``, how many atoms came before.
            bonded: ``[..., K]`` sum of the one-hot types of the earlier atoms that they are bonded to.
            count: ``[...]`` how many of those there are.
            first_order: ``[...]`` order of the bond to the latest of them, 0 where there is none.
            gap: ``[...]`` how many atoms before it that one came.
            ring: ``[...]`` atoms of the smallest ring that the second bond closes, 0 where there is none.
        """
        dtype = self.working_dtype
        features = (
            kinds.to(dtype),
            self.open_features(open_valence),
            count_features(place, 0, self.max_atoms - 1, dtype).expand(*kinds.shape[:-1], -1),
            bonded.to(dtype),
            count_features(count, 0, MOST_BONDS, dtype),
            count_features(first_order, 0, ORDERS, dtype),
            count_features(gap, 0, self.max_atoms - 1, dtype),
            count_features(ring, 0, LARGEST_RING, dtype),
        )
        embedded: Tensor = self.atom(torch.cat(features, -1))
        return embedded

    def attention_bias(self, relation: Tensor, open_valence: Tensor) -> Tensor:
        """Bias ``[layers, B, heads, Q, T + 1]`` of ``Q`` tokens of atoms to the start and to ``T`` atoms.

        Args:
            relation: ``[B, Q, T]`` (see ``decisions.SELF``).
            open_valence: ``[B, Q, T]``.
        """
        found = read_table(self.relation, relation, open_valence + 1, SELF)
        batch, queries = relation.shape[:2]
        start = self.to_start.expand(batch, queries, 1, -1)
        heads = (self.options.layers, self.options.heads)
        whole = torch.cat((start, found), 2).view(batch, queries, -1, *heads)
        return whole.permute(3, 0, 4, 1, 2)

    def bond_query(self, atom: Tensor, state: Tensor, step: Tensor, held: Tensor | float) -> Tensor:
        """What a bond decision asks, ``[B, D, 3 bond_width + 1]``; arguments are those of ``bond_state``."""
        query: Tensor = self.bond_head(self.bond_state(atom, state, step, held))
        return query

    def bond_state(self, atom: Tensor, state: Tensor, step: Tensor, held: Tensor | float) -> Tensor:
        """What a bond decision is asked from, ``[B, D, width]``.

        Args:
            atom: ``[B, D, width]``, of its atom, from ``ask_atom``.
            state: ``[B, D]`` open valence of its atom.
            step: ``[B, D]`` bonds that it has already.
            held: ``[B, D, width]`` the partners that it has: the sum over them of ``ask_partner`` of their
                tokens times ``ask_order`` of their bonds.
        """
        known = (self.open_features(state), count_features(step, 0, MOST_BONDS, self.working_dtype))
        asking: Tensor = atom + self.ask_state(torch.cat(known, -1)) + held
        return asking

    def bond_logits(self, query: Tensor, keys: Tensor, distance: Tensor, open_valence: Tensor) -> Tensor:
        """Logits ``[B, D, 1 + 3 T]`` of no more bonds, then of a bond of each order to each atom.

        Args:
            query: ``[B, D, 3 bond_width + 1]``.
            keys: ``[B, T, bond_width]``, of the earlier atoms.
            distance: ``[B, D, T]`` bonds between the atom and each earlier one.
            open_valence: ``[B, D, T]`` of the earlier ones.
        """
        batch, asked, _ = query.shape
        each = query[..., :-1].reshape(batch, asked * ORDERS, -1)
        opens = self.top + 2
        meant = (each @ self.seen.to(each.dtype)).view(batch, asked, ORDERS, UNREACHED + 1, opens)
        logits = (each @ keys.transpose(1, 2)).view(batch, asked, ORDERS, -1)
        logits = logits + _meaning(meant, distance, open_valence + 1)
        return torch.cat((query[..., -1:], logits.transpose(2, 3).flatten(2)), -1)

    def forward(self, decisions: Decisions, *, from_part: bool = False) -> tuple[Tensor, Tensor]:
        """Logits of every decision of given graphs (teacher forcing).

        Args:
            decisions: of the graphs.
            from_part: as if the graphs were drawn on from a given part, in whatever order its atoms come.

        Returns:
            Type logits ``[B, N + 1, K + 1]`` (the last class is `stop`) of the decisions after 0, 1, ..., N
            atoms, and bond logits ``[B, D, 1 + 3 N]``, -1e9 for what cannot be chosen.
        """
        d = decisions
        batch, atoms, _ = d.relation.shape
        tokens, asking = self.states(d, from_part=from_part)
        type_logits = self.type_head(tokens)
        if not d.atom.shape[1]:
            return _wide(type_logits), type_logits.new_zeros(batch, 0, 1 + ORDERS * atoms)
        place = torch.arange(atoms, device=d.types.device)
        before = d.open_valence.flatten(0, 1)[_flat(d) - 1].view(*d.atom.shape, -1)
        logits = self.bond_logits(self.bond_head(asking), self.key(tokens[:, 1:]), d.distance, before)
        closed = (place >= d.limit.unsqueeze(-1)).repeat_interleave(ORDERS, -1)
        blocked = torch.cat(((d.step == 0).unsqueeze(-1), closed), -1)
        return _wide(type_logits), _wide(logits).masked_fill(blocked, IMPOSSIBLE)

    def states(self, decisions: Decisions, *, from_part: bool = False) -> tuple[Tensor, Tensor]:
        """What every decision of given graphs is made from.

        Args:
            decisions: of the graphs.
            from_part: as in ``forward``.

        Returns:
            ``[B, N + 1, width]`` of the type decisions, and ``[B, D, width]`` of the bond decisions.
        """
        d, dtype = decisions, self.working_dtype
        place = torch.arange(d.relation.shape[1], device=d.types.device)
        kinds = one_hot(d.types[:, :-1], self.types + 1, dtype)[..., :-1]
        tokens = self._tokens(d, kinds, place, self.start[int(from_part)])
        if not d.atom.shape[1]:
            return tokens, tokens.new_zeros(len(tokens), 0, self.options.width)
        asking = self.ask_atom(torch.cat((tokens[:, :-1], kinds), -1)).flatten(0, 1)[_flat(d)]
        held = self._held(d, tokens)
        return tokens, self.bond_state(asking.view(*d.atom.shape, -1), d.open_new, d.step, held)

    def _tokens(self, d: Decisions, kinds: Tensor, place: Tensor, start: Tensor) -> Tensor:
        """Output of the encoder ``[B, N + 1, width]``."""
        batch, atoms, _ = d.relation.shape
        own = d.open_valence[:, place, place]
        earlier = (d.relation < ORDERS).tril(-1).to(kinds.dtype)
        tokens = self.atom_tokens(kinds, own, place, earlier @ kinds, d.count, d.first_order, d.gap, d.ring)
        tokens = torch.cat((start.expand(batch, 1, -1).to(tokens.dtype), tokens), 1)
        bias = F.pad(self.attention_bias(d.relation, d.open_valence), (0, 0, 1, 0))
        later = torch.ones(atoms + 1, atoms + 1, dtype=torch.bool, device=place.device).triu(1)
        bias = bias.masked_fill(later, IMPOSSIBLE)
        tokens = tokens.to(self.start.dtype)
        for level, block in enumerate(self.blocks):
            tokens = block(tokens, bias[level])
        normed: Tensor = self.norm(tokens)
        return normed.to(self.working_dtype)

    def _held(self, d: Decisions, tokens: Tensor) -> Tensor:
        """What the atom of each bond decision is bonded to already: ``[B, D, width]``."""
        batch, most, width = *d.atom.shape, self.options.width
        whose, which = d.partners.flatten(0, 1).ge(0).nonzero(as_tuple=True)
        graph = whose // most
        partner = d.partners.flatten(0, 1)[whose, which]
        order = one_hot(d.orders.flatten(0, 1)[whose, which] - 1, ORDERS, tokens.dtype)
        given = self.ask_partner(tokens[:, 1:]).flatten(0, 1)[graph * d.relation.shape[1] + partner]
        held = torch.zeros(batch * most, width, dtype=given.dtype, device=given.device)
        return held.index_add(0, whose, given * self.ask_order(order)).view(batch, most, width)


def _flat(d: Decisions) -> Tensor:
    """Place of the atom of every bond decision among the atoms of all graphs, ``[B D]``."""
    batch, atoms, _ = d.relation.shape
    return (d.atom + atoms * torch.arange(batch, device=d.atom.device).unsqueeze(1)).flatten()


def _meaning(meant: Tensor, distance: Tensor, opens: Tensor) -> Tensor:
    """``meant [B, D, 3, distances, opens]`` at the distance and open valence ``[B, D, T]`` of each atom."""
    columns = meant.shape[-1]
    flat = meant.flatten(3)

    def at(far: Tensor, free: Tensor) -> Tensor:
        return flat.gather(3, (far * columns + free).unsqueeze(2).expand(-1, -1, ORDERS, -1))

    return read_at(at, Whole.of(distance, 0, UNREACHED), Whole.of(opens, 0, columns - 1), dim=2)


def _wide(logits: Tensor) -> Tensor:
    """At least float32."""
    return logits if logits.dtype == torch.float64 else logits.float()
