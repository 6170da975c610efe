"""The site that `make docs` builds: without a warning, without a network, and whole when opened as a file.

It needs `make docs`' packages, which `make test` does not install; without them these tests skip.
"""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from .browser import chromium

pytest.importorskip("mkdocs", reason="mkdocs is not installed: make docs installs it")
pytest.importorskip("mkdocstrings", reason="mkdocstrings is not installed: make docs installs it")

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "docs" / "reference"
ENTRIES = [
    (page.stem, entry)
    for page in sorted(REFERENCE.glob("*.md"))
    for entry in re.findall(r"^::: (\S+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
]
#: those of which a browser loads something; the href of an anchor is loaded only when it is followed
LOADED = {"script", "link", "img", "iframe", "source", "video", "audio", "object", "embed", "track", "input"}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs") / "site"
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env=os.environ | nowhere | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr, built.stderr
    return folder


class Loads(HTMLParser):
    """The addresses that a page loads by itself."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        if tag in LOADED:
            self.found += [value for name, value in attrs if name in ("src", "href", "srcset", "data")]


def test_no_page_loads_anything_from_another_host(site):
    for page in site.rglob("*.html"):
        found = Loads(page).found
        assert found, page
        assert not [one for one in found if re.match(r"(?i)([a-z]+:)?//|https?:", one or "")], page
    for style in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", style.read_text(encoding="utf-8")), (
            style
        )


def test_scripts_and_sources_are_not_published(site):
    """But for the examples, which are there to be copied."""
    published = [path.relative_to(site) for path in site.rglob("*") if path.suffix in (".py", ".md")]
    assert {path.parts[0] for path in published} <= {"examples"}


@pytest.mark.parametrize("page", sorted({page for page, _ in ENTRIES}))
def test_entries_are_rendered(site, page):
    """With headings of their own, as what they are in Python, and examples as code."""
    text = (site / "reference" / f"{page}.html").read_text(encoding="utf-8")
    kinds, kind = {}, None
    for opened, heading in re.findall(r'class="doc doc-object doc-(\w+)"|<h2 id="([^"]+)"', text):
        kind = opened or kind
        kinds |= {heading: kind} if heading else {}
    for entry in [entry for here, entry in ENTRIES if here == page]:
        assert entry in kinds
        assert (kinds[entry] == "module") == (entry == "softdraw.topk"), entry
    assert "&gt;&gt;&gt;" not in re.sub(r"<pre.*?</pre>", "", text, flags=re.DOTALL)
    assert "<blockquote>" not in text


@pytest.fixture(scope="module")
def browser():
    with chromium() as driver:
        yield driver


def test_search_finds_a_name_without_a_server(site, browser):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get((site / "index.html").as_uri())
    browser.execute_script("document.querySelector('#__search').click()")
    asked = WebDriverWait(browser, 60).until(lambda one: one.find_element(By.CSS_SELECTOR, "[name=query]"))
    WebDriverWait(browser, 60).until(lambda _: asked.is_displayed())
    asked.send_keys("fresh_key")
    links = WebDriverWait(browser, 60).until(
        lambda one: one.find_elements(By.CSS_SELECTOR, ".md-search-result__link")
    )
    found = [link.get_attribute("href") for link in links]
    assert any("reference/random.html" in one and one.endswith("#softdraw.random.fresh_key") for one in found)
    assert browser.get_log("browser") == []
    sent = [entry["message"] for entry in browser.get_log("performance")]
    asked_of = [url for one in sent for url in re.findall(r'requestWillBeSent".*?"url":"([^"]+)"', one)]
    assert all(url.startswith(("file:", "data:", "blob:")) for url in asked_of), asked_of
