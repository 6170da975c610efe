"""The one part of the build that pyproject.toml cannot say: the optional C extension.

Without a compiler the package installs all the same, and its reference backend runs.
"""

import os
import shutil
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError

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


class _BuildLoops(build_ext):
    """Compiles with clang-cl on Windows: the loops are in GNU C's vectors, which cl.exe does not know."""

    def build_extension(self, ext):
        if self.compiler.compiler_type == "msvc":
            clang = shutil.which("clang-cl")
            if not clang:
                raise CompileError("the loops need clang-cl, which comes with LLVM and with Visual Studio")
            self.compiler.initialize()
            self.compiler.cc = clang
            # code that is generated when it is linked is Microsoft's own
            self.compiler.compile_options = [
                option for option in self.compiler.compile_options if option != "/GL"
            ]
            ext.extra_compile_args = [f"/clang:{flag}" for flag in ext.extra_compile_args]
            ext.extra_link_args = []
        super().build_extension(ext)


setup(
    cmdclass={"build_ext": _BuildLoops},
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
