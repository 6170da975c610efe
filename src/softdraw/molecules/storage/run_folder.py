"""The folder of a run: what lies where, what may be replaced, and what a later command reads back."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from softdraw.molecules.errors import CheckpointError, DataError, OutputError
from softdraw.molecules.storage.atomic import make_folder, output_errors, write_json, write_text

__all__ = ["BEST", "RUN_FORMAT", "RunFolder"]

RUN_FORMAT = 1
"""Version of the layout, kept in config.json."""
BEST = "best.csv"
"""Name of the table of the best molecules of an optimisation."""

_FILES = (
    "config.json",
    "stages.json",
    "history.json",
    "metrics.json",
    "samples.smi",
    "samples_unmasked.smi",
    "steered.smi",
    "front.csv",
    "report.html",
    BEST,
)
_CHECKPOINTS = "checkpoints"


class RunFolder:
    """A run on disk.

    | name | content |
    | --- | --- |
    | ``config.json`` | the options of the run, the command that repeats it, versions |
    | ``checkpoints/`` | ``fit/`` and ``steer/``: the work so far; ``fitted/`` and ``steered/``: the models |
    | ``stages.json`` | which stage has ended, and with which options |
    | ``metrics.json`` | the figures |
    | ``samples.smi`` | the masked draw of the fitted model, one SMILES a line |
    | ``samples_unmasked.smi`` | a draw without mask; an empty line where a graph is no molecule |
    | ``steered.smi`` | the masked draw of the steered model |
    | ``best.csv`` | of an optimisation, the best molecules that were evaluated |
    | ``front.csv`` | of several targets, the molecules that no other one beats, with their values |
    | ``history.json`` | training curves and properties, from which the report is made again |
    | ``report.html`` | the report |

    Every file is written whole or not at all. Other files in the folder are never touched.

    Args:
        path: the folder; it need not exist.

    Example:
        >>> RunFolder("runs/first").metrics
        {}
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    # -- what lies where ---------------------------------------------------------------------------------

    @property
    def fit_checkpoints(self) -> Path:
        """Where ``fit`` keeps the work so far."""
        return self.path / _CHECKPOINTS / "fit"

    @property
    def steer_checkpoints(self) -> Path:
        """Where ``steer`` keeps the work so far."""
        return self.path / _CHECKPOINTS / "steer"

    @property
    def fitted(self) -> Path:
        """The fitted model."""
        return self.path / _CHECKPOINTS / "fitted"

    @property
    def steered(self) -> Path:
        """The steered model."""
        return self.path / _CHECKPOINTS / "steered"

    @property
    def report(self) -> Path:
        """The report."""
        return self.path / "report.html"

    @property
    def occupied(self) -> list[str]:
        """Names in the folder that a run would write."""
        return [name for name in (*_FILES, _CHECKPOINTS) if os.path.lexists(self.path / name)]

    # -- opening -----------------------------------------------------------------------------------------

    def claim(self, *, resume: bool = False, overwrite: bool = False) -> None:
        """Make the folder and see that it can be written, without replacing the results of another run.

        Args:
            resume: keep what an earlier run left, and go on with it.
            overwrite: remove what an earlier run left; other files stay.

        Raises:
            OutputError: there are results and neither is True, or the folder cannot be written.
        """
        self.refuse_occupied(resume=resume, overwrite=overwrite)
        found = self.occupied
        make_folder(self.path)
        for name in () if resume else found:
            _remove(self.path / name)

    def refuse_occupied(self, *, resume: bool = False, overwrite: bool = False) -> None:
        """See, as ``claim`` does, that there are no results in the way, and change nothing.

        Raises:
            OutputError: there are, and neither is True.
        """
        found = self.occupied
        if found and not (resume or overwrite):
            raise OutputError(
                f"{self.path}: already holds {_listed(found)}; go on with --resume, start again with "
                "--overwrite, or choose another folder with --out"
            )

    def require(self) -> None:
        """See that this is the folder of a run.

        Raises:
            DataError: there is no such folder, or it holds no run.
        """
        if not self.path.is_dir():
            raise DataError(f"{self.path}: no such folder; expected the folder of a run")
        if not (self.path / "config.json").is_file():
            raise DataError(f"{self.path}: holds no config.json; expected the folder of a run")

    # -- JSON --------------------------------------------------------------------------------------------

    @property
    def config(self) -> dict[str, Any]:
        """Options, command and versions.

        Raises:
            CheckpointError: the file is damaged, or of a later version of softdraw.
        """
        config = self._read_json("config.json")
        if config.get("format", RUN_FORMAT) != RUN_FORMAT:
            raise CheckpointError(
                f"{self.path / 'config.json'}: format {config['format']}, expected {RUN_FORMAT}; "
                "the run is of another version of softdraw"
            )
        return config

    @property
    def metrics(self) -> dict[str, Any]:
        """The figures; empty when there are none yet."""
        return self._read_json("metrics.json")

    @property
    def history(self) -> dict[str, Any]:
        """Training curves and properties."""
        return self._read_json("history.json")

    @property
    def stages(self) -> dict[str, Any]:
        """By stage (``fit``, ``steer``): its ``options``, and whether it is ``complete``."""
        return self._read_json("stages.json")

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Replace the configuration."""
        write_json(self.path / "config.json", {"format": RUN_FORMAT, **config})

    def update_metrics(self, **sections: Any) -> None:
        """Replace whole sections of the metrics."""
        write_json(self.path / "metrics.json", {**self.metrics, **sections})

    def update_history(self, **sections: Any) -> None:
        """Replace whole sections of the history."""
        write_json(self.path / "history.json", {**self.history, **sections})

    def update_stage(self, stage: str, options: Mapping[str, Any], *, complete: bool) -> None:
        """Note how far a stage has come."""
        write_json(
            self.path / "stages.json",
            {**self.stages, stage: {"options": dict(options), "complete": complete}},
        )

    def forget_stage(self, stage: str) -> None:
        """Note that a stage has to begin anew."""
        write_json(
            self.path / "stages.json", {name: kept for name, kept in self.stages.items() if name != stage}
        )

    def forget_steering(self) -> None:
        """Remove what an earlier steering left (model, checkpoint, molecules, figures), so that none of it is
        taken for the next one.

        Raises:
            OutputError: the folder cannot be written.
        """
        left = (
            self.steered,
            self.steer_checkpoints,
            self.path / "steered.smi",
            self.path / "front.csv",
            self.report,
            self.path / BEST,
        )
        known = "steer" in self.stages or bool(self.metrics.get("steer"))
        if not known and not any(os.path.lexists(entry) for entry in left[:3]):
            return
        for entry in left:
            _remove(entry)
        self.forget_stage("steer")
        scores = {
            draw: kept for draw, kept in (self.metrics.get("scores") or {}).items() if draw != "steered"
        }
        self.update_metrics(steer=None, scores=scores)
        properties = {
            name: {draw: values for draw, values in draws.items() if draw != "steered"}
            for name, draws in (self.history.get("properties") or {}).items()
        }
        self.update_history(steer=None, properties=properties, front=None)

    def _read_json(self, name: str) -> dict[str, Any]:
        path = self.path / name
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (ValueError, RecursionError) as error:
            raise CheckpointError(f"{path}: damaged, not JSON ({error})") from None
        except OSError as error:
            raise CheckpointError(f"{path}: cannot be read ({error.strerror or error})") from error
        if not isinstance(found, dict):
            raise CheckpointError(f"{path}: damaged, holds a {type(found).__name__}, expected an object")
        return found

    # -- molecules ---------------------------------------------------------------------------------------

    def write_smiles(self, name: str, smiles: Sequence[str]) -> None:
        """Write one SMILES a line, an empty line where a graph is no molecule."""
        write_text(self.path / name, "".join(f"{one}\n" for one in smiles))

    def write_front(self, text: str) -> None:
        """Write the table of the front."""
        write_text(self.path / "front.csv", text)

    def read_smiles(self, name: str) -> list[str]:
        """What ``write_smiles`` wrote; no entry when there is no such file.

        Raises:
            DataError: the file is not text, or cannot be read.
        """
        path = self.path / name
        try:
            return path.read_text(encoding="utf-8").split("\n")[:-1]
        except FileNotFoundError:
            return []
        except UnicodeDecodeError:
            raise DataError(f"{path}: not a text file, expected SMILES as UTF-8 text") from None
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def _remove(entry: Path) -> None:
    """Delete a file or a folder; a link is deleted, not followed."""
    with output_errors(entry):
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink(missing_ok=True)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown + (", ..." if len(names) > 3 else "")
