"""What a user's property, a leftover variable or a failure may do to a run: it is said, and costs nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from softdraw.molecules import MoleculeGenerator
from softdraw.molecules.data import dataset as datasets
from softdraw.molecules.data import sources
from softdraw.molecules.errors import OptionError, OutputError, TargetError
from softdraw.molecules.report import write_report
from softdraw.molecules.run.options import RunOptions
from softdraw.molecules.run.processes import is_worker
from softdraw.molecules.run.run import Run
from softdraw.molecules.storage.run_folder import RunFolder

from ..fake_generator import STEERED, TRAIN, FakeGenerator
from ..small import SIZES

RANKS = ("LOCAL_RANK", "RANK", "NODE_RANK", "GROUP_RANK", "SLURM_PROCID", "SLURM_LOCALID", "PMI_RANK")
PROPERTIES = '''
from rdkit import Chem

def constant(mol):
    return 3.0

def failing(mol):
    raise KeyError("no model")

def nearly_never(mol):
    return float(mol.GetNumAtoms()) if Chem.MolToSmiles(mol) in ("CCO", "CCN") else float("nan")

def no_number(mol):
    return "high"

def picky(mol):
    """Undefined for what has no heteroatom: raised, NaN or infinite in turn."""
    numbers = [atom.GetAtomicNum() for atom in mol.GetAtoms()]
    if any(number != 6 for number in numbers):
        return float(len(numbers))
    if len(numbers) == 3:
        return float("nan")
    if len(numbers) == 4:
        return float("inf")
    raise ValueError("carbon only")

def fine(mol):
    return float(mol.GetNumAtoms())
'''


class Small(MoleculeGenerator):
    """The real generator with a network of the size of a test."""

    def __init__(self, **options):
        super().__init__(**{**SIZES, **options})


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data.smi"
    path.write_text("\n".join(TRAIN))
    return str(path)


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A module of properties in the working folder."""
    name = "properties_of_a_user"
    (tmp_path / f"{name}.py").write_text(PROPERTIES)
    monkeypatch.chdir(tmp_path)
    yield name
    sys.modules.pop(name, None)


@pytest.fixture
def fake(monkeypatch):
    for name in RANKS:
        monkeypatch.delenv(name, raising=False)
    for name, value in (("calls", []), ("interrupt", set()), ("fail", None)):
        monkeypatch.setattr(FakeGenerator, name, value)
    monkeypatch.setattr("softdraw.molecules.generator.MoleculeGenerator", FakeGenerator)
    monkeypatch.setattr("softdraw.molecules.report.figures.chart", lambda figure: "data:,")
    return FakeGenerator


@pytest.fixture
def place(tmp_path):
    return tmp_path / "run"


def options_of(data, *targets, **changes):
    return RunOptions(**{"data": data, "steps": 20, "samples": 60, "targets": targets, **changes})


def run(place, options, **how):
    lines = []
    Run(place, options, say=lines.append).everything(**how)
    return lines


def steps_of(fake):
    return [call[0] for call in fake.calls if call[0] in ("fit", "steer")]


