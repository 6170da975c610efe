"""``softdraw compare``: bias, variance and cost of estimators on a problem."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Put the command into the app."""
    app.command("compare")(compare)


def compare(
    problem: Annotated[
        str, typer.Argument(help="rebar-toy, polynomial, cubic, vae, subset, or module:function of your own.")
    ] = "cubic",
    estimators: Annotated[
        str | None, typer.Option(help="Names with commas between; by default all of them.")
    ] = None,
    taus: Annotated[
        str | None, typer.Option(help="Temperatures with commas between; by default each estimator's own.")
    ] = None,
    draws: Annotated[int, typer.Option(min=2, help="Independent estimates of each.")] = 1000,
    seed: Annotated[int, typer.Option(help="Names the noise.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder for measures.csv and report.html.")] = Path(
        "runs/compare"
    ),
) -> None:
    """Measure bias, variance and cost of gradient estimators against the exact gradient."""
    from softdraw.cli import measuring

    posed = measuring.problem_of(problem)
    chosen = measuring.chosen_names(estimators, measuring.serving(posed))
    values = measuring.numbers(taus, "--taus") if taus else []
    findings = measuring.measure_all(posed, chosen, values, draws, seed)
    measuring.show(posed, findings)
    words = ["softdraw", "compare", problem, "--estimators", ",".join(chosen)]
    words += ["--draws", str(draws), "--seed", str(seed), *(["--taus", taus] if taus else [])]
    measuring.write(posed, findings, out, words)
    if findings.interrupted:
        raise typer.Exit(130)
