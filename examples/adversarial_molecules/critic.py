"""A graph network that scores packs of whole graphs, and says which z they may have come from.

What it knows of chemistry comes in as features, never as a loss or a mask: sums of bond orders, how far they
exceed the valence of an atom, what a path reaches, short cycles. All are products and sums of what was drawn,
so that the gradient of the score reaches the generator through them.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, relu

from .graphs import Layout


class Features(NamedTuple):
    of_atoms: Tensor  # [M, n, 8]
    of_graphs: Tensor  # [M, 6]


class Critic(nn.Module):
    """Score and code of draws.

    Args:
        layout: of the draws.
        pack: graphs that are scored together, so that a generator that repeats itself is found out (PacGAN,
            Lin et al. 2018).
        width: features of an atom.
        layers: of message passing.
        codes: entries of z that are guessed from a single graph (InfoGAN, Chen et al. 2016).
    """

    valences: Tensor
    orders: Tensor

    def __init__(self, layout: Layout, pack: int, width: int = 32, layers: int = 2, codes: int = 16) -> None:
        super().__init__()
        self.layout, self.pack = layout, pack
        self.register_buffer("valences", torch.tensor([*map(float, layout.vocabulary.valences), 0.0]))
        self.register_buffer("orders", torch.arange(1.0, 4.0)[:, None, None])
        self.first = nn.Linear(layout.none + 1 + 8, width)
        # atoms of the data stand in the order of the canonical SMILES, so a place means something
        self.place = nn.Parameter(0.3 * torch.randn(layout.atoms, width))
        self.bond = nn.ModuleList(nn.Linear(width, 3 * width) for _ in range(layers))
        self.self_ = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.mean = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.read = nn.Linear(layout.atoms * width, 2 * width)
        self.code = nn.Linear(2 * width, codes)
        self.head = nn.Sequential(
            nn.Linear((2 * width + 6) * pack, 128),
            nn.LeakyReLU(0.2),
            nn.Linear(128, 128),
            nn.LeakyReLU(0.2),
            nn.Linear(128, 1),
        )

    def forward(self, drawn: Tensor) -> tuple[Tensor, Tensor]:
        """Packs ``[*batch, pack * places, C]`` to scores ``[*batch]`` and codes ``[*batch, pack, codes]``."""
        batch = drawn.shape[:-2]
        atoms, bonds = self.layout.graphs(drawn.reshape(-1, self.layout.places, self.layout.classes))
        bonds = bonds[:, 1:]
        known = self.features(atoms, bonds)
        h = leaky_relu(self.first(torch.cat([atoms, known.of_atoms], -1)) + self.place, 0.2)
        side_by_side = bonds.permute(0, 2, 3, 1).flatten(2)  # [M, n, 3 n]: one product for all orders
        for bond, self_, mean in zip(self.bond, self.self_, self.mean, strict=True):
            sent = bond(h).unflatten(-1, (3, -1)).flatten(1, 2)
            heard = self_(h) + side_by_side @ sent + mean(h.mean(1, keepdim=True))
            h = h + 0.7 * leaky_relu(heard, 0.2)
        whole = leaky_relu(self.read(h.flatten(1)), 0.2)
        scored = torch.cat([whole, known.of_graphs], -1).view(*batch, -1)
        return self.head(scored).squeeze(-1), self.code(whole).view(*batch, self.pack, -1)

    def features(self, atoms: Tensor, bonds: Tensor) -> Features:
        """What is known of atoms and of whole graphs; ``bonds`` without the class "no bond"."""
        sums = (bonds * self.orders).sum((1, 3))  # [M, n]
        room = atoms @ self.valences - sums
        over, present, linked = relu(-room), 1.0 - atoms[..., -1], bonds.sum(1)
        eye = torch.eye(self.layout.atoms)
        reach, steps = linked + eye, 1
        while steps < self.layout.atoms - 1:  # a path of n - 1 bonds is the longest
            reach, steps = torch.tanh(reach @ reach), 2 * steps
        squares = linked @ linked
        cubes = squares @ linked
        cycles = [
            cubes.diagonal(dim1=1, dim2=2) / 2.0,
            squares.square().sum(-1) / 10.0,
            (squares * cubes).sum(-1) / 10.0,
        ]
        reached = (reach @ present.unsqueeze(-1)).squeeze(-1)
        of_atoms = [sums, relu(room), over, linked.sum(-1), reached / 4.0, *cycles]
        apart = (present * ((1.0 - reach) @ present.unsqueeze(-1)).squeeze(-1)).sum(1) / self.layout.atoms
        count, edges = present.sum(1), linked.sum((1, 2)) / 2.0
        of_graphs = [
            count / self.layout.atoms,
            edges / self.layout.atoms,
            edges - count,  # rings less pieces
            over.sum(1),
            apart,
            (sums * atoms[..., -1]).sum(1),
        ]
        return Features(torch.stack(of_atoms, -1), torch.stack(of_graphs, -1))
