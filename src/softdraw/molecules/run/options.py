"""What a run is asked to do, as it stands in its configuration."""

import dataclasses
import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from softdraw.arguments import read_choice, read_count, read_number
from softdraw.molecules.chemistry.scaffold import read_scaffolds
from softdraw.molecules.data.encoding import text_encoding
from softdraw.molecules.data.filters import Rules
from softdraw.molecules.errors import CheckpointError, OutputError
from softdraw.molecules.model.sizes import size_of
from softdraw.molecules.runtime.budget import FEWEST_CALLS, read_minutes
from softdraw.molecules.steering.objectives import COMBINED
from softdraw.molecules.steering.options import SteerOptions

__all__ = ["DEFAULT_MINUTES", "STEER_SHARE", "RunOptions"]

DEFAULT_MINUTES = 6.0
"""Budget of training when none is named."""
USUAL: dict[str, Any] = {"fragments": "drop", "start": None, "network": None}
"""What a fit depends on too, where it is not this; runs of before there was a choice do not name it."""
STEER_SHARE = 1 / 3
"""Share of the minutes that goes into steering; the fit has the rest."""
STEER_STEPS_SHARE = 0.2
"""Steering steps for each fitting step, when only the latter are named: a steering step draws whole graphs,
and costs several times as much."""
_LEARNING = ("divergence", "updates", "memory", "offspring", "screen", "crowding", "crowded_by")
"""Options of the steering that have the same name there."""
_BESIDE = ("combine", "scaffold")
"""Arguments of ``steer`` that are no ``SteerOptions``."""
_REPEATED = {
    "targets": "--target",
    "forbid": "--forbid",
    "require": "--require",
    "keep_scaffold": "--keep-scaffold",
}
"""Options of the command line that may come several times, by name."""


