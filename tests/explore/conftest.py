"""The scripts of the page run by Node, or in the page by Chromium; without either, these tests skip."""

import json
import shutil
import subprocess

import pytest

from softdraw.explore.page import SCRIPTS, _file, page

from ..browser import chromium

NODE = shutil.which("node")
#: what needs no page
PURE = SCRIPTS[: SCRIPTS.index("drawing")]
READ_MOLECULES = ("molecule",)


@pytest.fixture(scope="session")
def browser():
    """One Chromium for all tests."""
    with chromium() as driver:
        yield driver


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """The page as a file."""
    path = tmp_path_factory.mktemp("explore") / "explore.html"
    path.write_text(page(), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def javascript(request):
    """Calls a function of JavaScript, given as text, with JSON, and returns what it returns."""
    if NODE is None:
        driver, path = request.getfixturevalue("browser"), request.getfixturevalue("written")

        def call(function, *arguments):
            driver.get(path.as_uri())
            wanted = f"return JSON.stringify(({function})(...JSON.parse(arguments[0])))"
            return json.loads(driver.execute_script(wanted, json.dumps(arguments)))

        return call
    scripts = "\n".join(_file("explore", f"{name}.js") for name in PURE + READ_MOLECULES)

    def run(function, *arguments):
        program = (
            f'"use strict";\nconst RECORDED = {_file("explore", "molecules.json")};\n{scripts}\n'
            f"process.stdout.write(JSON.stringify(({function})(...{json.dumps(arguments)})));"
        )
        ended = subprocess.run([NODE, "-"], input=program, capture_output=True, text=True, timeout=120)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    return run
