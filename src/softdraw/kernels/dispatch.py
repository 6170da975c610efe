"""Which backend serves which device: the one dispatch."""

import importlib
import warnings
from functools import cache
from types import ModuleType
from typing import Any

from torch import Tensor

from softdraw.kernels import reference

__all__ = ["backend", "backend_for", "backend_of"]


@cache
def _native() -> ModuleType | None:
    try:
        return importlib.import_module("softdraw.kernels.cpu")
    except ImportError:
        return None


@cache
def _triton() -> ModuleType | None:
    try:
        return importlib.import_module("softdraw.kernels.triton")
    except ImportError:
        return None


@cache
def backend_for(device_type: str) -> Any:
    """The backend's module for ``cpu``, ``cuda`` and so on. Without the compiled part it warns, once."""
    if device_type == "cpu":
        native = _native()
        if native is not None:
            return native
        warnings.warn(
            "softdraw: the native extension is not built (no C compiler at installation?), so draws on the "
            "CPU run in plain PyTorch: the same numbers, more slowly",
            RuntimeWarning,
            stacklevel=4,
        )
    elif device_type == "cuda":
        kernels = _triton()
        if kernels is not None:
            return kernels
        warnings.warn(
            "softdraw: Triton is not installed, so draws on the GPU run in plain PyTorch",
            RuntimeWarning,
            stacklevel=4,
        )
    return reference


def backend_of(tensor: Tensor) -> Any:
    """The backend's module for the device of ``tensor``."""
    return backend_for("cpu" if tensor.is_cpu else tensor.device.type)


def backend(device_type: str = "cpu") -> str:
    """Name of what draws on a device: ``cpu-avx512``, ``cpu-avx2``, ``cpu-generic``, ``triton`` or
    ``reference``.

    Example:
        >>> from softdraw import kernels
        >>> kernels.backend("meta")
        'reference'
    """
    name: str = backend_for(device_type).name()
    return name
