"""Molecules as pictures that stand inside a page."""

from typing import Any

from rdkit import Chem, rdBase
from rdkit.Chem.Draw import rdMolDraw2D

from softdraw.pages import data_uri

__all__ = ["molecule_picture"]

WIDTH, HEIGHT = 190, 140


def molecule_picture(smiles: str) -> str | None:
    """A molecule drawn as SVG on a transparent ground, as a data URI; None where RDKit cannot read it.

    Example:
        >>> molecule_picture("CCO")[:26]
        'data:image/svg+xml;base64,'
        >>> molecule_picture("<script>") is None
        True
    """
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(smiles) if smiles else None
        if mol is None or not mol.GetNumAtoms():
            return None
        drawer = rdMolDraw2D.MolDraw2DSVG(WIDTH, HEIGHT)
        options: Any = drawer.drawOptions()
        options.clearBackground = False
        # one scale for all, so that a small molecule looks small; larger ones are shrunk to fit
        options.fixedBondLength = 26
        options.bondLineWidth = 1.6
        options.padding = 0.06
        # RDKit's pale cyan and yellow are lost on a white ground
        options.updateAtomPalette({9: (0.1, 0.55, 0.2), 16: (0.68, 0.52, 0.0)})
        rdMolDraw2D.PrepareAndDrawMolecule(drawer, mol)
        drawer.FinishDrawing()
    return data_uri(drawer.GetDrawingText().encode(), "svg+xml")
