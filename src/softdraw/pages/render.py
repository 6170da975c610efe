"""A template and what it shows, made into the text of a page."""

import base64
from importlib import resources
from typing import Any

import jinja2

__all__ = ["data_uri", "render"]


def render(package: str, template: str, css: str | None = None, /, **context: Any) -> str:
    """A page as text; all of ``context`` is escaped.

    Args:
        package: the package that the template and the style lie in.
        template: name of the template, which extends ``base.html.j2`` and fills its blocks.
        css: name of a style sheet that comes after ``base.css``.
        **context: what the template shows; a name that it uses and that is not here is an error.

    Returns:
        The page.

    Raises:
        jinja2.UndefinedError: the template shows what is not in ``context``.

    Example:
        >>> page = render("softdraw.pages", "base.html.j2", heading="<b>")
        >>> "<title>&lt;b&gt;</title>" in page, "<b>" in page
        (True, False)
    """
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [jinja2.PackageLoader(package, "."), jinja2.PackageLoader("softdraw.pages", ".")]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = _text("softdraw.pages", "base.css") + (_text(package, css) if css else "")
    return environment.get_template(template).render(style=style, **context)


def data_uri(content: bytes, kind: str) -> str:
    """A picture as an address that carries it.

    Example:
        >>> data_uri(b"<svg/>", "svg+xml")
        'data:image/svg+xml;base64,PHN2Zy8+'
    """
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _text(package: str, name: str) -> str:
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")
