"""The command that draws molecules from a model in a folder."""

from typing import Annotated

import typer

from softdraw.cli import options as o
from softdraw.cli.molecules.models import generator_in
from softdraw.cli.molecules.results import refuse_existing, write_result

__all__ = ["sample"]


def sample(
    folder: o.Model,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many molecules.")] = 1000,
    mask: Annotated[bool, typer.Option(help="Allow only choices that end in a molecule.")] = True,
    key: Annotated[int, typer.Option("--key", "--seed", help="The same key, the same molecules.")] = 0,
    stage: o.Stage = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="smi|csv|sdf",
            help="SMILES alone; with properties; an SD file with coordinates in the plane and properties.",
            show_default="by the end of FILE",
        ),
    ] = None,
    properties: Annotated[
        list[str] | None,
        typer.Option(
            "--property",
            metavar="PROPERTY",
            help="A property in a .csv or .sdf file, named as a target is. Repeatable.",
            show_default="those that a report shows",
        ),
    ] = None,
    forbid: o.Forbid = None,
    require: o.Require = None,
    scaffold: o.Scaffold = None,
    devices: Annotated[
        int, typer.Option(min=1, help="Processes that draw; the molecules are those of one.")
    ] = 1,
    out: o.Result = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Draw molecules, one SMILES a line; an empty line is a graph that is no molecule.

    With --forbid and --require what is drawn is held to patterns: what does not pass is left out and counted
    on the error stream, and further molecules are drawn. With --scaffold molecules are drawn on from a given
    part. Processes that torchrun starts draw together. Drawn
    molecules have no stereo.
    """
    from softdraw.molecules.chemistry.properties import property_of
    from softdraw.molecules.chemistry.scaffold import read_scaffolds
    from softdraw.molecules.runtime.processes import launched_group
    from softdraw.molecules.runtime.remarks import remarks_said
    from softdraw.molecules.sampling.conditions import Conditions, selection_line
    from softdraw.molecules.sampling.output import FORMATS, PLAIN, SHOWN, format_of, written_molecules
    from softdraw.random import Key

    o.check_stage(stage)
    form = form or (PLAIN if out is None else format_of(out))
    if form not in FORMATS:
        raise typer.BadParameter(f"--format: got {form!r}, expected {', '.join(FORMATS)}")
    if properties and form == PLAIN:
        raise typer.BadParameter("--property: got one for a list of SMILES, expected --format csv or sdf")
    with o.as_usage():
        chosen = [property_of(name) for name in properties or SHOWN]
    conditions = Conditions.of(forbid or (), require or ())
    scaffolds = [part for one in scaffold or () for part in read_scaffolds(one)]
    refuse_existing(out, overwrite)
    generator = generator_in(folder, stage)
    with launched_group() as group:
        if group is not None and devices > 1:
            raise typer.BadParameter(f"--devices: got {devices} in a process of torchrun, expected 1")
        first = group is None or group.rank() == 0
        with remarks_said(_say if first else _hush):
            drawn = generator.sample(
                count,
                key=Key(key),
                mask=mask,
                forbid=conditions.forbid,
                require=conditions.require,
                scaffold=scaffolds,
                devices=devices,
                group=group,
                progress=None if first else False,
            )
    if not first:
        return
    if conditions or scaffolds:
        _say(selection_line(generator.sample_summary))
    write_result(out, written_molecules(drawn, form, chosen))
    missing = drawn.count("")
    if missing and form != PLAIN:
        where = "not in an SD file" if form == "sdf" else "blank rows, which score skips: score a .smi file"
        _say(f"{missing:,} of {count:,} graphs are no molecule: {where}")


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _hush(line: str) -> None:
    """What the first process says."""
