"""Molecules that stand for those a network learned from, where these are not at hand."""

import itertools

from rdkit import rdBase

from softdraw.molecules.chemistry.codec import parse_smiles, read_molecule
from softdraw.molecules.chemistry.vocabulary import Vocabulary
from softdraw.molecules.data.graphs import GraphSet
from softdraw.molecules.data.split import Parts
from softdraw.molecules.model.network import GraphNetwork
from softdraw.molecules.model.sampling import SPAN, sample_smiles
from softdraw.random import Key

__all__ = ["drawn_parts"]

WANTED, MOST_SPANS = 10_000, 50
"""Different molecules that are wanted, and how much is drawn for them at most."""
KEY = Key(0x5F0D)
"""Of these draws: the same molecules every time."""


def drawn_parts(network: GraphNetwork, vocabulary: Vocabulary) -> Parts:
    """Different molecules that the network draws, as training molecules, with none held out."""
    smiles: dict[str, None] = {}
    for span in itertools.count():
        if len(smiles) >= WANTED or span == MOST_SPANS:
            break
        key = KEY.rows(span * SPAN)
        smiles |= dict.fromkeys(filter(None, sample_smiles(network, vocabulary, SPAN, key, mask=True)))
    with rdBase.BlockLogs():
        molecules = map(parse_smiles, itertools.islice(smiles, WANTED))
        records = [read_molecule(mol) for mol in molecules if mol is not None]
    drawn = GraphSet.from_records(records, vocabulary)
    return Parts(drawn, drawn, drawn.subset([]))
