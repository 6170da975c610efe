"""Functions of a user's own, at the top of a module so that other processes find them."""

import math
import os
from pathlib import Path

from rdkit import Chem


def size(mol):
    return mol.GetNumAtoms() + 0.5 * mol.GetRingInfo().NumRings()


def sizes(mols):
    if any(mol.GetNumAtoms() == 1 for mol in mols):
        raise ValueError("a single atom")
    return [size(mol) for mol in mols]


sizes.batched = True


def picky(mol):
    """Raised, NaN and infinite in turn, for molecules without a carbon."""
    if any(atom.GetSymbol() == "C" for atom in mol.GetAtoms()):
        return size(mol)
    return [math.nan, math.inf, 1 / 0 if mol.GetNumAtoms() % 3 else math.nan][mol.GetNumAtoms() % 2]


def noted(mol):
    """``size``, with a line for each call in the file that the environment names, and a death on request."""
    path = Path(os.environ["NOTED"])
    with path.open("a") as file:
        file.write(Chem.MolToSmiles(mol) + "\n")
    most = int(os.environ.get("NOTED_MOST", "0"))
    if most and len(path.read_text().splitlines()) > most:
        os.kill(os.getpid(), 9)
    return size(mol)


def ending(mol):
    os._exit(3)
