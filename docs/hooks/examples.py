"""The programs in examples/ are files of the site, and links of a page to them lead there.

On a page the link is ``../examples/<name>.py``, which whoever reads it in the repository can follow.
"""

from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

FOLDER = Path(__file__).parents[2] / "examples"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the programs beside the page ``examples``."""
    for path in sorted(FOLDER.glob("*.py")):
        files.append(File.generated(config, f"examples/{path.name}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Lead the links of a page of the top folder there."""
    return markdown.replace("](../examples/", "](examples/")
