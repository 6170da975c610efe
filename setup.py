"""The one part of the build that pyproject.toml cannot say: the optional C extension.

Without a compiler the package installs all the same, and its reference backend runs.
"""

import os
from pathlib import Path

from setuptools import Extension, setup

_FOLDER = "src/softdraw/kernels/cpu/src"
_SOURCES = ["module.c", "pool.c", "loops_generic.c", "loops_avx2.c", "loops_avx512.c"]
_HEADERS = sorted(str(path) for path in Path(_FOLDER).rglob("*.h"))
# -ffp-contract=off: a*b+c is fused where the code says so and nowhere else, so that compilers agree.
_FLAGS = [
    "-O3",
    "-g0",
    "-std=gnu11",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-Wno-psabi",
]

setup(
    ext_modules=[
        Extension(
            "softdraw.kernels.cpu._native",
            [f"{_FOLDER}/{name}" for name in _SOURCES],
            depends=_HEADERS,
            define_macros=[("Py_LIMITED_API", "0x030B0000")],
            extra_compile_args=_FLAGS + os.environ.get("SOFTDRAW_CFLAGS", "").split(),
            extra_link_args=["-pthread", "-lm", *os.environ.get("SOFTDRAW_LDFLAGS", "").split()],
            py_limited_api=True,
            optional=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
