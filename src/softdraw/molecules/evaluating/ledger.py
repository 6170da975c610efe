"""The ledger: no molecule is paid for twice, and never more of them than the budget allows."""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softdraw.molecules.chemistry.properties import Evaluation
from softdraw.molecules.evaluating.evaluations import EVALUATIONS, Evaluated, EvaluationFile
from softdraw.molecules.evaluating.evaluator import Evaluator

__all__ = ["Ledger"]

REMEMBERED = 200_000
"""Molecules that are remembered where they are not counted: the oldest are forgotten, and computed again."""


class Ledger:
    """Values of properties by canonical SMILES, in the order in which they were asked for.

    A call is one molecule, for all properties together, whoever computes them. What a killed process had
    paid for is read from the file: when the steps that were lost are done again they ask for the same
    molecules, which then count as used, and are not paid for again.

    Args:
        names: of the properties.
        evaluate: what computes them.
        limit: most calls; None neither counts against a budget nor keeps a file.
        folder: where ``evaluations.csv`` is kept, on ranks by the first; none is without it.
        resume: go on with the file that is there.

    Attributes:
        calls: molecules used so far.
        failed: how many of them lack a value.
        reason: why the first of these has none.
        labels: how many of those that were counted are molecules of the data.
        refused: whether a molecule was left out because the budget was spent.

    Raises:
        CheckpointError: the file is damaged or of other properties.
        OutputError: the file cannot be written.

    Example:
        >>> ledger = Ledger(["heavy_atoms"], Evaluator(["heavy_atoms"]), limit=4)
        >>> ledger.ask(["CC", "C", "CC", ""]).T
        array([[ 2.,  1.,  2., nan]])
        >>> ledger.calls, ledger.left
        (2, 2)
    """

    def __init__(
        self,
        names: Sequence[str],
        evaluate: Evaluator,
        *,
        limit: int | None = None,
        folder: Path | None = None,
        resume: bool = False,
    ) -> None:
        self.names, self.evaluate, self.limit = tuple(names), evaluate, limit
        self.calls = self.failed = 0
        self.reason = ""
        self.refused = False
        self._file: EvaluationFile | None = None
        ranks = evaluate.ranks
        with ranks.agreed():
            if limit is not None and folder is not None and ranks.first:
                self._file = EvaluationFile(folder / EVALUATIONS, self.names, resume=resume)
        self._known: dict[str, Evaluated] = ranks.decided(self._found)
        self._used: dict[str, None] = {}
        self.labels = 0
        self._restored: tuple[str, ...] = tuple(self._known)

    def _found(self) -> dict[str, Evaluated]:
        return {} if self._file is None else self._file.found

    @property
    def left(self) -> int | None:
        """Calls that may still be paid for; None where they are not counted."""
        return None if self.limit is None else max(0, self.limit - len(self._known))

    @property
    def spent(self) -> bool:
        """Whether the budget is used up."""
        return self.limit is not None and (self.refused or self.calls >= self.limit)

    def ask(self, smiles: Sequence[str], step: int | None = None) -> NDArray[np.float64]:
        """The properties of molecules.

        Args:
            smiles: molecules, empty where there is none; each is paid for once, as long as the budget lasts.
            step: that drew them; None for molecules of the data.

        Returns:
            ``[molecules, properties]``, NaN where there is no molecule, no value, or no call left.

        Raises:
            OutputError: the file cannot be written; what was evaluated stays known.
        """
        asked = [one for one in dict.fromkeys(smiles) if one]
        wanted = [one for one in asked if one not in self._known]
        if self.left is not None and len(wanted) > self.left:
            wanted, self.refused = wanted[: self.left], True
        try:
            for place, (values, reason) in self.evaluate(wanted):
                evaluated = Evaluated(values, reason, step)
                self._known[wanted[place]] = evaluated
                if self._file is not None:
                    self._file.append(wanted[place], evaluated)
        finally:
            if self._file is not None and wanted:
                self._file.sync()
        self._use(asked if self.limit is not None else wanted)
        found = self.known(smiles)
        if self.limit is None and len(self._known) > REMEMBERED:
            for one in list(islice(self._known, len(self._known) - REMEMBERED)):
                del self._known[one]
        return found

    def restore(self, rows: Mapping[str, Evaluated]) -> None:
        """Take over what was paid for before, as if the file had held it."""
        self._known |= rows
        self._restored = (*self._restored, *rows)

    @property
    def rows(self) -> dict[str, Evaluated]:
        """All that is known, by SMILES."""
        return dict(self._known)

    def learn(self, smiles: Sequence[str], values: NDArray[np.float64]) -> None:
        """Take values ``[molecules, properties]`` that were computed before; they are no calls."""
        for one, row in zip(smiles, values.tolist(), strict=True):
            self._known.setdefault(one, Evaluated(tuple(row)))

    def known(self, smiles: Sequence[str]) -> NDArray[np.float64]:
        """As ``ask``, with NaN for what was not evaluated before."""
        none = Evaluated((float("nan"),) * len(self.names))
        rows = [self._known.get(one, none).values for one in smiles]
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(self.names))

    def knows(self, smiles: Sequence[str]) -> NDArray[np.bool_]:
        """Of each molecule, whether it was evaluated, with or without success; "" counts as known."""
        if self.limit is None:  # what was forgotten was evaluated too
            return np.ones(len(smiles), dtype=bool)
        return np.array([not one or one in self._known for one in smiles], dtype=bool)

    def evaluation(self, place: int, smiles: Sequence[str]) -> Evaluation:
        """One of the properties, by its place, by ``ask``, as ``properties.evaluation`` gives it."""
        values = self.ask(smiles)[:, place]
        found = ((one, self._known[one]) for one in smiles if one in self._known)
        reason = next((f"{one}: {kept.reason}" for one, kept in found if np.isnan(kept.values[place])), "")
        return Evaluation(values, int(self.knows(smiles).sum()), int(np.isfinite(values).sum()), reason)

    @property
    def used(self) -> list[str]:
        """Molecules in the order used, where they are counted."""
        return list(self._used)

    @property
    def of_data(self) -> list[str]:
        """Those of the file that were molecules of the data, in the order paid."""
        return [one for one in self._restored if self._known[one].step is None]

    @property
    def labelled(self) -> bool:
        """Whether the file has molecules that steps drew, so that those of the data are complete."""
        return any(self._known[one].step is not None for one in self._restored)

    def close(self) -> None:
        """Close the file, sorted as used; what was paid for and not asked for again comes last.

        Raises:
            OutputError: the file cannot be written; what it holds stays.
        """
        if self._file is not None:
            self._file.rewrite({**{one: self._known[one] for one in self._used}, **self._known})

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint needs beside the file."""
        return {
            "limited": self.limit is not None,
            "properties": list(self.names),
            "used": "\n".join(self._used),
            "calls": self.calls,
            "failed": self.failed,
            "reason": self.reason,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state_dict``.

        Raises:
            ValueError: the state is of a budget of another kind or of other properties, or the file lacks
                molecules that it counts.
        """
        if state["properties"] != list(self.names):
            raise ValueError(f"its properties are {', '.join(state['properties'])}")
        if state["limited"] is not (self.limit is not None):
            raise ValueError("its budget is in calls" if state["limited"] else "its budget is not in calls")
        used = state["used"].split("\n") if state["used"] else []
        lost = sum(one not in self._known for one in used)
        if lost:
            raise ValueError(f"{EVALUATIONS} lacks {lost} of the molecules that were paid for")
        self._used = dict.fromkeys(used)
        self.calls, self.failed, self.reason = state["calls"], state["failed"], state["reason"]
        self.labels = sum(self._known[one].step is None for one in used)
        self.refused = False

    def _use(self, smiles: Sequence[str]) -> None:
        for one in smiles:
            known = self._known.get(one)
            if known is None or one in self._used:
                continue
            if self.limit is not None:
                self._used[one] = None
                self.labels += known.step is None
            self.calls += 1
            if known.failed:
                self.failed += 1
                self.reason = self.reason or f"{one}: {known.reason}"