def contents(folder):
    return {path: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


# -- the data ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("writable", [True, False])
def test_the_data_is_hashed_and_encoded_once(data, place, tmp_path, monkeypatch, writable):
    """From the options to the steered draws, with the real generator."""
    cache = tmp_path / "cache"
    if not writable:
        cache.write_text("a file, where no folder can be made")
    monkeypatch.setenv("SOFTDRAW_CACHE", str(cache))
    counts = {"digest_of": 0, "_encode": 0}
    for module, name in ((sources, "digest_of"), (datasets, "_encode")):
        real = getattr(module, name)

        def count(*rest, name=name, real=real):
            counts[name] += 1
            return real(*rest)

        monkeypatch.setattr(module, name, count)
    monkeypatch.setattr("softdraw.molecules.generator.MoleculeGenerator", Small)
    lines = run(place, options_of(data, steps=1, samples=4, fcd=False))
    assert counts == {"digest_of": 1, "_encode": 1}
    assert (place / "steered.smi").is_file()
    assert any("are not cached" in line for line in lines) is not writable


def test_fit_takes_the_data_set_that_open_gives(data, place, monkeypatch):
    monkeypatch.setattr("softdraw.molecules.generator.MoleculeGenerator", Small)
    task = Run(place, options_of(data, steps=1))
    dataset = task.open()
    generator = task.fit(dataset)
    assert sorted([*generator.train_smiles, *generator.heldout_smiles]) == sorted(dataset.graphs.smiles)
    assert generator.dataset_summary["kept"] == len(dataset) == len(TRAIN)
    with pytest.raises(ValueError, match="elements: got beside a Dataset"):
        Small().fit(dataset, elements=["C"], steps=1)


def test_a_complete_fit_is_taken_up_without_encoding(data, place, fake, monkeypatch):
    run(place, options_of(data))
    monkeypatch.setattr(datasets, "_encode", None)
    monkeypatch.setattr("softdraw.molecules.run.run.load", None)
    assert Run(place, options_of(data)).open(resume=True) is None
    run(place, options_of(data, "qed=max"), resume=True)
    assert steps_of(fake) == ["fit", "steer", "steer"]


def test_fit_without_data_says_what_is_missing(data, place, fake):
    with pytest.raises(RuntimeError, match="got no data set"):
        Run(place, options_of(data)).fit()


# -- processes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RANKS)
def test_a_rank_left_over_from_a_job_does_not_silence_a_process_that_fits_alone(
    data, place, fake, monkeypatch, name
):
    monkeypatch.setenv(name, "1")
    assert not is_worker()
    lines = run(place, options_of(data))
    assert steps_of(fake) == ["fit", "steer"]
    assert (place / "report.html").is_file()
    assert lines[-1].startswith("report: ")


def test_processes_that_torchrun_started_do_not_all_write_the_same_files(data, place, fake, monkeypatch):
    for name, value in {"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "2", "RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(OptionError, match=r"--devices: got 1 in one of 2 .*--devices 2 --strategy ddp"):
        run(place, options_of(data))
    assert steps_of(fake) == []
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert not is_worker()


@pytest.mark.parametrize(
    ("variables", "worker"),
    [({}, False), ({"LOCAL_RANK": "0"}, False), ({"LOCAL_RANK": "1"}, True), ({"NODE_RANK": "1"}, True)],
)
def test_of_several_processes_all_but_the_first_are_workers(fake, monkeypatch, variables, worker):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert is_worker(2, "ddp") is worker


def test_a_fit_alone_writes_checkpoint_and_log_whatever_its_rank(tmp_path):
    code = (
        "from softdraw.molecules import MoleculeGenerator\n"
        f"MoleculeGenerator(**{SIZES}).fit({TRAIN}, steps=12, folder={str(tmp_path)!r})"
    )
    environment = {**os.environ, "RANK": "1", "SLURM_PROCID": "1"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, capture_output=True)
    assert (tmp_path / "fit.ckpt").is_file()
    assert list((tmp_path / "tensorboard").glob("events*"))


# -- targets that cannot work --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("constant", "the property is 3 for all 10 molecules tried, expected it to vary"),
        ("failing", r"defined for 0 of 10 molecules tried \(.*KeyError: 'no model'\)"),
        ("no_number", r"defined for 0 of 10 molecules tried \(.*ValueError"),
        ("nearly_never", "defined for 2 of 10 molecules tried"),
        ("misspelt", "has no misspelt"),
    ],
)
@pytest.mark.parametrize("goal", ["2.5", "max"])
def test_a_target_that_cannot_work_is_found_before_the_fit(data, place, fake, mine, function, message, goal):
    options = options_of(data, f"{mine}:{function}={goal}")
    with pytest.raises(TargetError, match=message):
        run(place, options)
    assert steps_of(fake) == []
    assert not place.exists()
    run(place, options_of(data))
    before = contents(place)
    with pytest.raises(TargetError, match=message):
        run(place, options, overwrite=True)
    with pytest.raises(TargetError, match=message):
        Run(place, options).steering(overwrite=True)
    assert contents(place) == before


def test_a_goal_far_from_the_data_is_remarked_on(data, place, fake):
    lines = run(place, options_of(data, "heavy_atoms=500"))
    (remark,) = [line for line in lines if line.startswith("warning: target")]
    assert "heavy_atoms=500: " in remark
    assert "standard deviations away from the data (mean " in remark
    near = run(place.with_name("near"), options_of(data, "heavy_atoms=4"))
    assert not [line for line in near if line.startswith("warning: target")]


# -- values that are undefined -------------------------------------------------------------------------------


def test_a_property_that_is_undefined_for_some_ends_no_run_and_is_counted(data, place, fake, mine):
    lines = run(place, options_of(data, f"{mine}:picky=max"))
    drawn = [line for line in (place / "steered.smi").read_text().split() if line]
    steer = json.loads((place / "metrics.json").read_text())["steer"]
    (target,) = steer["targets"]
    known = {"before": (place / "samples.smi").read_text().split(), "after": drawn}
    for when, smiles in known.items():
        defined = [one for one in smiles if set(one) & set("NOF")]
        assert 0 < target[f"defined_{when}"] == len(defined) < target[f"molecules_{when}"] == 60
    counted = (
        f"picky: defined for {target['defined_before']} of 60 molecules before steering, "
        f"{target['defined_after']} of 60 after"
    )
    assert [line for line in lines if counted in line]
    assert counted in write_report(RunFolder(place)).read_text()
    assert np.isfinite([steer["distance_before"], steer["distance_after"]]).all()
    assert [line for line in lines if "picky=max: the property is defined for 8 of 10 molecules" in line]


