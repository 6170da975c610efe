import importlib.machinery
import importlib.util
import inspect
import sys
import typing
import warnings

import pytest
import torch

import softdraw as sd
from softdraw import kernels
from softdraw.kernels import dispatch, reference
from softdraw.kernels.backend import Backend

from .backends import native

FUNCTIONS = [name for name in vars(Backend) if not name.startswith("_")]


@pytest.fixture(params=["reference", "cpu", "triton"])
def module(request):
    if request.param == "cpu":
        return native()
    if request.param == "triton":
        return pytest.importorskip(
            "softdraw.kernels.triton", reason="Triton is not installed", exc_type=ImportError
        )
    return reference


def test_a_backend_offers_what_the_protocol_says(module):
    offered = {name for name in module.__all__ if callable(getattr(module, name))}
    assert offered == set(FUNCTIONS)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_backend_has_the_functions_of_the_protocol(module, function):
    """Names, order, defaults and types of all arguments, and the type of the result."""
    promised, given = getattr(Backend, function), getattr(module, function)
    (_, *expected), found = (inspect.signature(f).parameters.values() for f in (promised, given))
    assert [(p.name, p.kind, p.default) for p in found] == [(p.name, p.kind, p.default) for p in expected]
    assert typing.get_type_hints(given) == typing.get_type_hints(promised)
    assert given.__doc__


def test_the_native_backend_is_named():
    native()
    assert kernels.backend() in ("cpu-avx512", "cpu-avx2", "cpu-generic")


def test_structures_are_looped_over_in_c_on_the_cpu_alone():
    module = native()
    assert dispatch.structure_loops_of(torch.zeros(2)) is module.structures
    assert dispatch.structure_loops_of(torch.zeros(2, device="meta")) is None


@pytest.fixture
def forget(monkeypatch):
    """Import a part of the kernels anew, and ``broken(name, loader)`` in its place."""

    def forgotten(room, *modules):
        for cached in (dispatch.backend_for, dispatch._native, dispatch._triton):
            cached.cache_clear()
        for name in list(sys.modules):
            if name in modules or name.startswith(f"softdraw.kernels.{room}"):
                monkeypatch.delitem(sys.modules, name)
        monkeypatch.delattr(kernels, room, raising=False)

    yield forgotten
    monkeypatch.undo()
    for cached in (dispatch.backend_for, dispatch._native, dispatch._triton):
        cached.cache_clear()


class Finder:
    """Finds one module where it is told to."""

    def __init__(self, name, path):
        self.name, self.path = name, path

    def find_spec(self, name, path=None, target=None):
        if name != self.name:
            return None
        if self.path is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return importlib.util.spec_from_file_location(name, self.path)


NATIVE = "softdraw.kernels.cpu._native"


def draws_in_plain_pytorch(message):
    logits = torch.zeros(3, 4)
    with pytest.warns(RuntimeWarning, match=message) as caught:
        y = sd.gumbel_softmax(logits, hard=True, key=sd.Key(1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sd.gumbel_max(logits)
    assert kernels.backend() == "reference"
    assert torch.equal(y, reference.hard(logits, None, 1, 0))
    return str(caught[0].message)


def test_without_the_extension_the_reference_runs_after_one_warning(forget, monkeypatch):
    monkeypatch.setattr(sys, "meta_path", [Finder(NATIVE, None), *sys.meta_path])
    forget("cpu")
    draws_in_plain_pytorch("the native extension is not built")


def test_an_extension_that_does_not_load_says_why(forget, monkeypatch, tmp_path):
    suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
    binary = tmp_path / f"_native{suffix}"
    binary.write_bytes(b"no program at all")
    monkeypatch.setattr(sys, "meta_path", [Finder(NATIVE, str(binary)), *sys.meta_path])
    forget("cpu")
    text = draws_in_plain_pytorch("the native extension does not load")
    assert "ImportError" in text
    assert str(binary) in text  # the linker names the file
    assert "compiler" not in text


@pytest.mark.parametrize("interface", [None, 0, 10**6])
def test_an_extension_of_other_sources_is_refused(forget, monkeypatch, interface):
    """It read its arguments as something else, and the process died."""
    extension = native()._native
    if interface is None:
        monkeypatch.delattr(extension, "INTERFACE")
    else:
        monkeypatch.setattr(extension, "INTERFACE", interface)
    sources = sys.modules[NATIVE]
    forget("cpu")
    monkeypatch.setitem(sys.modules, NATIVE, sources)
    text = draws_in_plain_pytorch("does not load .*built from other sources")
    assert f"got interface {interface or 0}, expected" in text
    assert "install softdraw again" in text


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (None, "Triton is not installed"),
        ("import nowhere_to_be_found", "does not load .*nowhere_to_be_found"),
        ("raise RuntimeError('0 active drivers')", "does not load .*RuntimeError: 0 active drivers"),
        ("", "does not load"),  # a module that has nothing of Triton
    ],
)
def test_a_triton_that_does_not_load_says_why(forget, monkeypatch, tmp_path, source, message):
    path = None
    if source is not None:
        path = tmp_path / "triton.py"
        path.write_text(source)
    finder = Finder("triton", path and str(path))
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    for name in [name for name in sys.modules if name.split(".")[0] == "triton"]:
        monkeypatch.delitem(sys.modules, name)
    forget("triton")
    with pytest.warns(RuntimeWarning, match=message):
        assert dispatch.backend_for("cuda") is reference


def test_other_devices_have_the_reference():
    assert dispatch.backend_for("meta") is reference
