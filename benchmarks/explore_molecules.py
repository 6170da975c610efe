"""The molecules of `softdraw explore`: drawn by the shipped prior, every decision recorded.

    python -m benchmarks.explore_molecules

Draws one block of molecules at ``Key(0)``, as ``MoleculeGenerator.load("druglike").sample`` does, and writes
``src/softdraw/explore/molecules.json``: of five molecules, for each decision the logits (in hundredths), the
mask and what was chosen, and where RDKit puts the atoms on paper. The noise is not written: the page makes it
from the key. It measures nothing; it stands here since, as ``benchmarks.druglike``, it makes what the package
ships.

Kept are molecules that no rounding changes: in every decision the winner is ``MARGIN`` ahead, and the network
draws the same in float32 and in bfloat16, of which ``sample`` takes what the processor multiplies faster.
"""

import argparse
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from rdkit import Chem
from rdkit.Chem import rdDepictor
from torch import Tensor

import softdraw as sd
import softdraw.explore
from softdraw.files import atomic
from softdraw.molecules import MoleculeGenerator
from softdraw.molecules.chemistry.codec import decode_batch
from softdraw.molecules.model.drawing import draw
from softdraw.random import Key

SEED, BLOCK = 0, 512
MARGIN = 0.05
SIZES = (16, 18, 20, 22, 24)
TARGET = Path(softdraw.explore.__file__).with_name("molecules.json")


@dataclass
class Recorder:
    """Chooses as ``choose_hard`` does, and keeps what it chose from, for every graph of a batch."""

    numbers: dict[Key, tuple[int, int]]
    seen: list[tuple[int, int, Tensor, Tensor, Tensor, Tensor]] = field(default_factory=list)

    def __call__(self, logits: Tensor, mask: Tensor | None, key: Key) -> Tensor:
        """See ``softdraw.molecules.model.drawing.Choose``."""
        allowed = torch.ones_like(logits, dtype=torch.bool) if mask is None else mask.expand(logits.shape)
        index = sd.gumbel_max(logits, mask=allowed, key=key)
        # the page rounds logits to hundredths, and its noise to float64
        noisy = (logits.double() * 100).round() / 100 + sd.random.gumbel(
            logits.shape, key=key, dtype=torch.float64
        )
        best = noisy.masked_fill(~allowed, -torch.inf).sort(-1, descending=True).values
        lead = best[:, 0] - best[:, 1] if best.shape[1] > 1 else torch.full_like(best[:, 0], torch.inf)
        self.seen.append((*self.numbers[key], logits, allowed, index, lead))
        return torch.nn.functional.one_hot(index.clamp_min(0), logits.shape[1]).to(logits) * (
            index >= 0
        ).unsqueeze(1)


def numbers_of(key: Key, most: int) -> dict[Key, tuple[int, int]]:
    """By the key of a decision its atom and step; step -1 is the type of the atom."""
    found = {key.fold_in(atom): (atom, -1) for atom in range(most)}
    for atom in range(most):
        for step in range(atom):
            found[key.fold_in(most * (atom * most + step + 1))] = atom, step
    return found


def decisions_of(recorder: Recorder, row: int) -> tuple[list[list[Any]], float]:
    """Decisions of one graph, and by how much the closest of them was won."""
    decisions: list[list[Any]] = []
    closest = float("inf")
    for atom, step, logits, allowed, index, lead in recorder.seen:
        if not bool(allowed[row].any()):
            continue
        mask = "".join("01"[int(one)] for one in allowed[row])
        hundredths = (logits[row].double() * 100).round().long().tolist()
        decisions.append([atom, step, int(index[row]), mask, hundredths])
        closest = min(closest, float(lead[row]))
    return decisions, closest


def places_of(types: Tensor, bonds: Tensor, symbols: tuple[str, ...]) -> list[list[int]]:
    """Where the atoms lie on paper, in hundredths of a bond's length, upwards as in mathematics."""
    mol = Chem.RWMol()
    count = int((types >= 0).sum())
    for kind in types[:count].tolist():
        mol.AddAtom(Chem.Atom(symbols[kind]))
    kinds = {1: Chem.BondType.SINGLE, 2: Chem.BondType.DOUBLE, 3: Chem.BondType.TRIPLE}
    for later in range(count):
        for earlier in range(later):
            if order := int(bonds[later, earlier]):
                mol.AddBond(later, earlier, kinds[order])
    Chem.SanitizeMol(mol)
    rdDepictor.Compute2DCoords(mol)
    conformer = mol.GetConformer()
    points = [conformer.GetAtomPosition(atom) for atom in range(count)]
    return [[round(point.x / 1.5 * 100), round(point.y / 1.5 * 100)] for point in points]


def record() -> dict[str, Any]:
    """All that the page knows of the molecules."""
    generator = MoleculeGenerator.load("druglike")
    network, vocabulary, key = generator.network, generator.vocabulary, Key(SEED)
    recorder = Recorder(numbers_of(key, network.max_atoms))
    with torch.inference_mode():
        drawn = draw(network, BLOCK, key, mask=True, choose=recorder)
        coarse = draw(network, BLOCK, key, mask=True, precision=torch.bfloat16)
    smiles = decode_batch(drawn.types, drawn.bonds, vocabulary)
    also = decode_batch(coarse.types, coarse.bonds, vocabulary)
    library = generator.sample(BLOCK, key=key)
    sizes = (drawn.types >= 0).sum(1).tolist()
    found: list[dict[str, Any]] = []
    for size in SIZES:
        rows = [
            row for row in range(BLOCK) if sizes[row] == size and smiles[row] == also[row] == library[row]
        ]
        # those with most elements first
        rows.sort(key=lambda row: -len(drawn.types[row].unique()))
        for row in rows:
            decisions, closest = decisions_of(recorder, row)
            if closest >= MARGIN:
                places = places_of(drawn.types[row], drawn.bonds[row], vocabulary.names)
                found.append({"row": row, "smiles": smiles[row], "places": places, "decisions": decisions})
                break
    return {
        "seed": SEED,
        "mostAtoms": network.max_atoms,
        "types": list(vocabulary.names),
        "valences": network.valences.tolist(),
        "molecules": found,
    }


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=TARGET)
    out = parser.parse_args().out
    recorded = record()
    molecules = recorded.pop("molecules")
    head = json.dumps(recorded, separators=(",", ":")).removesuffix("}")
    lines = ",\n".join(json.dumps(one, separators=(",", ":")) for one in molecules)
    with atomic(out) as file:
        file.write(f'{head},"molecules":[\n{lines}\n]}}\n'.encode())
    for one in molecules:
        print(f"row {one['row']}: {one['smiles']}, {len(one['decisions'])} decisions")


if __name__ == "__main__":
    main()
