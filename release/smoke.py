"""Does an installed softdraw work? ``python smoke.py {native,reference} [--cli]``; torch is all it needs.

Run it outside the repository, without a compiler on the PATH. ``native`` expects the loops in C,
``reference`` a first draw that warns that there are none; ``--cli`` the extra of the command line.
"""

import argparse
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

#: of tests/random/test_noise.py, by which every platform draws the same
GOLDEN_UNIFORM = [
    "0x1.f18bb9c4ce9dcp-1",
    "0x1.a2bbe3ce3d1d4p-1",
    "0x1.3f6784764911cp-2",
    "0x1.6b1e9d049f324p-1",
]
GOLDEN_GUMBEL = [0.67484039, -0.75358725, -0.28571931, 0.07247372]
#: gumbel_max of zeros [8, 5] at Key(7)
GOLDEN_INDICES = [3, 1, 1, 1, 0, 2, 4, 1]


def main() -> None:
    """Run everything, or stop at what does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("backend", choices=["native", "reference"])
    parser.add_argument("--cli", action="store_true", help="the extra cli is installed")
    parser.add_argument("--no-commands", action="store_true", help="there is no softdraw command to run")
    given = parser.parse_args()
    warnings.filterwarnings("ignore", message="Failed to initialize NumPy")
    used = backend(given.backend)
    golden()
    gradients()
    data()
    if not given.no_commands:
        commands(given.cli)
    version = ".".join(map(str, sys.version_info[:3]))
    print(f"softdraw works: Python {version}, {used}{', extra cli' if given.cli else ''}")


def backend(expected: str) -> str:
    """The name of what draws; the first draw says where the loops are missing."""
    import torch

    import softdraw as sd

    assert "site-packages" in str(sd.__file__), sd.__file__  # what was installed, not sources nearby
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        sd.gumbel_max(torch.zeros(3))
    missing = [str(one.message) for one in said if "the native extension" in str(one.message)]
    name = sd.kernels.backend()
    if expected == "native":
        assert not missing, missing
        assert name.startswith("cpu-"), name
        from softdraw.kernels.cpu import _native

        best = _native.instructions()
        sets = [one for one in ("avx512", "avx2", "generic") if _native.use_instructions(one)]
        assert sets[0] == best, (sets, best)
        for one in sets:
            _native.use_instructions(one)
            golden()
        _native.use_instructions(best)
        name += f" (ran {', '.join(sets)})"
    else:
        assert name == "reference", name
        assert len(missing) == 1, said
        assert "no C compiler" in missing[0], missing
    return name


def golden() -> None:
    """The draws that the layout of the counter promises."""
    import torch

    import softdraw as sd

    key = sd.Key(2**63 + 1, 2**32 - 1)
    uniform = sd.random.uniform((2, 5), sample_shape=(2,), key=key, dtype=torch.float64)
    assert [value.hex() for value in uniform[:, :, 4].flatten().tolist()] == GOLDEN_UNIFORM
    gumbel = sd.random.gumbel((1, 4), key=sd.Key(0))
    torch.testing.assert_close(gumbel, torch.tensor([GOLDEN_GUMBEL]), rtol=1e-6, atol=0)
    assert sd.gumbel_max(torch.zeros(8, 5), key=sd.Key(7)).tolist() == GOLDEN_INDICES


def gradients() -> None:
    """A sample, its gradient, a schedule and an estimator."""
    import torch

    import softdraw as sd

    logits = torch.zeros(512, 64, requires_grad=True)
    schedule = sd.schedules.Exponential(start=1.0, floor=0.3, rate=0.01)
    soft = sd.gumbel_softmax(logits, schedule.tau, key=sd.Key(0))
    torch.testing.assert_close(soft.sum(-1), torch.ones(512))
    soft[:, 0].sum().backward()
    assert logits.grad is not None
    assert logits.grad.abs().sum() > 0
    # the gradient of a softmax sums to nothing
    torch.testing.assert_close(logits.grad.sum(-1), torch.zeros(512), atol=1e-6, rtol=0)
    schedule.step()
    assert float(schedule.tau) < 1.0

    def cost(z: torch.Tensor) -> torch.Tensor:
        return (z * torch.arange(4.0)).sum((-1, -2))

    compared = sd.diagnostics.compare(cost, torch.zeros(2, 4), estimators=["reinmax", "reinforce"], draws=20)
    assert compared.best().estimator in ("reinmax", "reinforce")


def data() -> None:
    """The files that come with the package."""
    import softdraw

    priors = Path(str(softdraw.__file__)).parent / "molecules" / "priors"
    found = sorted(path.parent.name for path in priors.glob("*/model.safetensors"))
    assert found, priors
    assert all((priors / name / "prior.json").stat().st_size > 0 for name in found)


def commands(installed: bool) -> None:
    """``softdraw explore`` needs torch alone; ``softdraw compare`` the extra ``cli``, or says so."""
    with tempfile.TemporaryDirectory() as folder:
        explore = command(folder, "explore", "--no-open", "--out", "page.html")
        assert explore.returncode == 0, explore.stderr
        page = (Path(folder) / "page.html").read_text(encoding="utf-8")
        assert "<script" in page
        assert "Philox" in page
        compare = command(folder, "compare", "--estimators", "st", "--draws", "2", "--out", "compared")
        if installed:
            assert compare.returncode == 0, compare.stderr
            assert "<html" in (Path(folder) / "compared" / "report.html").read_text(encoding="utf-8")
        else:
            assert compare.returncode == 1, compare
            assert "pip install 'softdraw[cli]'" in compare.stderr, compare.stderr


def command(folder: str, *words: str) -> subprocess.CompletedProcess[str]:
    """``softdraw`` as a shell finds it beside this Python."""
    program = Path(sys.executable).parent / ("softdraw.exe" if sys.platform == "win32" else "softdraw")
    return subprocess.run([program, *words], cwd=folder, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    main()
