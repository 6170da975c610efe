"""What a run says on the console, line by line."""

from collections.abc import Iterable, Mapping
from typing import Any

from softdraw.molecules.chemistry.properties import described_property
from softdraw.molecules.scoring.table import written
from softdraw.molecules.steering.outcome import defined_text, spread_text, unit_of
from softdraw.molecules.steering.progress import progress_text

__all__ = ["budget_text", "fit_line", "meant", "summary_lines"]


def budget_text(budget: Mapping[str, Any]) -> str:
    """A budget of training in words.

    Example:
        >>> budget_text({"calls": 2000})
        '2,000 calls'
        >>> budget_text({"steps": 12}), budget_text({"minutes": 2.5}), budget_text({"minutes": 0.5})
        ('12 steps', '2.5 minutes', '30 seconds')
    """
    if "calls" in budget:
        return f"{budget['calls']:,} calls"
    if "steps" in budget:
        return f"{budget['steps']} steps"
    minutes = budget["minutes"]
    return f"{minutes:.3g} minutes" if minutes >= 1 else f"{60 * minutes:.3g} seconds"


def fit_line(summary: Mapping[str, Any]) -> str:
    """What a fit did, in a line.

    Example:
        >>> fit_line({"steps": 20, "epochs": 2.0, "seconds": 1.5, "loss": 12.5, "validation_loss": None})
        'fit: 20 steps, 2.0 epochs, 2 s, training loss 12.50 nats a molecule (none are left to validate)'
    """
    line = f"fit: {summary['steps']} steps, {summary['epochs']:.1f} epochs, {summary['seconds']:.0f} s, "
    if summary.get("validation_loss") is not None:
        line += f"validation loss {summary['validation_loss']:.2f} nats a molecule"
    else:
        loss = summary.get("loss")
        figure = "unknown" if loss is None else f"{loss:.2f}"
        line += f"training loss {figure} nats a molecule (none are left to validate)"
    if summary.get("under_trained"):
        line += "; under-trained: a longer --minutes with --resume goes on from here"
    return line


def summary_lines(metrics: Mapping[str, Any]) -> list[str]:
    """The main figures of a run as lines of text.

    Args:
        metrics: sections ``samples``, ``steer`` and ``scores``, as ``write_measurements`` wrote them.

    Example:
        >>> samples = {"validity_unmasked": 0.99, "uniqueness": 0.98, "fcd": 0.31}
        >>> summary_lines({"samples": samples})
        ['fitted: 99.0 % valid without mask, 98.0 % unique, Fréchet ChemNet distance 0.31']
    """
    samples, steer = metrics["samples"], metrics.get("steer")
    fitted = [
        f"{written(samples['validity_unmasked'], 'share')} valid without mask",
        f"{written(samples['uniqueness'], 'share')} unique",
    ]
    if samples.get("fcd") is not None:
        fitted.append(f"Fréchet ChemNet distance {written(samples['fcd'])}")
    lines = ["fitted: " + ", ".join(fitted)]
    if steer:
        before, after = written(steer["distance_before"]), written(steer["distance_after"])
        steered = [
            f"distance {before} -> {after} {unit_of(steer)}".rstrip(),
            f"{written(steer['uniqueness_after'], 'share')} unique",
            f"{written(steer.get('steps'))} step" + "s" * (steer.get("steps") != 1),
        ]
        if steer.get("predicted_gap") is not None:
            steered.append(f"property network off by {written(steer['predicted_gap'])}")
        goal = ", ".join([steer["target"], *meant(steer.get("targets") or ())])
        lines.append(f"steered to {goal}: " + ", ".join(steered))
        said = [text for one in steer["targets"] for text in (spread_text(one), defined_text(one))]
        lines += [f"  {text}" for text in (*said, progress_text(steer)) if text]
        lines += [f"warning: {remark}" for remark in steer.get("remarks", ())]
    return [*lines, *_passing(metrics.get("scores") or {})]


def _passing(scores: Mapping[str, Mapping[str, Any]]) -> list[str]:
    shares = [
        f"{written(scores[draw]['passing'], 'share')} of the {draw} molecules"
        for draw in ("fitted", "steered")
        if scores.get(draw, {}).get("passing") is not None
    ]
    return [f"patterns: {', '.join(shares)} pass"] if shares else []


def meant(targets: Iterable[Mapping[str, Any]]) -> list[str]:
    """What goals mean to a chemist, where their names do not say it.

    Example:
        >>> meant([{"property": "sa", "goal": "min"}, {"property": "logp", "goal": 2.5}])
        ['the easiest synthesis (lowest SA score)']
    """
    records = [(described_property(target["property"]), target["goal"]) for target in targets]
    return [
        record.goal_text(goal)
        for record, goal in records
        if (goal == "min" and record.lowest) or (goal == "max" and record.highest)
    ]
