"""The Triton programs as code for a card that is not here: Triton's compiler and ptxas need none."""

import inspect

import pytest

triton = pytest.importorskip("triton", reason="Triton is not installed", exc_type=ImportError)

WORDS = dict.fromkeys(["k0", "k1", "offset_low", "offset_high"], "u32")
NUMBERS = {"float32": ("*fp32", "*fp32"), "bfloat16": ("*bf16", "*fp32"), "float64": ("*fp64", "*fp64")}
PROGRAMS = [
    ("draw", {"MASKED": False, "INDEXED": True, "KIND": 0}),
    ("draw", {"MASKED": True, "INDEXED": False, "KIND": 1}),
    ("draw", {"MASKED": True, "INDEXED": True, "KIND": 2}),
    ("backward", {"LARGEST": 3.0e38}),
    ("noise", {"LAW": 0}),
    ("noise", {"LAW": 1}),
]


@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize(("name", "constants"), PROGRAMS)
def test_code_for_a_card(name, constants, dtype, monkeypatch):
    from softdraw.kernels.triton import INTERPRETED, programs

    if INTERPRETED:
        pytest.skip("Triton was imported with TRITON_INTERPRET=1")
    if name == "noise" and dtype == "bfloat16":
        pytest.skip("noise comes in float32 and float64")
    monkeypatch.setenv("TRITON_DEFAULT_FP_FUSION", "1")
    stored, computed = NUMBERS[dtype]
    program = getattr(programs, name)
    constants = constants | {"DOUBLE": dtype == "float64", "BLOCK": 256}
    pointers = dict.fromkeys(["logits", "out", "grad", "y"], stored)
    pointers |= {"tau": computed, "mask": "*u8", "indices": "*i64"} | WORDS
    signature = {
        argument: "constexpr" if argument in constants else pointers.get(argument, "i32")
        for argument in program.arg_names
    }
    known = inspect.signature(triton.compiler.ASTSource).parameters
    named = "constexprs" if "constexprs" in known else "constants"  # the name before Triton 3.3
    source = triton.compiler.ASTSource(fn=program, signature=signature, **{named: constants})
    target = triton.backends.compiler.GPUTarget("cuda", 80, 32)
    assert triton.compile(source, target=target).asm["cubin"]
