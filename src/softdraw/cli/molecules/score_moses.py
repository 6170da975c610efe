"""The part of ``softdraw molecules score`` that gives the table of MOSES."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from softdraw.cli.molecules.score_sets import Way, Ways, say

if TYPE_CHECKING:
    from softdraw.molecules.runtime.team import Team
    from softdraw.molecules.scoring.features import Features

__all__ = ["moses_table"]


def moses_table(
    sources: dict[str, str],
    ways: Ways,
    known: dict[str, list[str]],
    *,
    fcd: bool,
    team: "Team",
) -> dict[str, float | None]:
    """The scores by name.

    Args:
        sources: ``samples`` and, if they are given, ``train``, ``reference`` and ``scaffold_reference``.
        ways: for each of them, how it is read.
        known: ``train`` and ``reference`` of a run.
        fcd: whether to compute the Fréchet distances.
        team: who shares the work.

    Raises:
        DataError: a source cannot be read, or holds too few molecules.
    """
    from softdraw.molecules.runtime.progress import ProgressBar
    from softdraw.molecules.scoring.moses import moses_scores

    read = {name: _smiles_of(source, ways[name]) for name, source in sources.items()}
    for name, what in (("samples", "samples"), ("train", "SMILES")):
        if name in read:
            say(f"{name}: {sources[name]}: {len(read[name]):,} {what}")
    sets: dict[str, Any] = {**known, **{name: read[name] for name in read if name == "train"}}
    with ProgressBar("score") as bar:

        def report(what: str, share: float) -> None:
            bar.update(share, what)

        team = replace(team, report=report)
        for name in ("reference", "scaffold_reference"):
            if name in read:
                sets[name] = _reference(name, sources[name], ways[name], read[name], team)
        sets |= {"fcd": fcd, "devices": team.devices, "group": team.group, "report": report}
        return moses_scores(read["samples"], **sets).to_dict()


def _smiles_of(source: str, way: Way) -> list[str]:
    """As they stand there: nothing is parsed, of which the training set of MOSES would take minutes."""
    from softdraw.molecules.data.sources import open_source

    return [smiles or "" for _, smiles in open_source(source, *way).rows()]


def _reference(name: str, source: str, way: Way, smiles: list[str], team: "Team") -> "Features":
    from softdraw.molecules.scoring.features import reference_features
    from softdraw.molecules.scoring.molecule_sets import read_known

    found = reference_features(smiles, team=team)
    if len(found.smiles) < 2:
        read_known(name, source, *way, least=2)  # refuses it, with the reasons
    left_out = len(smiles) - len(found.smiles)
    warning = "warning: " if left_out else ""
    say(f"{warning}{name}: {source}: {len(found.smiles):,} of {len(smiles):,} are molecules")
    return found
