"""What the project's own files say of one another: bounds, versions, targets, tools."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import softdraw as sd

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
#: extras whose lowest versions no test sees, so that nothing below constraints.txt was ever run
UNTESTED = {"lint", "bench", "docs", "release"}


def pins(name):
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(pin.name): Version(str(pin.specifier).removeprefix("==")) for pin in found}


LOWEST, NEWEST = pins("constraints-lowest.txt"), pins("constraints.txt")


def bounds(extras):
    """Every requirement of ``extras`` on another package, with its lower bound."""
    lines = [line for extra in extras for line in (EXTRAS[extra] if extra else PROJECT["dependencies"])]
    wanted = [Requirement(line) for line in lines]
    for requirement in wanted:
        if requirement.name != "softdraw":
            (specifier,) = requirement.specifier
            assert specifier.operator == ">=", requirement
            yield canonicalize_name(requirement.name), Version(specifier.version)


def test_the_lowest_versions_that_are_tested_are_those_that_are_allowed():
    allowed = dict(bounds(["", *(EXTRAS.keys() - UNTESTED)]))
    assert {name: LOWEST.get(name) for name in allowed} == allowed


def test_what_is_not_tested_at_its_lowest_is_bounded_by_what_was_run():
    for name, bound in bounds(UNTESTED):
        assert bound == (LOWEST[name] if name in LOWEST else NEWEST[name]), name


def test_no_bound_is_above_what_is_installed_for_the_tests():
    for name, bound in bounds(["", *EXTRAS]):
        assert bound <= NEWEST[name], name


def test_the_tests_install_every_extra_of_a_user():
    reached, ahead = set(), ["test"]
    while ahead:
        reached.add(extra := ahead.pop())
        for requirement in map(Requirement, EXTRAS[extra]):
            if requirement.name == "softdraw":
                ahead += requirement.extras
    assert reached == EXTRAS.keys() - UNTESTED - {"dev"}


def test_each_version_is_the_packages():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert PROJECT["version"] == citation["version"] == sd.__version__
    assert citation["license"] == PROJECT["license"]


def test_the_hooks_have_the_ruff_of_the_constraints():
    hooks = [
        hook
        for repository in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))[
            "repos"
        ]
        for hook in repository["hooks"]
    ]
    needs = [need for hook in hooks for need in hook.get("additional_dependencies", [])]
    assert len(needs) == 2
    assert set(needs) == {f"ruff=={NEWEST['ruff']}"}


def test_the_workflow_calls_targets_that_are_there():
    workflow = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text(encoding="utf-8"))
    called = re.findall(r"make (\S+)", " ".join(
        step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step
    ))  # fmt: skip
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.M)
    assert {"lint", "test", "test-lowest"} <= set(called) <= set(targets)
    lowest = PROJECT["requires-python"].removeprefix(">=")
    assert workflow["jobs"]["newest"]["strategy"]["matrix"]["python"][0] == lowest


@pytest.mark.parametrize(
    "form", sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml")), ids=lambda p: p.name
)
def test_the_forms_of_the_issues_are_whole(form):
    read = yaml.safe_load(form.read_text(encoding="utf-8"))
    if form.name == "config.yml":
        assert read.keys() == {"blank_issues_enabled"}
        return
    assert read.keys() >= {"name", "description", "body"}
    names = [part["id"] for part in read["body"]]
    assert len(set(names)) == len(names)
    assert all(part["attributes"]["label"] for part in read["body"])


BARE = """
import warnings
warnings.filterwarnings("ignore", message="Failed to initialize NumPy")
import torch, softdraw as sd
logits = torch.zeros(64, 4, requires_grad=True)
temperature = sd.schedules.Exponential(start=1.0, floor=0.3, rate=0.01)
sd.gumbel_softmax(logits, temperature.tau, hard=True, key=sd.Key(0)).sum().backward()
sd.gumbel_max(logits), sd.gumbel_sigmoid(logits)
sd.distributions.RelaxedOneHotCategorical(0.5, logits=logits).rsample()
sd.nn.GumbelSoftmax(tau=temperature)(logits)
for name in sd.estimators.names():
    sd.estimators.get(name)
def f(z):
    return (z * torch.arange(4.0)).sum((-1, -2))
compared = sd.diagnostics.compare(f, logits[:2].detach(), estimators=["st", "reinforce"], draws=10)
print(compared.best().estimator)
"""


def run_without(packages, program, folder):
    """What ``program`` prints where ``packages`` cannot be imported."""
    imported = {"pyro-ppl": "pyro", "scikit-learn": "sklearn"}
    modules = [imported.get(name, name.replace("-", "_")) for name in sorted(packages)]
    hiding = f"import sys\nfor name in {modules!r}:\n    sys.modules[name] = None\n"
    run = subprocess.run(
        [sys.executable, "-c", hiding + program], capture_output=True, text=True, check=False, cwd=folder
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_the_package_without_extras_needs_torch_and_nothing_else(tmp_path):
    """Every package that an extra brings is hidden, NumPy too."""
    assert run_without(dict(bounds(EXTRAS)), BARE, tmp_path).strip() in ("st", "reinforce")


def test_the_extra_of_the_command_line_is_enough_for_its_laboratory(tmp_path):
    """What only the molecules need is hidden, but for NumPy, which Matplotlib brings."""
    run_without(
        dict(bounds(["molecules"])).keys() - {"numpy"},
        "sys.argv = ['softdraw', 'compare', '--estimators', 'st', '--draws', '2', '--out', 'compared']\n"
        "from softdraw.cli import main\nmain()",
        tmp_path,
    )
    assert (tmp_path / "compared" / "report.html").exists()
