"""Every backend that runs here, as pytest parameters: a new one joins by one line."""

import importlib
from contextlib import contextmanager

import pytest
import torch

from softdraw.kernels import reference

INSTRUCTIONS = ("avx512", "avx2", "generic")


def native():
    """The C backend's module, or a skip with the reason."""
    return pytest.importorskip(
        "softdraw.kernels.cpu", reason="the native extension is not built", exc_type=ImportError
    )


@contextmanager
def instructions(name):
    """The C backend with one instruction set."""
    extension = native()._native
    before = extension.instructions()
    if not extension.use_instructions(name):
        pytest.skip(f"this processor has no {name}")
    try:
        yield importlib.import_module("softdraw.kernels.cpu")
    finally:
        extension.use_instructions(before)


@contextmanager
def backend(name):
    """A backend and the device that its tensors are on."""
    if name == "reference":
        yield reference, torch.device("cpu")
    elif name == "triton":
        module = pytest.importorskip(
            "softdraw.kernels.triton", reason="Triton is not installed", exc_type=ImportError
        )
        if torch.cuda.is_available():
            yield module, torch.device("cuda")
        elif module.INTERPRETED:
            yield module, torch.device("cpu")
        else:
            pytest.skip("no GPU, and Triton was imported without TRITON_INTERPRET=1")
    else:
        with instructions(name) as module:
            yield module, torch.device("cpu")


BACKENDS = [*INSTRUCTIONS, pytest.param("triton", marks=pytest.mark.gpu)]