def test_a_property_that_is_defined_everywhere_is_not_counted_out(data, place, fake, mine):
    assert not [line for line in run(place, options_of(data, f"{mine}:fine=max")) if "defined for" in line]


def test_a_property_that_becomes_undefined_after_the_fit_ends_no_run(data, place, fake, monkeypatch):
    """Every steered molecule is one that the property is not defined for."""
    import rdkit.Chem.Lipinski as user

    def compute(mol):
        from rdkit import Chem

        if Chem.MolToSmiles(mol) in STEERED:
            raise ZeroDivisionError("not for these")
        return mol.GetNumAtoms()

    monkeypatch.setattr(user, "HeavyAtomCount", compute)
    lines = run(place, options_of(data, "rdkit.Chem.Lipinski:HeavyAtomCount=9"))
    assert any("0 of 60 after" in line for line in lines)
    assert any("the distance to the target is unknown" in line for line in lines)
    metrics = json.loads((place / "metrics.json").read_text())
    assert metrics["steer"]["distance_after"] is None
    assert "0 of 60 after" in (place / "report.html").read_text()


# -- what steering did ---------------------------------------------------------------------------------------


def test_the_console_says_how_a_steering_went_and_warns_where_it_went_wrong(data, place, fake):
    # the steered draws of the fake are alkanes: their logP is higher than that of the data
    (line,) = [one for one in run(place, options_of(data, "logp=max")) if one.startswith("steered to")]
    assert "4 steps" in line
    assert "property network off by 0.25" in line
    wrong = run(place.with_name("wrong"), options_of(data, "logp=min"))
    (warning,) = [one for one in wrong if one.startswith("warning: ")]
    assert "did not fall" in warning
    assert "off by 0.25" in warning
    assert "did not fall" in (place.with_name("wrong") / "report.html").read_text()


@pytest.mark.parametrize(
    ("before", "after", "gap", "words"),
    [
        (0.93, 1.02, 1.05, "did not fall (0.93 -> 1.02 standard deviations; the property network was off by"),
        (1.0, 1.0, None, "did not fall (1 -> 1 standard deviations):"),
        (1.0, 0.8, 0.3, "fell by less than the property network's error"),
        (1.0, 0.5, 0.3, None),
        (0.93, -0.39, None, None),
        (float("nan"), 1.0, None, "is unknown"),
        (1.0, None, None, "is unknown"),
    ],
)
def test_a_steering_is_doubted_where_it_gained_nothing_or_less_than_its_error(before, after, gap, words):
    from softdraw.molecules.steering.outcome import steering_remarks

    remarks = steering_remarks({"distance_before": before, "distance_after": after, "predicted_gap": gap})
    assert [words in remark for remark in remarks] == [True] * bool(words)


# -- what a failure leaves -----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["steering", "everything"])
@pytest.mark.parametrize("error", [OutputError("disk"), KeyboardInterrupt(), MemoryError()])
def test_a_failed_steering_leaves_no_steered_model_of_another_target(
    data, place, fake, monkeypatch, how, error
):
    run(place, options_of(data, "logp=2"))
    (place / "checkpoints" / "steer").mkdir(exist_ok=True)
    (place / "checkpoints" / "steer" / "steer.ckpt").write_text("of the old target")
    assert "a logP of 2" in (place / "report.html").read_text()

    def fail(self, *rest, **options):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(FakeGenerator, "steer", fail)
        task = Run(place, options_of(data, "qed=max"))
        again = {"overwrite": True} if how == "steering" else {"resume": True}
        with pytest.raises(type(error)):
            getattr(task, how)(**again)
    folder = RunFolder(place)
    assert not folder.steered.exists()
    assert not (place / "steered.smi").exists()
    assert not folder.steer_checkpoints.exists()
    assert not folder.report.exists()
    assert folder.fitted.is_dir()
    text = write_report(folder).read_text()
    assert "a logP of 2" not in text
    assert "the highest QED" not in text
    assert "The model was not steered." in text
    assert "steered" not in folder.metrics["scores"]
    assert all("steered" not in draws for draws in folder.history["properties"].values())
    with pytest.raises(OutputError, match="a steering that has not ended"):
        Run(place, options_of(data, "qed=max")).steering()
    Run(place, options_of(data, "qed=max")).steering(resume=True)
    assert "the highest QED" in folder.report.read_text()


def test_a_longer_fit_forgets_the_steering_of_the_shorter_one(data, place, fake):
    run(place, options_of(data, "logp=2"))
    fake.fail = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        run(place, options_of(data, "logp=2", steps=40), resume=True)
    assert not RunFolder(place).steered.exists()
    assert not (place / "steered.smi").exists()
