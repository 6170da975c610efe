"""What ``softdraw compare`` and ``softdraw temperature`` share: measure with a progress bar, then write."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from softdraw.diagnostics.compare import compare
from softdraw.diagnostics.comparison import rows_to_csv
from softdraw.diagnostics.measures import Measures
from softdraw.diagnostics.problems import Problem, ProblemError, load_problem
from softdraw.diagnostics.report import report
from softdraw.estimators import get, names
from softdraw.files import atomic
from softdraw.random import Key

__all__ = [
    "Findings",
    "chosen_names",
    "measure_all",
    "numbers",
    "problem_of",
    "serving",
    "show",
    "tempered",
    "write",
    "write_text",
]


@dataclass
class Findings:
    """What was measured before the end or Ctrl-C."""

    rows: list[Measures] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False


def problem_of(name: str) -> Problem:
    """The problem called ``name``; a usage error where there is none."""
    try:
        return load_problem(name)
    except ProblemError as error:
        raise typer.BadParameter(str(error), param_hint="PROBLEM") from error


def chosen_names(text: str | None, default: Sequence[str]) -> list[str]:
    """Estimators of a comma-separated list; a usage error where a name is unknown."""
    chosen = [part.strip() for part in text.split(",")] if text else list(default)
    for name in chosen:
        if name not in names():
            raise typer.BadParameter(
                f"{name!r} is no estimator; expected some of {', '.join(names())}", param_hint="--estimators"
            )
    return chosen


def serving(problem: Problem) -> list[str]:
    """All estimators, or for a distribution those that serve one."""
    return [name for name in names() if problem.distribution is None or get(name).law_needs]


def numbers(text: str, option: str) -> list[float]:
    """Temperatures of a comma-separated list; a usage error for anything but numbers > 0."""
    try:
        values = [float(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r}: expected numbers with commas between", param_hint=option
        ) from error
    if not values or not all(0.0 < value < float("inf") for value in values):
        raise typer.BadParameter(f"{text!r}: expected numbers > 0", param_hint=option)
    return list(dict.fromkeys(values))


def measure_all(
    problem: Problem, chosen: Sequence[str], taus: Sequence[float], draws: int, seed: int
) -> Findings:
    """Measure every estimator, at each temperature where it has one; Ctrl-C keeps what is done."""
    findings, key = Findings(), Key(seed)
    tasks = [(name, tau) for name in chosen for tau in (taus if taus and tempered(name) else [None])]
    exact = None
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("exact gradient", total=len(tasks))
        try:
            for name, tau in tasks:
                bar.update(task, description=name if tau is None else f"{name} tau={tau:g}")
                est = get(name) if tau is None else get(name, tau=tau)
                # a swept temperature is held; training would move a learned one away from it
                warmup = 0 if tau is not None else 200
                result = compare(
                    problem.f,
                    problem.logits,
                    [est],
                    draws,
                    key=key,
                    mask=problem.mask,
                    exact=exact,
                    warmup=warmup,
                    distribution=problem.distribution,
                )
                exact = result.exact
                findings.rows += result.rows
                findings.skipped.update(result.skipped)
                bar.advance(task)
        except KeyboardInterrupt:
            findings.interrupted = True
    return findings


def tempered(name: str) -> bool:
    """Whether that estimator has a temperature."""
    return type(get(name)).default_tau is not None


def write_text(path: Path, text: str) -> None:
    """Write a file that is whole or not there."""
    with atomic(path) as file:
        file.write(text.encode())


def show(problem: Problem, findings: Findings) -> None:
    """Print the table."""
    console = Console()
    # a narrow terminal gets the columns that decide; the CSV file has all of them
    wide = console.width >= 120
    table = Table(title=f"{problem.name}: {problem.description}", box=None, pad_edge=False)
    table.add_column("estimator", no_wrap=True)
    extra = ("cosine", "dead") if wide else ()
    for column in ("tau", "bias", "variance", "sq. error", *extra, "evals", "ms"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in findings.rows:
        cells = [
            "" if row.tau is None else f"{row.tau:.3g}",
            f"{row.bias:.1e}±{row.bias_error:.0e}",
            f"{row.variance:.1e}±{row.variance_error:.0e}",
            f"{row.mse:.1e}",
            *((f"{row.cosine:.3f}", f"{row.dead:.0%}") if wide else ()),
            str(row.evaluations),
            f"{1e3 * row.seconds:.2f}",
        ]
        table.add_row(row.estimator, *cells)
    console.print(table)
    for name, reason in findings.skipped.items():
        console.print(f"not tried: {name}: {reason}", markup=False, highlight=False)


def write(problem: Problem, findings: Findings, folder: Path, words: Sequence[str]) -> None:
    """Write ``measures.csv`` and ``report.html`` of the command with these words, and say so."""
    folder.mkdir(parents=True, exist_ok=True)
    notes = [f"Made by: {shlex.join(words)}"]
    if findings.interrupted:
        notes.append("Stopped before the end; what was measured by then is shown.")
    page = report(
        findings.rows,
        title=problem.name,
        description=problem.description,
        skipped=findings.skipped,
        notes=notes,
    )
    for name, text in (("measures.csv", rows_to_csv(findings.rows)), ("report.html", page)):
        write_text(folder / name, text)
    typer.echo(f"wrote {folder / 'measures.csv'} and {folder / 'report.html'}")
