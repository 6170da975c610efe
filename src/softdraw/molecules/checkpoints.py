"""Saved states: written beside their target and renamed, and read without unpickling code."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from softdraw.molecules.errors import CheckpointError, OutputError

__all__ = ["read_json", "read_state", "read_tensors", "write_json", "write_state", "write_tensors"]


def write_state(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint of tensors and plain Python.

    Raises:
        OutputError: the folder cannot be written, or the disk is full.
    """
    _replace(path, lambda unfinished: torch.save(state, unfinished))


def read_state(path: Path) -> dict[str, Any]:
    """Read a checkpoint; only tensors and plain Python are accepted.

    Raises:
        CheckpointError: it is missing, cut off, or holds anything else.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises half a dozen kinds for a damaged file
        raise _refused(path, error) from error
    if not isinstance(state, dict):
        raise CheckpointError(f"{path}: not a checkpoint, holds a {type(state).__name__}")
    return state


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write tensors as safetensors.

    Raises:
        OutputError: the folder cannot be written, or the disk is full.
    """
    whole = {name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}
    _replace(path, lambda unfinished: save_file(whole, unfinished))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read safetensors.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    try:
        return load_file(path)
    except (OSError, SafetensorError, ValueError) as error:
        raise _refused(path, error) from error


def write_json(path: Path, value: Any) -> None:
    """Write JSON, readable by people.

    Raises:
        OutputError: the folder cannot be written, or the disk is full.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    _replace(path, lambda unfinished: unfinished.write_text(text, encoding="utf-8"))


def read_json(path: Path) -> Any:
    """Read JSON.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _refused(path, error) from error


def _refused(path: Path, error: BaseException) -> CheckpointError:
    reason = (
        "no such file" if isinstance(error, FileNotFoundError) else str(error).strip().split("\n")[0][:200]
    )
    return CheckpointError(f"{path}: cannot be read as a checkpoint ({reason})")


def _replace(path: Path, write: Callable[[Path], Any]) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(unfinished)
        os.replace(unfinished, path)
    except (OSError, RuntimeError, SafetensorError) as error:  # torch and safetensors wrap a full disk
        raise OutputError(
            f"{path}: cannot be written ({getattr(error, 'strerror', None) or error})"
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)
