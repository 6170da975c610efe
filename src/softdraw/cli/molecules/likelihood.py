"""The command that says how likely a model is to draw given molecules."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from softdraw.cli import options as o
from softdraw.cli.molecules.models import generator_in
from softdraw.cli.molecules.results import refuse_existing, write_result

if TYPE_CHECKING:
    from softdraw.molecules.data.sources import Source
    from softdraw.molecules.generator import MoleculeGenerator

__all__ = ["likelihood"]


def likelihood(
    folder: o.Model,
    # text, not a Path: that would take a slash out of an address
    file: Annotated[str, typer.Argument(help="Molecules: a file, 'chemicals' or 'qm9'.", metavar="FILE")],
    stage: o.Stage = None,
    smiles_column: o.SmilesColumn = None,
    encoding: o.Encoding = None,
    out: o.Result = None,
    overwrite: o.Overwrite = False,
) -> None:
    """The log-likelihood of molecules under a model, in nats: a table of smiles, nats and atoms.

    It is that of one order of drawing, the reading order of the canonical SMILES, and so a lower bound of
    the molecule's own. What the model cannot draw has no value; how many and why is said on the error stream.
    Of processes that torchrun starts, the first one does it.
    """
    from softdraw.molecules.data.sources import open_source
    from softdraw.molecules.runtime.processes import launched_group

    o.check_stage(stage)
    with launched_group() as group:
        if group is None or group.rank() == 0:
            refuse_existing(out, overwrite)
            _tell(generator_in(folder, stage), open_source(file, smiles_column, encoding), out)


def _tell(generator: "MoleculeGenerator", origin: "Source", out: Path | None) -> None:
    """Write the table, and an account of the molecules to the error stream."""
    import numpy as np

    from softdraw.molecules.data.account import Account
    from softdraw.molecules.sampling.likelihood import likelihoods
    from softdraw.molecules.sampling.output import csv_lines

    rows = list(origin.rows())
    found = likelihoods(generator.network, generator.vocabulary, rows)
    defined = np.isfinite(found.nats)
    lines = (
        (smiles or "", f"{nats:.4f}" if has else "", atoms if has else "")
        for (_, smiles), nats, atoms, has in zip(rows, found.nats, found.atoms, defined, strict=True)
    )
    write_result(out, csv_lines([("smiles", "nats", "atoms"), *lines]))
    known = int(defined.sum())
    account = Account(
        origin.description, str(origin.reading()), len(rows), known, found.undefined, found.stereo
    )
    line = f"likelihood: {account.origin}: {known:,} of {len(rows):,} molecules have one"
    if known:
        line += f", {found.nats[defined].mean():.2f} nats on average"
    if account.lost:
        line += f"; without one: {account.reasons()}"
    typer.echo(f"{line}; {account.stereo_note()}" if account.stereo else line, err=True)
