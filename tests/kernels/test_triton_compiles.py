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


STRUCTURES = [
    ("tops", {"MASKED": True, "BLOCK": 256}),
    ("top_k_of_tiles", {"MASKED": True, "BLOCK": 256}),
    ("top_k_of_candidates", {"BLOCK": 256}),
    ("balance", {"STEPS": 16, "BLOCK": 256}),
    ("subsets", {"WANTED": False, "DIRECTED": False, "WIDTH": 2}),
    ("subsets", {"WANTED": True, "DIRECTED": False, "WIDTH": 16}),
    ("subsets", {"WANTED": True, "DIRECTED": True, "WIDTH": 256}),
    ("sinkhorn", {"ROWS": 32, "COLUMNS": 64}),
]


@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize(("name", "constants"), PROGRAMS)
def test_code_for_a_card(name, constants, dtype, monkeypatch):
    from softdraw.kernels.triton import INTERPRETED, programs

    if INTERPRETED:
        pytest.skip("Triton was imported with TRITON_INTERPRET=1")
    if name == "noise" and dtype == "bfloat16":
        pytest.skip("noise comes in float32 and float64")
    stored, computed = NUMBERS[dtype]
    constants = constants | {"DOUBLE": dtype == "float64", "BLOCK": 256}
    pointers = dict.fromkeys(["logits", "out", "grad", "y"], stored)
    pointers |= {"tau": computed, "mask": "*u8", "indices": "*i64", "class_start": "i64"} | WORDS
    assert cubin(getattr(programs, name), constants, pointers, monkeypatch)


def cubin(program, constants, pointers, monkeypatch, capability=80):
    monkeypatch.setenv("TRITON_DEFAULT_FP_FUSION", "1")
    signature = {
        argument: "constexpr" if argument in constants else pointers.get(argument, "i32")
        for argument in program.arg_names
    }
    known = inspect.signature(triton.compiler.ASTSource).parameters
    named = "constexprs" if "constexprs" in known else "constants"  # the name before Triton 3.3
    source = triton.compiler.ASTSource(fn=program, signature=signature, **{named: constants})
    target = triton.backends.compiler.GPUTarget("cuda", capability, 32)
    return triton.compile(source, target=target).asm["cubin"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "constants"), STRUCTURES)
def test_code_of_structures_for_a_card(name, constants, dtype, monkeypatch):
    from softdraw.kernels.triton import INTERPRETED, structure_programs

    if INTERPRETED:
        pytest.skip("Triton was imported with TRITON_INTERPRET=1")
    computed = NUMBERS[dtype][1]
    pointers = dict.fromkeys(
        [
            "tops",
            "values",
            "u",
            "low",
            "high",
            "p",
            "q",
            "v",
            "table",
            "slopes",
            "mass",
            "masses",
            "x",
            "errors",
        ],
        computed,
    )
    pointers |= {"logits": computed, "out": computed, "mask": "*u8", "top": "*u8", "tolerance": "fp32"}
    pointers |= {"indices": "*i64", "steps": "*i64"} | WORDS
    if name == "top_k_of_candidates":
        pointers["out"] = "*i64"
    if name in ("tops", "top_k_of_tiles"):
        constants = constants | {"DOUBLE": dtype == "float64"}
    assert cubin(getattr(structure_programs, name), constants, pointers, monkeypatch)


MIXTURES = [
    ("forward", {"MASKED": False, "FIRST": True, "NOISY": True, "SECOND": False, "QUIET": False}),
    ("forward", {"MASKED": True, "FIRST": False, "NOISY": False, "SECOND": True, "QUIET": False}),
    ("forward", {"MASKED": True, "FIRST": False, "NOISY": False, "SECOND": False, "QUIET": True}),
    ("backward", {"MASKED": True, "NOISY": True, "REINMAX": False, "SECOND": False, "SLOPES": True}),
    ("backward", {"MASKED": False, "NOISY": False, "REINMAX": True, "SECOND": True, "SLOPES": False}),
]


@pytest.mark.parametrize(("dtype", "capability"), [("float32", 80), ("float32", 90), ("float64", 80)])
@pytest.mark.parametrize(("name", "constants"), MIXTURES)
def test_code_of_mixtures_for_a_card(name, constants, dtype, capability, monkeypatch):
    from softdraw.kernels.triton import INTERPRETED, mixture_programs

    if INTERPRETED:
        pytest.skip("Triton was imported with TRITON_INTERPRET=1")
    largest = 1.7976931348623157e308 if dtype == "float64" else 3.4028234663852886e38
    constants = constants | {"BIAS": constants["MASKED"], "LARGEST": largest, "BLOCK": 256}
    constants |= {"DOUBLE": dtype == "float64"}
    constants |= {"BASES": 256} if name == "forward" else {"WEIGHTS": True}
    pointers = dict.fromkeys(["values", "second", "grad", "bias", "factor"], NUMBERS[dtype][1])
    pointers |= dict.fromkeys(["tau", "state", "means", "tau_grad"], "*fp64")
    pointers |= {"mask": "*u8", "index": "*i64", "class_start": "i64", "stride": "i64"} | WORDS
    assert cubin(getattr(mixture_programs, name), constants, pointers, monkeypatch, capability)
