"""The Triton programs of a vocabulary's mixture against plain PyTorch: on a card, or interpreted.

Small, because Triton's interpreter takes milliseconds for a row. ``test_triton.py`` runs them without a card.
"""

import inspect
import math

import pytest
import torch

import softdraw as sd
from softdraw.kernels import reference
from softdraw.kernels.vocabulary import mixture_formulas

from .backends import backend
from .test_mixture import KINDS, both_ways

pytestmark = pytest.mark.gpu
CLOSE = {torch.float32: 2e-5, torch.float64: 1e-11}


class Moved:
    """A module of tiles whose tensors come from the CPU and go back there."""

    def __init__(self, module, device):
        self.module, self.device = module, device

    def __getattr__(self, name):
        return lambda *arguments, **options: self.call(getattr(self.module, name), arguments, options)

    def call(self, function, arguments, options):
        there = [one.to(self.device) if isinstance(one, torch.Tensor) else one for one in arguments]
        function(*there, **options)
        for one, other in zip(arguments, there, strict=True):
            if isinstance(one, torch.Tensor) and one is not other:
                one.copy_(other)


@pytest.fixture
def triton():
    with backend("triton") as (module, device):
        yield module, device


def assert_agree(triton, rows, dtype, parts, tolerance=None, **options):
    module, device = triton
    ours = both_ways(Moved(module.mixture, device), rows, dtype, parts, **options)
    theirs = both_ways(mixture_formulas, rows, dtype, parts, **options)
    assert torch.equal(ours[1], theirs[1])
    assert torch.equal(ours[0], theirs[0])
    tolerance = tolerance or CLOSE[dtype]
    for one, two in zip(ours[2], theirs[2], strict=True):
        torch.testing.assert_close(one, two, rtol=tolerance, atol=tolerance)
    if ours[3] is not None:
        torch.testing.assert_close(ours[3], theirs[3], rtol=tolerance, atol=10 * tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("estimator", "own_tau"), KINDS)
@pytest.mark.parametrize(("bias", "mask"), [(False, None), (True, "row"), (True, "all")])
def test_tiles_agree(triton, dtype, estimator, own_tau, bias, mask):
    tau = torch.tensor([0.4, 2.0] if own_tau else [0.7, 0.7], dtype=torch.float64)
    for parts in ((1, 5), (300, 4099)):
        assert_agree(triton, 2, dtype, parts, estimator=estimator, tau=tau, bias=bias, mask=mask)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("start", [1, 3, 4])
def test_a_tile_may_begin_anywhere(triton, dtype, start):
    tau = torch.ones(1, dtype=torch.float64)
    options = {"estimator": "st-gumbel-softmax", "tau": tau, "bias": True, "mask": None, "start": start}
    for parts in ((5, 30), (4096, 7)):  # with the classes before the first, one more block than without
        assert_agree(triton, 1, dtype, parts, **options)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("estimator", "own_tau"), KINDS)
def test_what_is_not_finite(triton, dtype, estimator, own_tau):
    tau = torch.full((8,), 0.7, dtype=torch.float64)
    options = {"estimator": estimator, "tau": tau, "bias": False, "mask": "all"}
    assert_agree(triton, 8, dtype, (3, 20), special=0.1, **options)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("estimator", "own_tau"), KINDS)
def test_extreme_temperatures(triton, dtype, estimator, own_tau):
    tau = torch.tensor([0.0, 1e-300, 1e30, math.inf], dtype=torch.float64)
    rest = {"bias": False, "mask": None, "tolerance": 1e-4}
    assert_agree(triton, 4, dtype, (30, 4), estimator=estimator, tau=tau, **rest)


def test_the_tiles_of_a_card_are_those_of_the_loops(triton):
    """Whoever calls tiles passes by name what each of them takes."""
    module, _ = triton
    for name in ("forward_tile", "backward_tile"):
        wanted = inspect.signature(getattr(mixture_formulas, name)).parameters
        assert set(wanted) <= set(inspect.signature(getattr(module.mixture, name)).parameters)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("estimator", [kind for kind, _ in KINDS if kind != "none"])
@pytest.mark.parametrize("tied", [False, True])
def test_mixtures_agree(triton, dtype, estimator, tied, monkeypatch):
    """The whole of it, with classes that fill no tile, a mask, a bias and a temperature for each row."""
    module, device = triton
    generator = torch.Generator().manual_seed(0)
    hidden, weight, table = (
        torch.randn(*shape, generator=generator).to(dtype) for shape in ((3, 4), (301, 4), (301, 4))
    )
    bias = torch.randn(301, generator=generator).to(dtype)
    mask = torch.rand(3, 301, generator=generator) < 0.7
    mask[2] = False
    found = []
    for here, where in ((module, device), (reference, torch.device("cpu"))):
        monkeypatch.setattr(mixture_formulas, "backend_of", lambda tensor, here=here: here)
        h, w, e, b = (one.to(where).requires_grad_() for one in (hidden, weight, table, bias))
        tau = torch.tensor([0.5, 1.5, 1.0], device=where, requires_grad=estimator != "reinmax")
        hard = estimator != "st-gumbel-softmax" or tied
        value, index = sd.vocabulary.gumbel_softmax(
            h, w, w if tied else e, tau, hard, bias=b, mask=mask.to(where), estimator=estimator,
            key=sd.Key(3), return_index=True,
        )  # fmt: skip
        value.float().cos().sum().backward()
        grads = [one.grad for one in (h, w, b, tau, *([] if tied else [e])) if one.requires_grad]
        found.append([one.detach().cpu() for one in (value, index, *grads)])
    assert torch.equal(found[0][1], found[1][1])
    close = CLOSE.get(dtype, 1e-2)
    for one, two in zip(*found, strict=True):
        torch.testing.assert_close(one, two, rtol=close, atol=close)
