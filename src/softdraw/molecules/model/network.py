"""The network: a causal transformer over atoms, whose two heads give the logits of every decision.

A graph is drawn as a sequence of decisions. For atom ``i``: its type, or `stop`; then its bond order (none,
single, double, triple) to ``i - 1``, ``i - 2``, ..., 0. Token 0 stands for the empty graph, token ``i`` for
atom ``i - 1`` together with its bonds to earlier atoms. Attention between two atoms sees their bond order,
their distance along bonds and the open valence of the earlier one, in the way of relative positions (Shaw et
al. 2018, arXiv:1803.02155, equations 3 and 4).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from softdraw.kernels.formulas import one_hot
from softdraw.molecules.model.prefix_features import UNREACHED, PrefixFeatures

BOND_ORDERS = 4
"""Classes of a bond decision: none, single, double, triple."""

Cache = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class NetworkOptions:
    """Sizes of a ``GraphNetwork``.

    Attributes:
        width: features of a token, a multiple of ``heads``.
        layers: transformer blocks.
        heads: attention heads.
        expand: hidden features of a block's perceptron, in widths.
        pair_width: features of a pair of atoms.
        bond_width: features of a bond decision.

    Raises:
        ValueError: a size is not a positive integer, or ``heads`` does not divide ``width``.
    """

    width: int = 48
    layers: int = 1
    heads: int = 4
    expand: int = 3
    pair_width: int = 16
    bond_width: int = 48

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name}: got {value!r}, expected an integer of at least 1")
        if self.width % self.heads:
            raise ValueError(f"width: got {self.width}, expected a multiple of heads={self.heads}")

    def to_dict(self) -> dict[str, int]:
        """The sizes as plain Python."""
        return asdict(self)


class GraphAttention(nn.Module):
    """One pre-norm transformer block whose attention reads features of pairs of atoms.

    Shapes: tokens ``[B, Q, width]``, pairs ``[B, Q, T, pair_width]`` where ``T`` counts the cached tokens
    and the ``Q`` new ones, blocked ``[T, 1, 1, Q]``.
    """

    def __init__(self, options: NetworkOptions) -> None:
        super().__init__()
        width, self.heads = options.width, options.heads
        self.norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, 3 * width)
        self.bias = nn.Linear(options.pair_width, self.heads, bias=False)
        self.merge = nn.Linear(width + self.heads * options.pair_width, width)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, options.expand * width),
            nn.ReLU(),
            nn.Linear(options.expand * width, width),
        )

    def forward(
        self, tokens: Tensor, pairs: Tensor, blocked: Tensor | None = None, cache: Cache | None = None
    ) -> tuple[Tensor, Cache]:
        """Tokens after this block, and the keys and values of all tokens so far."""
        batch, queries, width = tokens.shape
        split = self.project(self.norm(tokens)).view(batch, queries, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        if cache is not None:
            key, value = torch.cat((cache[0], key), 2), torch.cat((cache[1], value), 2)
        scores = (query * (width // self.heads) ** -0.5) @ key.transpose(2, 3)
        # Softmax over the leading dim: over a last dim of ten entries torch is 15 times slower on a CPU.
        scores = scores.permute(3, 0, 1, 2) + self.bias(pairs).permute(2, 0, 3, 1)
        if blocked is not None:
            scores = scores.masked_fill(blocked, float("-inf"))
        weights = scores.softmax(0).permute(1, 2, 3, 0).to(value.dtype)
        heard = (weights @ value).transpose(1, 2).reshape(batch, queries, width)
        seen = (weights.transpose(1, 2) @ pairs).flatten(2)
        tokens = tokens + self.merge(torch.cat((heard, seen), 2))
        return tokens + self.mlp(tokens), (key, value)


class GraphNetwork(nn.Module):
    """Logits of every decision of an autoregressive molecular graph.

    Args:
        valences: largest sum of bond orders of each atom type, in the order of the vocabulary (``K`` types).
        max_atoms: ``N``, atoms of the largest graph; a graph of that size stops without a decision.
        options: sizes.
    """

    valences: Tensor

    def __init__(
        self, valences: Sequence[int], max_atoms: int, options: NetworkOptions | None = None
    ) -> None:
        super().__init__()
        self.options = options = options or NetworkOptions()
        self.max_atoms, self.types, self.top = max_atoms, len(valences), max(valences)
        self.register_buffer("valences", torch.tensor(list(valences)), persistent=False)
        width, bond_width = options.width, options.bond_width
        opens, distances = self.top + 2, UNREACHED + 1
        self.start = nn.Parameter(torch.zeros(width))
        self.atom = nn.Linear(self.types + opens + max_atoms, width)
        self.pair = nn.Linear(BOND_ORDERS + opens + distances, options.pair_width)
        self.blocks = nn.ModuleList(GraphAttention(options) for _ in range(options.layers))
        self.norm = nn.LayerNorm(width)
        self.type_head = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, self.types + 1))
        self.bond_new = nn.Linear(width + self.types, bond_width)
        self.bond_old = nn.Linear(width, 2 * bond_width, bias=False)
        self.bond_scale = nn.Linear(BOND_ORDERS - 1, bond_width, bias=False)
        self.bond_state = nn.Linear(2 * opens + distances + max_atoms, bond_width, bias=False)
        self.bond_head = nn.Sequential(
            nn.ReLU(),
            nn.Linear(bond_width, bond_width),
            nn.ReLU(),
            nn.Linear(bond_width, BOND_ORDERS),
        )

    def one_hot_open(self, valence: Tensor) -> Tensor:
        """One-hot open valence, ``-1`` and below counted as one class."""
        return one_hot(valence.clamp(-1, self.top) + 1, self.top + 2, self.start.dtype)

    def atom_features(self, types: Tensor, open_valence: Tensor, place: Tensor) -> Tensor:
        """Input of the tokens of atoms: one-hot type ``[..., K]``, open valence and place ``[...]``."""
        where = one_hot(place, self.max_atoms, self.start.dtype)
        place_of_each = where.expand(*types.shape[:-1], -1)
        embedded: Tensor = self.atom(torch.cat((types, self.one_hot_open(open_valence), place_of_each), -1))
        return embedded

    def pair_features(self, bonds: Tensor, open_valence: Tensor, distance: Tensor) -> Tensor:
        """Features of pairs: one-hot bond order ``[..., 4]``, open valence of the earlier, distance."""
        far = one_hot(distance, UNREACHED + 1, self.start.dtype)
        embedded: Tensor = self.pair(torch.cat((bonds, self.one_hot_open(open_valence), far), -1))
        return embedded

    def bond_context(self, open_old: Tensor, open_new: Tensor, distance: Tensor, back: Tensor) -> Tensor:
        """What a bond decision knows: open valences of both atoms, their distance, the atoms between."""
        dtype = self.start.dtype
        far, gap = one_hot(distance, UNREACHED + 1, dtype), one_hot(back, self.max_atoms, dtype)
        both = self.one_hot_open(open_old), self.one_hot_open(open_new)
        known: Tensor = self.bond_state(torch.cat((*both, far, gap.expand(*far.shape[:-1], -1)), -1))
        return known

    def forward(self, types: Tensor, bonds: Tensor, features: PrefixFeatures) -> tuple[Tensor, Tensor]:
        """Logits of every decision of given graphs (teacher forcing).

        Args:
            types: ``[B, N]`` atom types, -1 where there is no atom.
            bonds: ``[B, N, N]`` symmetric bond orders.
            features: of the same graphs.

        Returns:
            Type logits ``[B, N + 1, K + 1]`` (the last class is `stop`) of the decisions after 0, 1, ..., N
            atoms, and bond logits ``[B, N (N - 1) / 2, 4]`` in the order of ``torch.tril_indices(N, N, -1)``.
        """
        batch, atoms = types.shape
        device, dtype = types.device, self.start.dtype
        place = torch.arange(atoms, device=device)
        kinds = one_hot(types, self.types, dtype)
        own = features.open_valence[:, place + 1, place]
        tokens = torch.cat(
            (self.start.expand(batch, 1, -1).to(dtype), self.atom_features(kinds, own, place)), 1
        )
        pairs = self.pair_features(
            one_hot(bonds, BOND_ORDERS, dtype), features.open_valence[:, 1:], features.distance
        )
        pairs = F.pad(pairs, (0, 0, 1, 0, 1, 0))
        later = torch.ones(atoms + 1, atoms + 1, dtype=torch.bool, device=device).tril(-1)
        for block in self.blocks:
            tokens, _ = block(tokens, pairs, later.view(atoms + 1, 1, 1, atoms + 1))
        tokens = self.norm(tokens)

        row, column = torch.tril_indices(atoms, atoms, -1, device=device)
        new = self.bond_new(torch.cat((tokens[:, :-1], kinds), -1))
        old, partner = self.bond_old(tokens[:, 1:]).chunk(2, -1)
        context = self.bond_context(
            features.open_valence[:, row, column],
            features.open_new[:, row, column],
            features.distance_new[:, row, column],
            row - column - 1,
        )
        held = self._held(bonds, partner)[:, row, column]
        hidden = new[:, row] + old[:, column] + held + context
        return self.type_head(tokens), self.bond_head(hidden)

    def _held(self, bonds: Tensor, partner: Tensor) -> Tensor:
        """What atom ``i`` is bonded to already when its bond to ``j`` is drawn: ``[B, N (i), N (j),
        bond_width]``.

        Atom ``i`` has few partners, so they are listed instead of summed over all atoms: the cost stays
        quadratic.
        """
        batch, atoms, _ = bonds.shape
        place = torch.arange(atoms, device=bonds.device)
        lower = bonds.tril(-1)
        most = max(1, int((lower > 0).sum(2).amax()))
        which = ((lower > 0) * (place + 1)).topk(most, dim=2).values - 1
        there = which.clamp(min=0)
        order = one_hot(lower.gather(2, there) - 1, BOND_ORDERS - 1, partner.dtype)
        who = partner.gather(1, there.flatten(1).unsqueeze(2).expand(-1, -1, partner.shape[2]))
        given = self.bond_scale(order) * who.view(batch, atoms, most, -1)
        drawn = (which.unsqueeze(2) > place.view(1, 1, -1, 1)).to(given.dtype)
        held: Tensor = drawn @ given
        return held
