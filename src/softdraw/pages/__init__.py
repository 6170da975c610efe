"""Pages of HTML that stand alone: one head, one style, one way to make them, for every report.

What lives here: ``base.html.j2`` and ``base.css``, which reports extend, ``parts.html.j2`` (a figure, a table
of facts), and ``render``. A page has no script and no address outside itself, its Content-Security-Policy
allows none, and everything that comes from outside is escaped. May import: Jinja, which ``softdraw[cli]`` and
``softdraw[molecules]`` bring. To add a report, write a template that extends ``base.html.j2``.
"""

from softdraw.pages.render import data_uri, render

__all__ = ["data_uri", "render"]
