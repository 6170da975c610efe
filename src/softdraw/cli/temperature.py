"""``softdraw temperature``: bias and variance over a range of temperatures."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["add_to"]

_ESTIMATORS = ("gumbel-softmax", "st-gumbel-softmax", "gumbel-rao", "st", "reinmax")
_TAUS = "0.1,0.2,0.5,1,2,5"


def add_to(app: typer.Typer) -> None:
    """Put the command into the app."""
    app.command("temperature")(temperature)


def temperature(
    problem: Annotated[
        str, typer.Argument(help="rebar-toy, polynomial, cubic, vae, subset, or module:function of your own.")
    ] = "cubic",
    estimators: Annotated[
        str | None, typer.Option(help="Names of estimators with a temperature, commas between.")
    ] = None,
    taus: Annotated[str, typer.Option(help="Temperatures with commas between.")] = _TAUS,
    draws: Annotated[int, typer.Option(min=2, help="Independent estimates of each.")] = 4000,
    seed: Annotated[int, typer.Option(help="Names the noise.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder for measures.csv and report.html.")] = Path(
        "runs/temperature"
    ),
    picture: Annotated[
        Path | None, typer.Option(help="Also write the picture of samples, bias and variance, as SVG.")
    ] = None,
) -> None:
    """Measure what temperature does to bias and variance, and draw it."""
    from softdraw.cli import measuring
    from softdraw.diagnostics.figures import svg, swept, temperature_figure

    posed = measuring.problem_of(problem)
    serving = [name for name in measuring.serving(posed) if measuring.tempered(name)]
    chosen = measuring.chosen_names(estimators, _ESTIMATORS if posed.distribution is None else serving)
    for name in chosen:
        if not measuring.tempered(name):
            raise typer.BadParameter(f"{name!r} has no temperature", param_hint="--estimators")
    values = measuring.numbers(taus, "--taus")
    if len(values) < 2:
        raise typer.BadParameter(f"{taus!r}: expected two temperatures or more", param_hint="--taus")
    findings = measuring.measure_all(posed, chosen, values, draws, seed)
    measuring.show(posed, findings)
    words = ["softdraw", "temperature", problem, "--estimators", ",".join(chosen), "--taus", taus]
    words += ["--draws", str(draws), "--seed", str(seed)]
    measuring.write(posed, findings, out, words)
    # after Ctrl-C there may be nothing to draw
    if picture is not None and swept(findings.rows):
        picture.parent.mkdir(parents=True, exist_ok=True)
        measuring.write_text(picture, svg(temperature_figure(findings.rows)))
        typer.echo(f"wrote {picture}")
    if findings.interrupted:
        raise typer.Exit(130)
