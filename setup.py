"""The one part of the build that pyproject.toml cannot say: the optional C extension.

Without a compiler the package installs all the same, and its reference backend runs.
"""

import os
from pathlib import Path

from setuptools import Extension, setup

_FOLDER = Path("src/softdraw/kernels/cpu/src")
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
            sorted(str(path) for path in _FOLDER.rglob("*.c")),
            depends=sorted(str(path) for path in _FOLDER.rglob("*.h")),
            define_macros=[("Py_LIMITED_API", "0x030B0000")],
            extra_compile_args=_FLAGS + os.environ.get("SOFTDRAW_CFLAGS", "").split(),
            extra_link_args=["-pthread", "-lm", *os.environ.get("SOFTDRAW_LDFLAGS", "").split()],
            py_limited_api=True,
            optional=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
