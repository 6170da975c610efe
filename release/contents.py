"""What a wheel must hold, and what it must not: ``python release/contents.py WHEEL``."""

import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "softdraw"
#: what Python does not import, and what the package reads all the same
DATA = (
    "py.typed", "*.pyi", "*.html", "*.html.j2", "*.css", "*.js", "explore/*.json",
    "*.smarts", "*.safetensors", "prior.json",
)  # fmt: skip


def promised() -> set[str]:
    """Every module and data file of the package as the repository has them."""
    sources = PACKAGE / "kernels" / "cpu" / "src"
    found = (path for pattern in ("*.py", *DATA) for path in PACKAGE.rglob(pattern))
    return {path.relative_to(PACKAGE.parent).as_posix() for path in found if not path.is_relative_to(sources)}


def problems(wheel: Path, *, compiled: bool = True) -> list[str]:
    """What is wrong with the files of ``wheel``; ``compiled``: whether it is to hold the C loops."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        found = [f"is missing: {name}" for name in sorted(promised() - names)]
        for name in sorted(names):
            if not name.startswith(("softdraw/", "softdraw-")):
                found.append(f"does not belong to the package: {name}")
            if name.endswith((".c", ".h", ".o")) or "/cpu/src/" in name:
                found.append(f"is for whoever builds, not for whoever installs: {name}")
        loops = [name for name in names if name.endswith((".so", ".pyd"))]
        if len(loops) != compiled:
            found.append(f"holds {len(loops)} extensions, expected {int(compiled)}: {loops}")
        built_with = str(Path(sys.base_prefix)).encode()
        local = [name for name in loops if built_with in archive.read(name)]
        found += [f"{name} looks for libraries where it was built" for name in local]
    return found


if __name__ == "__main__":
    wrong = [f"{file}: {problem}" for file in sys.argv[1:] for problem in problems(Path(file))]
    sys.exit("\n".join(wrong) or None)
