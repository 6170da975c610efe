"""The page of `softdraw explore` is a file of the site, and stands on the page about it.

Where ``docs/explore.md`` has the comment ``explore``, the site has a link to it and the page itself.
"""

from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from softdraw.explore import page

FILE = "explore-page.html"
MARK = "<!-- explore -->"
SHOWN = (
    f'<p><a href="{FILE}">Open it as a page of its own.</a></p>\n'
    f'<iframe src="{FILE}" title="softdraw explore" '
    'style="width: 100%; height: 48rem; border: 1px solid #8886"></iframe>'
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page, as the command writes it."""
    files.append(File.generated(config, FILE, content=page()))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Show it where it is asked for."""
    return markdown.replace(MARK, SHOWN)