@dataclass(frozen=True)
class RunOptions:
    """Options of a run; each is an option of ``softdraw molecules run`` by the same name.

    Attributes:
        data: ``"chemicals"``, ``"qm9"``, the path of a file of molecules, or ``"-"`` for standard input.
        elements: symbols of the elements allowed; None leaves it to the data.
        max_atoms: heavy atoms of the largest molecule; None leaves it to the data.
        smiles_column: of a file with several columns, the one with the SMILES, by its heading or its number
            from 1; None finds it.
        encoding: of the text of a file, as Python names it; None finds it.
        fragments: ``"drop"`` leaves out a molecule of several fragments, ``"largest"`` keeps the largest.
        start: "druglike" or the folder of a run whose weights the fit goes on from; None begins anew.
        network: "small", "medium" or "large"; None picks by molecules, atoms and minutes.
        minutes: wall time of fit and steering together; ``DEFAULT_MINUTES`` unless ``steps`` is given.
        steps: optimiser steps of the fit, instead of ``minutes``: the run is then a function of its seed.
        steer_minutes: the part of ``minutes`` that goes into steering; by default a third.
        steer_steps: optimiser steps of the steering, instead of minutes; by default a fifth of ``steps``.
        steer_calls: evaluations of the steering instead (see ``MoleculeGenerator.steer``).
        targets: what to steer to, as text (see ``targets.parse_target``); empty for the default target.
        combine: how several targets are put together (see ``MoleculeGenerator.steer``).
        keep_scaffold: parts that every molecule of the steering, and of the draws with mask, is drawn on
            from.
        estimator: gradient estimator of the steering.
        steer_batch_size, steer_learning_rate, divergence: of the steering (see ``SteerOptions``); None leaves
            them to it.
        updates, memory, offspring, screen, crowding, crowded_by: of it, likewise.
        workers: processes that compute properties of the user's own.
        samples: molecules in each of the three draws.
        forbid: files or names of patterns (see ``read_patterns``) that the drawn molecules should not hold;
            how many do is measured, and nothing is left out.
        require: patterns, all of which they should hold, likewise.
        seed: of all noise.
        fcd: whether to compute the Fréchet ChemNet distance.
        devices: processes that fit.
        strategy: how they work together, as Lightning names it.

    Raises:
        TypeError: a number is none.
        ValueError: a number is out of its range, or minutes and steps are both given.

    Example:
        >>> options = RunOptions(minutes=3)
        >>> options.fit_budget, options.steer_budget
        ({'minutes': 2.0}, {'minutes': 1.0})
        >>> RunOptions(minutes=3, steer_minutes=0.5).fit_budget
        {'minutes': 2.5}
        >>> RunOptions(steps=100).steer_budget
        {'steps': 20}
    """

    data: str = "chemicals"
    elements: tuple[str, ...] | None = None
    max_atoms: int | None = None
    smiles_column: str | None = None
    encoding: str | None = None
    fragments: str = "drop"
    start: str | None = None
    network: str | None = None
    minutes: float | None = None
    steps: int | None = None
    steer_minutes: float | None = None
    steer_steps: int | None = None
    steer_calls: int | None = None
    targets: tuple[str, ...] = ()
    estimator: str = "log-variance"
    samples: int = 1000
    forbid: tuple[str, ...] = ()
    require: tuple[str, ...] = ()
    seed: int = 0
    fcd: bool = True
    devices: int = 1
    strategy: str = "auto"
    steer_batch_size: int | None = None
    steer_learning_rate: float | None = None
    divergence: float | None = None
    updates: int | None = None
    memory: int | None = None
    offspring: float | None = None
    screen: int | None = None
    crowding: float | None = None
    crowded_by: str | None = None
    workers: int = 1
    combine: str = "sum"
    keep_scaffold: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.minutes is None and self.steps is None:
            object.__setattr__(self, "minutes", DEFAULT_MINUTES)
        for first, second in (
            ("minutes", "steps"),
            ("steer_minutes", "steer_steps"),
            ("steer_minutes", "steer_calls"),
            ("steer_steps", "steer_calls"),
        ):
            one, other = getattr(self, first), getattr(self, second)
            if one is not None and other is not None:
                raise ValueError(f"{first}, {second}: got {one} and {other}, expected one of them")
        size_of(self.network, {})
        read_choice("combine", self.combine, COMBINED)
        if self.minutes is not None:
            read_minutes("minutes", self.minutes)
        if self.steer_minutes is not None:
            read_number("steer_minutes", self.steer_minutes, least=0.0, below=self.minutes or math.inf)
        if self.steer_calls is not None:
            read_count("steer_calls", self.steer_calls, FEWEST_CALLS)
        SteerOptions(**{name: one for name, one in self.steer_options.items() if name not in _BESIDE})
        counts = ("steps", "steer_steps", "samples", "devices", "max_atoms", "workers")
        for name in counts:
            value = getattr(self, name)
            if value is not None:
                read_count(name, value, 1)
        if self.encoding is not None:
            text_encoding(self.encoding)
        Rules.of(self.elements, self.max_atoms or 1, charges=True, fragments=self.fragments)

    @property
    def fit_budget(self) -> dict[str, Any]:
        """Arguments of ``fit``: minutes or steps."""
        if self.minutes is None:
            return {"steps": self.steps}
        return {"minutes": round(self.minutes - self.steer_budget.get("minutes", 0.0), 9)}

    @property
    def steer_budget(self) -> dict[str, Any]:
        """Arguments of ``steer``: minutes, steps or calls."""
        if self.steer_calls is not None:
            return {"calls": self.steer_calls}
        if self.steer_steps is not None:
            return {"steps": self.steer_steps}
        if self.steer_minutes is not None:
            return {"minutes": self.steer_minutes}
        if self.steps is not None:
            return {"steps": max(1, round(self.steps * STEER_STEPS_SHARE))}
        return {"minutes": round((self.minutes or DEFAULT_MINUTES) * STEER_SHARE, 9)}

    @property
    def steer_options(self) -> dict[str, Any]:
        """Options of ``steer`` that were named."""
        named = {name: getattr(self, name) for name in _LEARNING}
        named |= {"batch_size": self.steer_batch_size, "learning_rate": self.steer_learning_rate}
        # not named by runs of before there was a choice
        named["combine"] = None if self.combine == "sum" else self.combine
        named["scaffold"] = self.scaffolds or None
        return {name: value for name, value in named.items() if value is not None}

    @property
    def scaffolds(self) -> list[str]:
        """SMILES of the parts to keep, those of files too."""
        return [one.text for given in self.keep_scaffold for one in read_scaffolds(given)]

    def fit_stage(self, digest: str) -> dict[str, Any]:
        """What the fitted model depends on; equal options give the same model (by steps) or as good a one."""
        return {
            "data": digest,
            "elements": None if self.elements is None else list(self.elements),
            "max_atoms": self.max_atoms,
            "seed": self.seed,
            # not named by runs of before there was a choice
            **{name: getattr(self, name) for name, usual in USUAL.items() if getattr(self, name) != usual},
            **self.fit_budget,
        }

    def steer_stage(self, digest: str) -> dict[str, Any]:
        """What the steered model depends on."""
        return {
            "fit": self.fit_stage(digest),
            "targets": list(self.targets),
            "estimator": self.estimator,
            **self.steer_options,
            **self.steer_budget,
        }

    @property
    def command(self) -> str:
        """The command that repeats the run."""
        words = ["softdraw", "molecules", "run"]
        for name, value in self._given().items():
            flag = "--from" if name == "start" else "--" + name.replace("_", "-")
            if name in _REPEATED:
                for entry in value:
                    words += [_REPEATED[name], entry]
            elif name == "elements":
                words += [flag, ",".join(value)]
            elif isinstance(value, bool):
                words.append(flag if value else flag.replace("--", "--no-", 1))
            else:
                words += [flag, f"{value:.9g}" if isinstance(value, float) else str(value)]
        return shlex.join(words)

    def _given(self) -> dict[str, Any]:
        """Options that differ from their default, and the budget and the seed in any case."""
        always = ("minutes", "seed")
        fields = dataclasses.fields(self)
        return {
            field.name: getattr(self, field.name)
            for field in fields
            if getattr(self, field.name) != field.default
            or (field.name in always and getattr(self, field.name) is not None)
        }

    def to_dict(self) -> dict[str, Any]:
        """The options, ready for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "RunOptions":
        """Options as ``to_dict`` gave them.

        Raises:
            CheckpointError: an option is unknown, or its value is refused.

        Example:
            >>> RunOptions.from_dict(RunOptions(steps=5).to_dict()) == RunOptions(steps=5)
            True
        """
        names = {field.name for field in dataclasses.fields(cls)}
        values: dict[str, Any] = {
            name: tuple(v) if isinstance(v, list) else v for name, v in stored.items() if name in names
        }
        unknown = set(stored) - names
        if unknown:
            raise CheckpointError(f"config.json: unknown options {', '.join(sorted(unknown))}")
        try:
            return cls(**values)
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"config.json: {error}") from None

    def check_same_model(self, stored: Mapping[str, Any], digest: str, folder: object) -> None:
        """See that a run can go on with these options: only budgets, targets and measurements may differ.

        Args:
            stored: options of the fit that lies in the folder, as ``fit_stage`` gave them.
            digest: of the data as it is now.
            folder: for the message.

        Raises:
            OutputError: the folder holds a model of other data or another seed.
        """
        now = {**USUAL, **self.fit_stage(digest)}
        stored = {**USUAL, **stored} if stored else stored
        for name in ("data", "elements", "max_atoms", "start", "network", "fragments", "seed"):
            if name in stored and stored[name] != now[name]:
                what = (
                    "other data"
                    if name == "data"
                    else f"{name} {stored[name]}, and {now[name]} was asked for"
                )
                raise OutputError(
                    f"{folder}: holds a run with {what}; start again with --overwrite, or choose another "
                    "folder with --out"
                )
