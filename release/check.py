"""Installs what ``dist/`` holds into empty environments and runs ``smoke.py`` there: ``make wheel`` calls it.

``python release/check.py [PYTHON ...]``: for each of these interpreters, by default this one, an environment
with torch only. The wheel is installed and run without a compiler on the PATH, then again with the extra
``cli``; the source distribution is installed with a compiler and without.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / "build" / "installed"
SMOKE = ROOT / "build" / "smoke.py"  # not beside modules of the repository


def main(interpreters: list[str]) -> None:
    """Check every interpreter."""
    (wheel,) = (ROOT / "dist").glob("*_x86_64.whl")
    (source,) = (ROOT / "dist").glob("*.tar.gz")
    shutil.copy(Path(__file__).parent / "smoke.py", SMOKE)
    for interpreter in interpreters or [sys.executable]:
        environment = Environment(interpreter)
        environment.install("torch")
        for file, compiler, expected in (
            (wheel, False, "native"),
            (source, True, "native"),
            (source, False, "reference"),
        ):
            print(f"{interpreter}: {file.name}, {'with' if compiler else 'without'} a compiler", flush=True)
            environment.install(file, compiler=compiler)
            environment.smoke(expected)
            environment.pip("uninstall", "--quiet", "--yes", "softdraw")
        environment.install(f"{wheel}[cli]")
        environment.smoke("native", "--cli")


class Environment:
    """An empty environment of one interpreter."""

    def __init__(self, interpreter: str) -> None:
        version = subprocess.run(
            [interpreter, "-c", "import platform; print(platform.python_version())"],
            check=True, capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip
        self.folder = ENVIRONMENTS / version
        shutil.rmtree(self.folder, ignore_errors=True)
        subprocess.run([interpreter, "-m", "venv", self.folder], check=True)
        self.bin = self.folder / "bin"

    def install(self, what: str | Path, *, compiler: bool = False) -> None:
        """Install without a cache, from which a wheel compiled before would come."""
        self.pip("install", "--quiet", "--no-cache-dir", what, compiler=compiler)

    def pip(self, *words: str | Path, compiler: bool = False) -> None:
        """Pip, with the compiler hidden unless it is asked for."""
        constraints = {"PIP_CONSTRAINT": str(ROOT / "constraints.txt"), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        self._run("-m", "pip", *words, more=constraints, compiler=compiler)

    def smoke(self, *words: str) -> None:
        """The smoke test, without a compiler."""
        self._run("-W", "error::ImportWarning", SMOKE, *words)

    def _run(self, *words: str | Path, more: dict[str, str] | None = None, compiler: bool = False) -> None:
        hidden = ("PYTHON", "CC", "LD", "SOFTDRAW")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
        path = os.pathsep.join([str(self.bin), *([os.environ["PATH"]] if compiler else [])])
        environment = {**kept, **(more or {}), "PATH": path}
        subprocess.run([self.bin / "python", *words], check=True, cwd=self.folder, env=environment)


if __name__ == "__main__":
    main(sys.argv[1:])
