"""Small networks and data that the tests of the flagship share."""

import torch

from softdraw.molecules.model.network import GraphNetwork
from softdraw.molecules.model.sizes import NetworkOptions

SMALL = NetworkOptions(width=16, layers=2, heads=2, bond_width=16)
SIZES = SMALL.to_dict()
MOLECULES = ["CCO", "CC=O", "CCN", "C#N", "CCC", "COC", "C1CC1", "NCC=O", "CC(C)O", "FCC", "CNC", "OCCO"]


def random_network(valences=(4, 3, 2, 1), max_atoms=6, seed=0, scale=1.0):
    """An untrained network; a larger ``scale`` makes its decisions more extreme."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = GraphNetwork(valences, max_atoms, SMALL).eval()
    with torch.no_grad():
        for head in (network.type_head[-1], network.bond_head[-1]):
            head.weight.mul_(scale * 4)
            head.bias.normal_(generator=torch.Generator().manual_seed(seed), std=scale)
    return network
