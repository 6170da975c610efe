"""Which backend serves which device: the one dispatch."""

import warnings
from functools import cache
from types import ModuleType

from torch import Tensor

from softdraw.kernels import reference
from softdraw.kernels.backend import Backend

__all__ = ["backend", "backend_for", "backend_of", "loops", "programs_of", "structure_loops_of"]

#: what an import may raise where a package is there and does not work
_BROKEN = (ImportError, OSError, RuntimeError, AttributeError)


@cache
def _native() -> Backend | str:
    """The C backend, or why there is none."""
    try:
        from softdraw.kernels import cpu
    except _BROKEN as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "softdraw.kernels.cpu._native":
            return "the native extension is not built (no C compiler at installation?)"
        return f"the native extension does not load ({_text(error)})"
    return cpu


@cache
def _triton() -> Backend | str:
    """The Triton backend, or why there is none."""
    try:
        from softdraw.kernels import triton
    except _BROKEN as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "triton":
            return "Triton is not installed"
        return f"Triton does not load ({_text(error)})"
    return triton


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


@cache
def backend_for(device_type: str) -> Backend:
    """The backend for ``cpu``, ``cuda`` and so on. Where the compiled one is missing it says why, once."""
    if device_type == "cpu":
        found, where = _native(), "the CPU"
    elif device_type == "cuda":
        found, where = _triton(), "the GPU"
    else:
        return reference
    if not isinstance(found, str):
        return found
    warnings.warn(
        f"softdraw: {found}, so draws on {where} run in plain PyTorch: the same numbers, more slowly",
        RuntimeWarning,
        stacklevel=4,
    )
    return reference


@cache
def loops() -> Backend | None:
    """The loops in C for the CPU, None where there are none."""
    found = _native()
    return None if isinstance(found, str) else found


def backend_of(tensor: Tensor) -> Backend:
    """The backend for the device of ``tensor``."""
    return backend_for("cpu" if tensor.is_cpu else tensor.device.type)


def structure_loops_of(tensor: Tensor) -> ModuleType | None:
    """The loops over structures in C for a tensor on the CPU, ``kernels.cpu.structures``; else None."""
    found: ModuleType | None = getattr(backend_for("cpu"), "structures", None) if tensor.is_cpu else None
    return found


def programs_of(tensor: Tensor) -> ModuleType | None:
    """The programs of structures for a plain tensor on a card, ``kernels.triton.structures``; else None."""
    found: ModuleType | None = getattr(backend_for("cuda"), "structures", None) if tensor.is_cuda else None
    return found


def backend(device_type: str = "cpu") -> str:
    """Name of what draws on a device.

    It is ``cpu-avx512``, ``cpu-avx2``, ``cpu-generic``, ``triton`` or ``reference``.

    Example:
        >>> from softdraw import kernels
        >>> kernels.backend("meta")
        'reference'
    """
    return backend_for(device_type).name()
