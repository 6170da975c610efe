"""The command that says how likely a model is to draw given molecules."""

from typing import Annotated

import typer

from softdraw.cli import options as o
from softdraw.cli.molecules.models import generator_in
from softdraw.cli.molecules.results import refuse_existing, write_result

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
    """
    import numpy as np

    from softdraw.molecules.data.account import Account
    from softdraw.molecules.data.sources import open_source
    from softdraw.molecules.sampling.likelihood import likelihoods
    from softdraw.molecules.sampling.output import csv_lines

    o.check_stage(stage)
    refuse_existing(out, overwrite)
    generator = generator_in(folder, stage)
    origin = open_source(file, smiles_column, encoding)
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
