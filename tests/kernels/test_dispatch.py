import warnings

import pytest
import torch

import softdraw as sd
from softdraw import kernels
from softdraw.kernels import dispatch, reference

from .backends import native


@pytest.fixture
def _without_native(monkeypatch):
    monkeypatch.setattr(dispatch, "_native", lambda: None)
    dispatch.backend_for.cache_clear()
    yield
    dispatch.backend_for.cache_clear()


def test_the_native_backend_is_named():
    native()
    assert kernels.backend() in ("cpu-avx512", "cpu-avx2", "cpu-generic")


@pytest.mark.usefixtures("_without_native")
def test_without_the_extension_the_reference_runs_after_one_warning():
    with pytest.warns(RuntimeWarning, match="the native extension is not built"):
        y = sd.gumbel_softmax(torch.zeros(3, 4), hard=True, key=sd.Key(1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sd.gumbel_max(torch.zeros(3, 4))
    assert kernels.backend() == "reference"
    assert torch.equal(y, reference.hard(torch.zeros(3, 4), None, 1, 0))


def test_other_devices_have_the_reference():
    assert dispatch.backend_for("meta") is reference
