"""Saved states, written whole or not at all, and read without unpickling code."""

import json
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from softdraw.molecules.errors import CheckpointError
from softdraw.molecules.storage.atomic import atomic, make_folder, write_bytes

__all__ = ["read_json", "read_state", "read_tensors", "write_state", "write_tensors"]


def write_state(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint of tensors and plain Python.

    Raises:
        OutputError: the folder cannot be written, or the disk is full.
    """
    make_folder(path.parent)
    with atomic(path) as file:
        torch.save(state, file)


def read_state(path: Path) -> dict[str, Any]:
    """Read a checkpoint; only tensors and plain Python are accepted.

    Raises:
        CheckpointError: it is missing, cut off, or holds anything else.
    """
    try:
        with warnings.catch_warnings():  # torch wonders about pickles of other kinds; here they are refused
            warnings.simplefilter("ignore")
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
    write_bytes(path, save({name: tensor.detach().contiguous() for name, tensor in tensors.items()}))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read safetensors.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    try:
        tensors: dict[str, Tensor] = load(path.read_bytes())
    except (OSError, SafetensorError, ValueError) as error:
        raise _refused(path, error) from error
    return tensors


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
    lines = str(error).strip().split("\n")
    reason = "no such file" if isinstance(error, FileNotFoundError) else lines[0][:200]
    return CheckpointError(f"{path}: cannot be read as a checkpoint ({reason})")
