"""Files of runs: what is finished is not done again, and what was broken off goes on where it was."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from softdraw.files import atomic

__all__ = ["Results", "keep", "kept", "run_once"]


def run_once(path: Path, wanted: Mapping[str, Any], make: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """What the file at ``path`` holds if it is of this run, else what ``make`` gives, written there whole.

    Args:
        path: of the file, JSON; its folder is made.
        wanted: what tells this run from others; kept in the file.
        make: the run. It is given a path at which it may ``keep`` how far it came; that file goes at the end.
    """
    if path.exists():
        found: dict[str, Any] = json.loads(path.read_text())
        if all(found.get(name) == value for name, value in wanted.items()):
            return found
    path.parent.mkdir(parents=True, exist_ok=True)
    halfway = path.with_suffix(".pt")
    result: dict[str, Any] = {**make(halfway), **wanted}
    with atomic(path) as file:
        file.write(json.dumps(result, indent=1).encode())
    halfway.unlink(missing_ok=True)
    return result


def keep(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors and plain values, in the place of what was kept before."""
    with atomic(path) as file:
        torch.save(dict(state), file)


def kept(path: Path | None, wanted: Mapping[str, Any]) -> dict[str, Any] | None:
    """What was kept at ``path`` by a run of ``wanted``, None if nothing was."""
    if path is None or not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, weights_only=True)
    return state if all(state.get(name) == value for name, value in wanted.items()) else None


class Results:
    """Many short runs in one file, a list in JSON: what is there is not made again.

    Args:
        path: of the file; its folder is made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.all: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []

    def of(self, run: Mapping[str, Any]) -> dict[str, Any] | None:
        """The result of a run, None if it was not made."""
        return next((one for one in self.all if run.items() <= one.items()), None)

    def add(self, run: Mapping[str, Any], figures: Mapping[str, Any]) -> dict[str, Any]:
        """Keep the result of a run, on disk too."""
        self.all.append({**run, **figures})
        with atomic(self.path) as file:
            file.write(json.dumps(self.all, indent=1).encode())
        return self.all[-1]
