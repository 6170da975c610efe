"""What is built for others: a wheel made here without a compiler, and the scripts of ``make wheel``."""

import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.skipif(not (ROOT / "setup.py").exists(), reason="needs the repository")
CONTENTS = ROOT / "release/contents.py"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, with a compiler that fails at everything, and what setuptools said."""
    pytest.importorskip("setuptools", minversion="77")
    copy = tmp_path_factory.mktemp("source")
    for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    shutil.copytree(
        ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("*.so", "__pycache__", "*.egg-info")
    )
    run = subprocess.run(
        [sys.executable, "setup.py", "bdist_wheel"],
        cwd=copy, capture_output=True, text=True, check=False, env={**os.environ, "CC": "false"},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    (built,) = (copy / "dist").iterdir()
    return built, run.stdout + run.stderr


def test_without_a_compiler_it_is_built_all_the_same(wheel):
    built, said = wheel
    assert re.search(r'building extension "softdraw.kernels.cpu._native" failed', said), said
    assert runpy.run_path(str(CONTENTS))["problems"](built, compiled=False) == []


def test_the_smoke_test_knows_what_is_drawn_here():
    """Its golden values are a copy, as it runs where there are no tests."""
    runpy.run_path(str(ROOT / "release/smoke.py"))["golden"]()


def test_the_check_of_the_contents_sees_what_is_wrong(wheel, tmp_path):
    built, _ = wheel
    problems = runpy.run_path(str(CONTENTS))["problems"]
    assert any("holds 0 extensions" in one for one in problems(built))
    other = shutil.copy(built, tmp_path)
    with zipfile.ZipFile(other, "a") as archive:
        archive.writestr("softdraw/kernels/cpu/src/pool.c", "")
        archive.writestr("tests/test_wheel.py", "")
        archive.writestr("softdraw/kernels/cpu/_native.abi3.so", f"RUNPATH {sys.base_prefix}/lib")
    found = problems(Path(other))
    assert len(found) == 3, found
    without = tmp_path / "without.whl"
    with zipfile.ZipFile(built) as whole, zipfile.ZipFile(without, "w") as part:
        for name in whole.namelist():
            if not name.endswith(".safetensors"):
                part.writestr(name, whole.read(name))
    found = problems(without, compiled=False)
    assert found
    assert all("is missing" in one and one.endswith(".safetensors") for one in found)


def test_one_wheel_serves_every_python_that_is_allowed(wheel):
    """The stable ABI of the lowest Python: in setup.py, in the tag and in cibuildwheel's settings."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lowest = project["project"]["requires-python"].removeprefix(">=")
    tag = "cp" + lowest.replace(".", "")
    assert f"-{tag}-abi3-" in wheel[0].name
    assert project["tool"]["cibuildwheel"]["build"] == f"{tag}-*"
    major, minor = map(int, lowest.split("."))
    assert f"0x{major:02X}{minor:02X}0000" in (ROOT / "setup.py").read_text(encoding="utf-8")


def test_the_golden_values_of_the_smoke_test_are_those_of_the_tests():
    smoke = runpy.run_path(str(ROOT / "release/smoke.py"), run_name="smoke")
    pinned = (ROOT / "tests/random/test_noise.py").read_text(encoding="utf-8")
    for name in ("GOLDEN_UNIFORM", "GOLDEN_GUMBEL"):
        (text,) = re.findall(rf"^{name} = (\[.*?\])", pinned, flags=re.M | re.S)
        assert smoke[name] == eval(text)
    smoke["golden"]()


def test_the_smoke_test_stops_at_a_package_that_is_not_installed():
    """Run beside the sources it would test them, and not what was installed."""
    run = subprocess.run(
        [sys.executable, ROOT / "release/smoke.py", "native"], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    assert run.returncode == 1
    assert "AssertionError" in run.stderr
    assert "__init__.py" in run.stderr


def test_the_workflow_of_the_wheels_reads_the_settings_and_builds_for_every_processor():
    workflow = yaml.safe_load((ROOT / ".github/workflows/wheels.yml").read_text(encoding="utf-8"))
    jobs = workflow["jobs"]
    runs = [step["run"] for step in jobs["wheel"]["steps"] if "run" in step]
    assert any("cibuildwheel --output-dir" in run for run in runs)
    systems = {re.match("[a-z]+", name)[0] for name in jobs["wheel"]["strategy"]["matrix"]["os"]}
    assert systems == {"ubuntu", "macos", "windows"}
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["cibuildwheel"]
    assert "release/smoke.py" in settings["test-command"]
