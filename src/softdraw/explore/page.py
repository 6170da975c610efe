"""The page, put together from its files."""

import base64
import hashlib
import re
from importlib import resources
from importlib.metadata import PackageNotFoundError, version

__all__ = ["SCRIPTS", "page"]

SCRIPTS = (
    "philox",
    "gumbel",
    "statistics",
    "gradients",
    "drawing",
    "bars",
    "triangle",
    "charts",
    "samples",
    "compare",
    "anneal",
    "molecule",
    "main",
)
"""Scripts of the page in their order: a later one uses what earlier ones define."""

_HOLE = re.compile(r"\{\{(\w+)\}\}")


def page() -> str:
    """The whole page as HTML: text, style, scripts and recorded molecules in one file.

    It asks no host for anything: its Content-Security-Policy allows this one style and this one script, by
    their hashes, and pictures in the file itself. It is put together with the standard library alone.

    Example:
        >>> from softdraw.explore import page
        >>> page().startswith("<!DOCTYPE html>"), len(page().encode()) < 300_000
        (True, True)
    """
    style = _file("pages", "base.css") + _file("explore", "page.css")
    # "</" would end the script in the middle of a text; no script here holds it, but for what was recorded
    recorded = _file("explore", "molecules.json").strip().replace("</", "<\\/")
    scripts = "\n".join(_file("explore", f"{name}.js") for name in SCRIPTS)
    script = f'"use strict";\nconst RECORDED = {recorded};\n{scripts}'
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    filling = {
        "draws": f"{_draws(script):,}",
        "policy": policy,
        "script": script,
        "style": style,
        "version": _version(),
    }
    return _HOLE.sub(lambda hole: filling[hole[1]], _file("explore", "page.html"))


def _file(room: str, name: str) -> str:
    # by the folder: the room ``pages`` imports Jinja, which a bare installation lacks
    return resources.files("softdraw").joinpath(room, name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """As a Content-Security-Policy names what may stand in the page."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _draws(script: str) -> int:
    """Rows of noise that the gradients are averaged over, which the text of the page names."""
    return int(re.findall(r"^const DRAWS = (\d+);$", script, re.MULTILINE)[0])


def _version() -> str:
    try:
        return version("softdraw")
    except PackageNotFoundError:  # sources on the path, not installed
        return ""
