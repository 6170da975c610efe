"""The Triton program of a vocabulary's draws: interpreted beside torch's tiles, and as code for cards."""

import inspect
import os
import subprocess
import sys

import pytest
import torch

from softdraw.kernels.vocabulary import index, index_formulas

from .backends import backend

KEY = (0x123456789ABCDEF, 2**40 + 3)
#: few, because Triton's interpreter is slow
CASES = [
    ((3, 5, 1), None, torch.float32),
    ((5, 70, 300), "rows", torch.float32),
    ((5, 70, 300), "all", torch.bfloat16),
    ((20, 16, 130), "rows", torch.float16),
    ((20, 16, 130), None, torch.float32),
]


def problem(rows, width, classes, dtype):
    generator = torch.Generator().manual_seed(rows * classes)

    def normal(*shape):
        return torch.randn(shape, generator=generator).to(dtype)

    mask = torch.rand(rows, classes, generator=generator) < 0.7
    return normal(rows, width), normal(classes, width), normal(classes), mask, torch.rand(rows) + 0.5


@pytest.mark.gpu
@pytest.mark.parametrize(("shape", "masks", "dtype"), CASES)
def test_the_program_draws_what_the_tiles_of_torch_draw(shape, masks, dtype, monkeypatch):
    hidden, weight, bias, mask, tau = problem(*shape, dtype)
    mask = None if masks is None else mask if masks == "rows" else mask[:1]
    bias = None if masks == "all" else bias
    if masks == "rows":
        mask[1] = False  # no class
        hidden[2, 0] = torch.nan
    with backend("triton") as (module, device):
        moved = [None if one is None else one.to(device) for one in (hidden, weight, bias, mask, 1 / tau)]
        got = module.index_draws.draw(*moved, KEY, 2, True, span=128, classes=64)
        got = index._finished(got._replace(**{name: one.cpu() for name, one in got._asdict().items()}))
    monkeypatch.setattr(index, "_module", lambda hidden: index_formulas)
    expected = index.forward(hidden, weight, bias, mask, tau, KEY, 2, True, 128)
    assert torch.equal(got.index, expected.index)
    for name in ("top", "chosen", "best", "log_total", "mean"):
        known = torch.isfinite(expected.top)
        one, other = getattr(got, name)[..., known], getattr(expected, name)[..., known]
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    assert torch.equal(got.top.isnan(), expected.top.isnan())
    assert torch.equal(got.log_total.isnan(), expected.log_total.isnan())


@pytest.mark.gpu
def test_what_the_program_does_not_serve():
    with backend("triton") as (module, _):
        assert module.index_draws.serves(torch.float32, 4)
        assert not module.index_draws.serves(torch.float64, 1)
        assert not module.index_draws.serves(torch.float32, 5)


def test_the_interpreter_agrees():
    pytest.importorskip("triton", reason="Triton is not installed")
    warnings = ("-W", "ignore::RuntimeWarning", "-W", "ignore::DeprecationWarning")
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", *warnings, __file__],
        env=os.environ | {"TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-3000:]
    assert "6 passed" in result.stdout
    assert "skipped" not in result.stdout


@pytest.mark.parametrize(
    ("stored", "architecture", "given"),
    [("fp32", 80, True), ("bf16", 80, False), ("bf16", 90, True), ("fp16", 90, False)],
)
def test_code_for_a_card(given, stored, architecture, monkeypatch):
    triton = pytest.importorskip("triton", reason="Triton is not installed", exc_type=ImportError)
    from softdraw.kernels.triton import INTERPRETED, index_programs

    if INTERPRETED:
        pytest.skip("Triton was imported with TRITON_INTERPRET=1")
    monkeypatch.setenv("TRITON_DEFAULT_FP_FUSION", "1")
    constants = {"SPAN": 1024, "ROWS": 16, "CLASSES": 64, "WIDTH": 32, "WIDEN": False}
    constants |= {"BIAS": given, "MASKED": given, "MEASURED": given}
    pointers = dict.fromkeys(["rate", "tops", "sums", "best_out", "chosen_out"], "*fp32")
    pointers |= dict.fromkeys(["hidden", "weight", "bias"], f"*{stored}")
    pointers |= dict.fromkeys(["k0", "k1", "offset_low", "offset_high"], "u32")
    pointers |= {"mask": "*u8", "index_out": "*i64"}
    program = index_programs.index_of_tiles
    signature = {
        name: "constexpr" if name in constants else pointers.get(name, "i32") for name in program.arg_names
    }
    known = inspect.signature(triton.compiler.ASTSource).parameters
    named = "constexprs" if "constexprs" in known else "constants"  # the name before Triton 3.3
    source = triton.compiler.ASTSource(fn=program, signature=signature, **{named: constants})
    target = triton.backends.compiler.GPUTarget("cuda", architecture, 32)
    assert triton.compile(source, target=target).asm["cubin"]
