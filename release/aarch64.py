"""The wheel for aarch64 Linux, made and tested on Debian for x86-64: ``make wheel-aarch64`` calls it.

Debian's Python and C library for arm64 are unpacked into ``build/aarch64/root`` (nothing is installed), where
qemu-user runs them. That Python builds the wheel from the source distribution of ``make wheel``; the compiler
that it calls is Debian's cross-compiler, which runs at this machine's speed. Then the smoke test and the
kernels' tests run, emulated, with torch 2.9.1, whose wheel for aarch64 on PyPI is one for the CPU.

Needs the Debian packages gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user.
"""

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from build import DIST, ROOT, check, linker, repair

HERE = ROOT / "build" / "aarch64"
SYSTEM, RAW, PACKAGES, SOURCE = HERE / "root", HERE / "raw", HERE / "site-packages", HERE / "source"
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64")
TORCH = "torch==2.9.1"
#: what torch and the tests import; without dependencies, whose markers pip would read for this processor
PURE = (
    "filelock", "fsspec", "hypothesis", "iniconfig", "Jinja2", "MarkupSafe", "mpmath", "networkx", "numpy",
    "packaging", "pluggy", "Pygments", "pytest", "scipy", "sortedcontainers", "sympy", "typing_extensions",
)  # fmt: skip
TESTS = ("backends", "blocks", "mixture", "order", "philox", "pool", "structures", "vocabulary_index")


def main(step: str) -> None:
    """``build`` the wheel, or ``test`` it."""
    if step == "build":
        unpack_system()
        build()
    else:
        install()
        test()


def unpack_system() -> None:
    """Python for arm64, from Debian's packages, by an apt that has its state in this folder."""
    if (SYSTEM / "usr/bin/python3.11").exists():
        return
    apt = HERE / "apt"
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (apt / folder).mkdir(parents=True, exist_ok=True)
    (apt / "status").touch()
    (apt / "apt.conf").write_text(
        f'APT::Architecture "arm64"; APT::Architectures {{ "arm64"; }}; APT::Sandbox::User "root";\n'
        f'Dir::State "{apt}/state"; Dir::State::status "{apt}/status"; Dir::Cache "{apt}/cache";\n'
    )
    environment = {**os.environ, "APT_CONFIG": str(apt / "apt.conf")}
    names = ("python3.11", "libpython3.11-dev", "libstdc++6")
    subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment)
    subprocess.run(
        ["apt-get", "install", "-qq", "-y", "--no-install-recommends", "--download-only", *names],
        check=True,
        env=environment,
    )
    for package in (apt / "cache/archives").glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, SYSTEM], check=True)


def build() -> None:
    """The wheel, from the source distribution."""
    for folder in (RAW, SOURCE):
        shutil.rmtree(folder, ignore_errors=True)
    (archive,) = DIST.glob("*.tar.gz")
    with tarfile.open(archive) as files:
        files.extractall(SOURCE, filter="data")
    (source,) = SOURCE.iterdir()
    import setuptools

    headers = SYSTEM / "usr/include"
    ask = ["aarch64-linux-gnu-gcc", "-print-libgcc-file-name"]
    libgcc = subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip()
    emulated(
        "setup.py", "-q", "bdist_wheel", "--dist-dir", RAW,
        cwd=source,
        more={
            "PYTHONPATH": str(Path(setuptools.__file__).parent.parent),
            "CC": os.environ.get("CC_AARCH64", "aarch64-linux-gnu-gcc"),
            # that Python believes its headers to be in /usr, which for the compiler is this machine's
            "CFLAGS": f"-I{headers}/python3.11 -idirafter {headers}",
            "SOFTDRAW_LDFLAGS": libgcc,
            "LDSHARED": linker("aarch64"),
        },
    )  # fmt: skip
    for old in DIST.glob("*_aarch64.whl"):
        old.unlink()
    (raw,) = RAW.glob("*.whl")
    repair(raw, "auto")  # of another processor than this machine's auditwheel takes no other name
    check(*DIST.glob("*_aarch64.whl"))


def install() -> None:
    """torch, what the tests need and the wheel, unpacked by this machine's pip."""
    shutil.rmtree(PACKAGES, ignore_errors=True)
    (wheel,) = DIST.glob("*_aarch64.whl")
    pip = [
        sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
        "--only-binary=:all:", "--python-version", "3.11", "--target", PACKAGES,
        *(word for platform in PLATFORMS for word in ("--platform", platform)),
    ]  # fmt: skip
    subprocess.run([*pip, TORCH, wheel], check=True)
    subprocess.run([*pip, "-c", ROOT / "constraints.txt", *PURE], check=True)


def test() -> None:
    """The smoke test, then the kernels' tests, on one emulated processor."""
    folder = HERE / "tests"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "tests" / "kernels", folder / "kernels")
    settings = "addopts = --import-mode=importlib\nmarkers =\n    gpu: a card\n    slow: minutes\n"
    (folder / "pytest.ini").write_text(f"[pytest]\n{settings}")
    shutil.copy(Path(__file__).parent / "smoke.py", HERE)
    more = {"PYTHONPATH": str(PACKAGES), "OMP_NUM_THREADS": "2"}
    emulated(HERE / "smoke.py", "native", "--no-commands", cwd=HERE, more=more)
    files = [f"kernels/test_{name}.py" for name in TESTS]
    options = ("-q", "-m", "not gpu and not slow", "-p", "no:cacheprovider")
    emulated("-m", "pytest", *options, *files, cwd=folder, more=more)


def emulated(*words: str | Path, cwd: Path, more: dict[str, str]) -> None:
    """The Python of ``SYSTEM``, run by qemu."""
    command = ["qemu-aarch64", "-L", SYSTEM, SYSTEM / "usr/bin/python3.11", *words]
    subprocess.run(command, check=True, cwd=cwd, env={**os.environ, **more})


if __name__ == "__main__":
    main(sys.argv[1])
