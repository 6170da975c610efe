"""The report as a browser shows it: every picture there, nothing refused, nothing run, nothing cut off."""

from pathlib import Path

import pytest

from softdraw.molecules.report import write_report

from ...browser import chromium
from .test_report import EVIL, make

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def browser():
    with chromium() as driver:
        yield driver


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return write_report(make(tmp_path_factory.mktemp("browser") / "run"))


def open_page(browser, path: Path, width: int, dark: bool = False):
    browser.get_log("performance")
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(path.as_uri())


@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("dark", [False, True])
def test_pictures_are_there_and_the_console_is_quiet(browser, report, width, dark):
    open_page(browser, report, width, dark)
    sizes = browser.execute_script(
        "return [...document.images].map(i => [i.complete, i.naturalWidth, i.width])"
    )
    assert len(sizes) == 46
    assert all(complete and natural > 0 and 60 < shown <= width for complete, natural, shown in sizes)
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    requests = [
        entry["message"]
        for entry in browser.get_log("performance")
        if "requestWillBeSent" in entry["message"]
    ]
    assert requests
    assert not [message for message in requests if '"url":"http' in message]


def test_dark_surroundings_are_respected(browser, report):
    grounds = []
    for dark in (False, True):
        open_page(browser, report, 800, dark)
        ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        grounds.append(sum(int(part) for part in ground[4:-1].split(",")[:3]) / 3)
    light, dark = grounds
    assert light > 200
    assert dark < 60


def test_hostile_names_run_nothing(browser, tmp_path):
    folder = make(tmp_path / "run", data=EVIL, count=3)
    folder.write_smiles("samples.smi", [EVIL, "C<svg onload=alert(3)>", "C"])
    open_page(browser, write_report(folder), 800)
    # an alert that had opened would make this raise
    assert browser.execute_script("return document.scripts.length") == 0
    assert EVIL in browser.execute_script("return document.body.textContent")
    assert browser.get_log("browser") == []
