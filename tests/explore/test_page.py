"""The page as a file: small, alone, and made of what is in the room."""

import base64
import hashlib
import re
import tomllib
from html.parser import HTMLParser
from pathlib import Path

from softdraw.explore import page
from softdraw.explore.page import SCRIPTS, _file

ROOT = Path(__file__).parents[2]
ROOM = ROOT / "src" / "softdraw" / "explore"


class Parts(HTMLParser):
    """Tags with their attributes, and the text of scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.inside = [], {"script": [], "style": []}, None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside = tag if tag in self.texts else None

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, data):
        if self.inside:
            self.texts[self.inside].append(data)


def test_it_is_small():
    assert len(page().encode()) < 300_000


def test_it_names_no_other_host():
    addresses = re.findall(
        r"(?i)(?:https?:)?//[\w.-]+\.\w+[^\s\"']*", re.sub(r"^\s*//.*$", "", page(), flags=re.M)
    )
    # the name of SVG, which nothing is loaded from
    assert set(addresses) == {"http://www.w3.org/2000/svg"}
    for tag, attributes in Parts(page()).tags:
        assert not attributes.keys() & {"src", "srcset", "data", "action", "style"}, tag
        assert attributes.get("href", "data:,") == "data:,"
        assert not [name for name in attributes if name.startswith("on")], tag
    assert "url(" not in page()
    assert "@import" not in page()
    for call in (
        "fetch(",
        "XMLHttpRequest",
        "WebSocket",
        "sendBeacon",
        "import(",
        "eval(",
        "innerHTML",
        "localStorage",
    ):
        assert call not in page()


def test_its_policy_allows_this_style_and_this_script_alone():
    parts = Parts(page())
    (policy,) = [
        tag["content"] for _, tag in parts.tags if tag.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules.pop("default-src") == "'none'"
    assert rules.pop("img-src") == "data:"
    for kind in ("style", "script"):
        text = "".join(parts.texts[kind])
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules.pop(f"{kind}-src") == f"'sha256-{digest}'"
    assert set(rules.values()) == {"'none'"}
    assert [tag for tag, _ in parts.tags].count("script") == 1
    # the policy stands before what it speaks of
    assert page().index("Content-Security-Policy") < page().index("<style>") < page().index("<script>")


def test_nothing_is_left_to_fill_in():
    assert not re.search(r"\{\{\w+\}\}", page())
    assert "averaged over 4,096 draws" in page()


def test_every_script_of_the_room_is_in_it_and_short():
    assert {path.stem for path in ROOM.glob("*.js")} == set(SCRIPTS)
    for name in SCRIPTS:
        text = _file("explore", f"{name}.js")
        assert text in page()
        assert len(text.splitlines()) < 250
        # each ends nothing but itself
        assert "</script" not in text


def test_a_wheel_and_a_source_distribution_carry_every_file():
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    patterns = tools["package-data"]["*"] + tools["package-data"]["softdraw.explore"]
    listed = (ROOT / "MANIFEST.in").read_text(encoding="utf-8")
    for path in ROOM.iterdir():
        if path.is_file() and path.suffix != ".py":
            assert any(path.match(pattern) for pattern in patterns), path
            assert f"*{path.suffix}" in listed or path.name in listed, path
