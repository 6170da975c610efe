"""What every page keeps: it stands alone, and what comes from outside is text."""

import re
from pathlib import Path

import jinja2
import pytest

import softdraw
from softdraw.diagnostics.report import report
from softdraw.pages import render

SOURCE = Path(softdraw.__file__).parent
TEMPLATES = sorted(SOURCE.rglob("*.html.j2"))
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_template_switches_escaping_off(template):
    """The one exception is the style, which is files of ours."""
    text = template.read_text(encoding="utf-8")
    expected = ["{{ style|safe }}"] if template.name == "base.html.j2" else []
    assert re.findall(r"\{\{[^}]*\|\s*safe[^}]*\}\}", text) == expected
    assert "autoescape" not in text
    assert not re.search(r"<script|https?:", text)


@pytest.mark.parametrize(
    "template", [t for t in TEMPLATES if t.parent.name != "pages"], ids=lambda path: path.parent.name
)
def test_every_report_extends_the_one_base(template):
    assert template.read_text(encoding="utf-8").startswith('{% extends "base.html.j2" %}')


def test_the_policy_allows_nothing_from_outside():
    page = render("softdraw.pages", "base.html.j2", heading="x")
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in page


def test_what_is_missing_is_an_error():
    with pytest.raises(jinja2.UndefinedError, match="heading"):
        render("softdraw.pages", "base.html.j2")


def test_the_report_of_a_problem_escapes_what_the_user_wrote():
    page = report([], title=EVIL, description=EVIL, skipped={EVIL: EVIL}, notes=[EVIL])
    assert page.count("&lt;script&gt;") == 6
    assert "<script" not in page
    assert "<img src=x" not in page
