"""The commands as a user runs them: real training on a small file, and everything that can go wrong."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rdkit import Chem

from softdraw.molecules.data import sources
from softdraw.molecules.generator import MoleculeGenerator
from softdraw.molecules.storage.run_folder import RunFolder

from .molecules import here

# one run is shared by most tests, so they stay in one process
pytestmark = pytest.mark.xdist_group("molecules-cli")

PROGRAM = [sys.executable, "-c", "from softdraw.cli import main; main()", "molecules"]
STEPS = ["--steps", "12", "--steer-steps", "2", "--samples", "40"]


def command(*words, **options):
    return subprocess.run(
        [*PROGRAM, *map(str, words)], capture_output=True, text=True, timeout=300, **options
    )


def start(*words):
    return subprocess.Popen(
        [*PROGRAM, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def contents(folder):
    return {path: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two hundred different molecules, with a few lines that are none."""
    pieces = itertools.product(
        ["C", "CC", "N", "O", "FC", "C1CC1"], ["C", "C(C)", "C(=O)", "CO", "C=C"], range(9)
    )
    ends = ["C", "N", "O", "C#N", "CF", "CC", "C(C)C", "CO", "C1CC1"]
    found = dict.fromkeys(Chem.CanonSmiles(f"{a}{b}{ends[c]}") for a, b, c in pieces)
    path = tmp_path_factory.mktemp("data") / "two hundred.smi"
    path.write_text("".join(f"{smiles}\n" for smiles in list(found)[:200]) + "broken(\nC.C\n")
    assert len(found) >= 200
    return path


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    """A whole run: its folder, and what it printed."""
    folder = tmp_path_factory.mktemp("cli") / "run"
    ended = command("run", "--data", data, *STEPS, "--out", folder)
    assert ended.returncode == 0, ended.stderr
    return folder, ended.stdout


def test_a_run_on_two_hundred_molecules(finished):
    folder, out = finished
    assert {path.name for path in folder.iterdir()} == {
        "checkpoints", "config.json", "history.json", "metrics.json", "report.html", "samples.smi",
        "samples_unmasked.smi", "stages.json", "steered.smi",
    }  # fmt: skip
    assert out.splitlines()[-1] == f"report: {folder / 'report.html'}"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["data"]["kept"] == 200
    assert metrics["data"]["dropped"] == {"unreadable": "1 (line 201)", "several fragments": "1 (line 202)"}
    assert metrics["samples"]["validity"] == 1.0
    assert metrics["samples"]["fcd"] > 0
    assert 0 <= metrics["samples"]["validity_unmasked"] <= 1
    assert metrics["steer"]["estimator"] == "log-variance"
    assert metrics["steer"]["distance_before"] > 0
    assert metrics["fit"]["steps"] == 12
    drawn = (folder / "samples.smi").read_text().splitlines()
    assert len(drawn) == 40
    assert all(Chem.MolFromSmiles(one) is not None for one in drawn)


def test_molecules_come_through_a_pipe_and_go_on_with_the_same_ones(tmp_path):
    given = "CCO\nCCN\nCC(=O)[O-].[Na+]\nCCCO\nCC(C)O\n"
    words = ["fit", "--data", "-", "--fragments", "largest", "--out", tmp_path / "run"]
    ended = command(*words, "--steps", "2", input=given)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[1] == (
        "data: standard input: 5 of 5 molecules are used; 1 had several fragments, of which the largest was "
        "kept"
    )
    longer = command(*words, "--steps", "3", "--resume", input=given)
    assert "fit: 3 steps, " in longer.stdout
    for other, message in (("CCO\n", "holds a run with other data"), ("", "standard input: is empty")):
        refused = command(*words, "--steps", "4", "--resume", input=other)
        assert refused.returncode == 1
        assert message in refused.stderr


def test_a_run_says_what_it_read(finished, data):
    lines = finished[1].splitlines()
    assert lines[0] == f"fit: 12 steps on {data}"
    assert lines[1] == (
        f"data: {data}: 200 of 202 molecules are used; left out: 1 unreadable, 1 several fragments"
    )


def test_the_report_is_made_again_from_the_folder(finished, capsys):
    folder = finished[0]
    before = (folder / "report.html").read_bytes()
    (folder / "report.html").unlink()
    assert here(capsys, "report", folder)[0] == 0
    assert (folder / "report.html").read_bytes() == before


def test_a_finished_run_is_neither_replaced_nor_done_again(finished, data, capsys):
    folder = finished[0]
    before = contents(folder)
    code, _, err = here(capsys, "run", "--data", data, *STEPS, "--out", folder)
    assert code == 1
    assert "--resume" in err
    assert "--overwrite" in err
    code, _, err = here(capsys, "run", "--data", data, *STEPS, "--seed", "1", "--resume", "--out", folder)
    assert code == 1
    assert "seed 0, and 1 was asked for" in err
    assert contents(folder) == before


def test_the_same_key_gives_the_same_molecules(finished, capsys, tmp_path):
    folder = finished[0]
    code, out, _ = here(capsys, "sample", folder, "-n", "7", "--key", "3")
    assert code == 0
    assert len(out.splitlines()) == 7
    assert here(capsys, "sample", folder, "-n", "5", "--key", "3")[1].splitlines() == out.splitlines()[:5]
    assert here(capsys, "sample", folder, "-n", "7", "--key", "4")[1] != out
    assert here(capsys, "sample", folder, "-n", "7", "--key", "3", "--stage", "fitted")[1] != out
    assert here(capsys, "sample", folder / "checkpoints" / "steered", "-n", "7", "--key", "3")[1] == out
    unmasked = here(capsys, "sample", folder, "-n", "60", "--no-mask")[1]
    assert unmasked.count("\n") == 60
    assert "\n\n" in f"\n{unmasked}"
    written = tmp_path / "drawn.smi"
    assert here(capsys, "sample", folder, "-n", "7", "--key", "3", "--out", written)[:2] == (0, "")
    assert written.read_text() == out
    code, _, err = here(capsys, "sample", folder, "-n", "1", "--out", written)
    assert code == 1
    assert "exists already" in err
    assert written.read_text() == out


def test_score_agrees_with_the_run(finished, capsys, data):
    folder = finished[0]
    scores = json.loads((folder / "metrics.json").read_text())["scores"]["fitted"]
    code, out, _ = here(capsys, "score", folder / "samples.smi", "--run", folder, "--no-fcd", "--json")
    assert code == 0
    found = json.loads(out)
    for name in ("count", "validity", "uniqueness", "novelty_train", "atom_types", "logp", "diversity"):
        assert found[name] == scores[name]
    code, out, _ = here(capsys, "score", folder / "samples.smi", "--whole", data, "--no-fcd")
    assert code == 0
    assert "valid                         100.0 %  higher is better" in out
    assert "new to the data" in out
    assert "new to training" not in out


@pytest.fixture
def sets(tmp_path):
    """Samples, and sets to compare them with, of which some are of little use."""
    (tmp_path / "drawn.smi").write_text("CCO\n\nC1CC\nCCN\n")
    (tmp_path / "good.smi").write_text("CCO\nCCC\nCC\n")
    (tmp_path / "partly.smi").write_text("CCO\nC(\nCC.O\nCCC\n\n")
    (tmp_path / "junk.smi").write_text("not a\nmolecule in\nit at all\n")
    (tmp_path / "one.smi").write_text("CC\nC(\n")
    (tmp_path / "table.csv").write_bytes("id;structure\n1;CCO\n2;CCC\n".encode("utf-16"))
    return tmp_path


def test_score_says_what_it_read(sets, capsys):
    words = ["score", sets / "drawn.smi", "--no-fcd", "--json"]
    code, out, err = here(capsys, *words, "--train", sets / "good.smi")
    assert code == 0
    assert err.splitlines() == [
        f"samples: {sets / 'drawn.smi'}: 2 of 4 are molecules; invalid: 1 no SMILES, 1 unreadable",
        f"train: {sets / 'good.smi'}: 3 of 3 molecules are used",
    ]
    assert json.loads(out)["novelty_train"] == 0.5


@pytest.mark.parametrize("option", ["--train", "--whole", "--reference"])
def test_score_warns_of_what_is_no_molecule(sets, capsys, option):
    words = ["score", sets / "drawn.smi", "--no-fcd", "--json"]
    code, out, err = here(capsys, *words, option, sets / "partly.smi")
    assert code == 0
    assert err.splitlines()[1] == (
        f"warning: {option.removeprefix('--')}: {sets / 'partly.smi'}: 2 of 5 molecules are used; "
        "left out: 1 no SMILES, 1 unreadable, 1 several fragments"
    )
    assert json.loads(out)["validity"] == 0.5


@pytest.mark.parametrize("option", ["--train", "--whole", "--reference"])
def test_score_refuses_a_set_without_a_molecule(sets, capsys, option):
    """It said that everything is new."""
    code, out, err = here(capsys, "score", sets / "drawn.smi", "--no-fcd", option, sets / "junk.smi")
    assert (code, out) == (1, "")
    assert f"error: {option.removeprefix('--')}: got 0 of 3, expected at least" in err
    assert "  unreadable: 3 (lines 1, 2, 3)" in err
    assert "the first line is 'not a', of which 'not' was read as SMILES" in err


def test_score_refuses_a_reference_of_one_molecule(sets, capsys):
    code, out, err = here(capsys, "score", sets / "drawn.smi", "--no-fcd", "--reference", sets / "one.smi")
    assert (code, out) == (1, "")
    assert "error: reference: got 1 of 2, expected at least 2 molecules" in err


def test_score_warns_when_no_sample_is_readable(sets, capsys):
    code, out, err = here(capsys, "score", sets / "junk.smi", "--no-fcd", "--json")
    assert code == 0
    assert json.loads(out)["validity"] == 0
    assert "warning: the first line is 'not a', of which 'not' was read as SMILES" in err


def test_score_takes_a_column_where_it_is(sets, capsys):
    words = ["score", sets / "drawn.smi", "--no-fcd", "--json", "--train", sets / "table.csv"]
    code, out, err = here(capsys, *words, "--smiles-column", "structure")
    assert code == 0
    assert (
        f"train: {sets / 'table.csv'} (SMILES in column 2 'structure', separated by semicolons, read as "
        "UTF-16): 2 of 2 molecules are used"
    ) in err
    assert json.loads(out)["novelty_train"] == 0.5
    code, _, err = here(capsys, *words)
    assert code == 1
    assert "no column of SMILES among the headings 'id;structure'; column 2 reads like SMILES" in err
    code, _, err = here(capsys, *words, "--smiles-column", "nowhere")
    assert code == 1
    assert "--smiles-column: got 'nowhere', expected a column of" in err


def test_score_takes_an_encoding_for_every_file(sets, capsys, monkeypatch):
    monkeypatch.setitem(sources._SETS, "chemicals", lambda: sources.open_source(["CCO", "CC"]))  # fewer
    (sets / "drawn.smi").write_bytes("CCO\nCCN\n".encode("cp500"))
    (sets / "train.csv").write_bytes("id,structure\n1,CCO\n2,CCC\n".encode("cp500"))
    words = ["score", sets / "drawn.smi", "--no-fcd", "--json", "--train", sets / "train.csv", "--whole"]
    code, out, err = here(capsys, *words, "chemicals", "--encoding", "cp500", "--smiles-column", "structure")
    assert code == 0, err
    assert json.loads(out)["novelty_train"] == 0.5
    assert here(capsys, *words, "chemicals")[0] == 1
    code, _, err = here(capsys, *words, "chemicals", "--encoding", "martian")
    assert (code, "got 'martian'" in err) == (2, True)
    code, _, err = here(capsys, "score", "chemicals", "--no-fcd", "--encoding", "cp500")
    assert (code, "--encoding: got 'cp500', expected none for chemicals, which is no file" in err) == (
        1,
        True,
    )


@pytest.mark.parametrize("option", ["--train", "--whole", "--reference"])
def test_score_keeps_the_largest_fragment_of_data_and_of_no_sample(sets, capsys, option):
    (sets / "drawn.smi").write_text("CCO\nCCN.Cl\nCCN\n")
    (sets / "salts.smi").write_text("CCN.Cl\nCCC\n[Na+].CC(=O)[O-]\n")
    words = ["score", sets / "drawn.smi", "--no-fcd", "--json", option, sets / "salts.smi"]
    code, out, err = here(capsys, *words, "--fragments", "largest")
    assert code == 0
    assert "2 of 3 are molecules; invalid: 1 several fragments" in err
    assert "3 of 3 molecules are used; 2 had several fragments, of which the largest was kept" in err
    found = json.loads(out)
    assert found["validity"] == pytest.approx(2 / 3)
    if option != "--reference":
        assert found[f"novelty_{option[2:]}"] == 0.5
        code, out, _ = here(capsys, *words)
        assert json.loads(out)[f"novelty_{option[2:]}"] == 1
    code, _, err = here(capsys, *words, "--fragments", "smallest")
    assert (code, "--fragments: got 'smallest', expected drop or largest" in err) == (2, True)


def test_score_of_a_run_that_held_out_too_little(capsys, tmp_path):
    generator = MoleculeGenerator(width=16, layers=1).fit([f"{'C' * n}O" for n in range(12)], steps=1)
    generator.save(tmp_path / "model")
    (tmp_path / "drawn.smi").write_text("CCO\n")
    code, out, err = here(capsys, "score", tmp_path / "drawn.smi", "--run", tmp_path / "model", "--json")
    assert code == 0
    assert "11 training and 1 held-out molecules" in err
    assert "warning: run: too few molecules were held out" in err
    assert json.loads(out)["novelty_train"] == 0


@pytest.mark.parametrize(
    "words",
    [
        ["run", "--data"],
        ["fit", "--data"],
        ["score"],
        *(["score", "x.smi", f"--{n}"] for n in ("train", "whole", "reference")),
    ],
)
def test_an_address_is_shown_as_it_was_typed(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.smi").write_text("CCO\n")
    code, out, err = here(capsys, *words, "https://host.org/a//b.smi")
    assert (code, out) == (1, "")
    assert "error: https://host.org/a//b.smi: is an address" in err


def test_a_column_of_the_data_is_asked_for(tmp_path, capsys):
    file = tmp_path / "a.csv"
    file.write_text("id,structure\n1,CCO\n")
    words = ["fit", "--data", file, "--steps", "1", "--out", tmp_path / "run", "--smiles-column", "other"]
    code, _, err = here(capsys, *words)
    assert code == 1
    assert "smiles_column: got 'other', expected a heading or a number from 1 for the first line" in err
    assert not (tmp_path / "run").exists()
    words[-1] = "structure"
    ended = command(*words)
    assert ended.returncode == 0, ended.stderr
    assert "column 2 'structure'" in ended.stdout
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert "--smiles-column structure" in config["command"]


def test_steering_again_needs_a_word(finished, capsys):
    folder = finished[0]
    before = contents(folder)
    code, _, err = here(capsys, "steer", folder, "--target", "qed=max", "--steps", "2")
    assert code == 1
    assert "already holds a steered model" in err
    assert contents(folder) == before


@pytest.fixture
def files(tmp_path):
    (tmp_path / "empty.smi").write_text("")
    (tmp_path / "binary.smi").write_bytes(bytes(range(256)) * 16)
    (tmp_path / "binary.csv").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0")
    (tmp_path / "useless.smi").write_text("nothing\nhere(\n")
    (tmp_path / "table.csv").write_text("name,weight\na,1\n")
    (tmp_path / "odd.xyz").write_text("C")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.smi", "no such file"),
        ("empty.smi", "the file is empty"),
        ("binary.smi", "not a text file"),
        ("binary.csv", "not a text file"),
        ("useless.smi", "none of 2 molecules is usable"),
        ("table.csv", "no column of SMILES"),
        ("odd.xyz", "unknown kind .xyz"),
    ],
)
@pytest.mark.parametrize("verb", ["run", "fit"])
def test_data_that_cannot_be_used(files, capsys, name, message, verb):
    code, out, err = here(capsys, verb, "--data", files / name, "--steps", "1", "--out", files / "run")
    assert (code, out) == (1, "")
    assert message in err
    assert name in err
    assert not (files / "run").exists()


def test_patterns_that_cannot_be_read_cost_no_training(files, data, capsys):
    (files / "bad.smarts").write_text("C\nC(\n")
    words = ["run", "--data", data, "--steps", "1", "--out", files / "run", "--forbid", files / "bad.smarts"]
    code, out, err = here(capsys, *words)
    assert (code, out) == (1, "")
    assert "bad.smarts: line 2: 'C(' is no SMARTS" in err
    assert not (files / "run").exists()


def test_a_folder_that_cannot_be_written(files, data, capsys):
    code, _, err = here(capsys, "run", "--data", data, "--steps", "1", "--out", files / "odd.xyz" / "run")
    assert code == 1
    assert "cannot be written" in err
    assert (files / "odd.xyz").read_text() == "C"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--target", "logp"], "expected property=goal"),
        (["--target", "colour=3"], "expected one of"),
        (["--target", "logp=3..1"], "expected the lower end first"),
        (["--target", "logp=step(>3)"], "step(0.6)"),
        (["--target", "logp=step(3)", "--estimator", "st"], "a step has no gradient"),
        (["--combine", "mean"], "expected one of 'sum', 'product'"),
        (["--target", "no_such_module:f=3"], "cannot import"),
        (["--target", "logp=1", "--target", "logp=2"], "comes 2 times"),
        (["--estimator", "magic"], "st-gumbel-softmax"),
        (["--minutes", "-1"], "expected a positive number"),
        (["--minutes", "1", "--steps", "5"], "expected one of them"),
        (["--steps", "0"], "--steps"),
        (["--max-atoms", "0"], "--max-atoms"),
        (["--elements", ","], "expected symbols"),
        (["--elements", "C,X"], "expected symbols"),
        (["--resume", "--overwrite"], "expected one of them"),
        (["--samples", "many"], "--samples"),
    ],
)
def test_mistakes_in_the_command_are_2(tmp_path, capsys, words, message):
    code, _, err = here(capsys, "run", *words, "--out", tmp_path / "run")
    assert code == 2
    # the message stands in a frame, broken into lines
    assert message in " ".join(err.replace("│", " ").split())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("verb", ["report", "steer", "sample"])
def test_a_folder_without_a_run(tmp_path, capsys, verb):
    code, _, err = here(capsys, verb, tmp_path / "missing")
    assert code == 1
    assert "no such folder" in err


def test_a_damaged_model_is_an_error(finished, data, capsys, tmp_path):
    copy = tmp_path / "run"
    subprocess.run(["cp", "-r", finished[0], copy], check=True)
    weights = copy / "checkpoints" / "fitted" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    before = contents(copy)
    for words in (
        ["sample", copy, "--stage", "fitted"],
        ["run", "--data", data, *STEPS, "--resume", "--out", copy],
    ):
        code, _, err = here(capsys, *words)
        assert code == 1
        assert "model.safetensors" in err
    # the configuration is written again before the model is read
    after = contents(copy)
    assert {path for path in before if before[path] != after[path]} <= {copy / "config.json"}


def test_a_damaged_checkpoint_is_an_error(finished, data, tmp_path):
    copy = tmp_path / "run"
    subprocess.run(["cp", "-r", finished[0], copy], check=True)
    checkpoint = copy / "checkpoints" / "fit" / "fit.ckpt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    ended = command("run", "--data", data, "--steps", "14", "--resume", "--out", copy)
    assert ended.returncode == 1
    assert "fit.ckpt" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert checkpoint.stat().st_size == 1000


def test_ctrl_c_leaves_a_usable_folder_and_says_how_to_go_on(data, tmp_path):
    folder = tmp_path / "run"
    words = ["run", "--data", data, "--samples", "20", "--no-fcd", "--out", folder]
    process = start(*words, "--minutes", "30")
    assert process.stdout.readline().startswith("fit: 20 minutes")
    # The log is opened when training begins; on a fast machine it ends by itself after a few seconds.
    while not list(folder.glob("checkpoints/fit/tensorboard/events*")):
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "--resume" in err
    assert "Traceback" not in err
    assert (folder / "samples.smi").read_text().count("\n") == 20
    assert "The fit was interrupted" in (folder / "report.html").read_text()
    assert json.loads((folder / "metrics.json").read_text())["steer"] is None
    ended = command(*words, "--minutes", "0.01", "--resume")
    assert ended.returncode == 0, ended.stderr
    assert (folder / "steered.smi").read_text().count("\n") == 20
    assert "was interrupted" not in (folder / "report.html").read_text()


def test_a_second_ctrl_c_stops_at_once_and_still_says_how_to_go_on(data, tmp_path, capsys, monkeypatch):
    def stop(self, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("softdraw.molecules.run.run.Run.everything", stop)
    code, _, err = here(capsys, "run", "--data", data, "--steps", "3", "--out", tmp_path / "run")
    assert code == 130
    assert "stopped at once" in err
    assert f"--steps 3 --seed 0 --out {tmp_path / 'run'} --resume" in err


def kill_in(stage, folder, *words):
    """Start the command, and end it without warning as soon as a stage has begun."""
    process = start(*words)
    deadline = time.monotonic() + 120
    while stage not in RunFolder(folder).stages:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.communicate(timeout=60)


def test_kill_and_resume_end_where_an_undisturbed_run_does(finished, data, tmp_path):
    folder = tmp_path / "run"
    words = ["run", "--data", data, *STEPS, "--no-fcd", "--out", folder]
    kill_in("fit", folder, *words)
    assert not RunFolder(folder).stages["fit"]["complete"]
    kill_in("steer", folder, *words, "--resume")
    assert not RunFolder(folder).stages["steer"]["complete"]
    assert not (folder / "report.html").exists()
    ended = command(*words, "--resume")
    assert ended.returncode == 0, ended.stderr
    assert "fit: complete" in ended.stdout
    for name in ("samples.smi", "samples_unmasked.smi", "steered.smi"):
        assert (folder / name).read_bytes() == (finished[0] / name).read_bytes()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_disk_that_is_really_full(data, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this machine does not let root mount")
    try:
        ended = command("run", "--data", data, *STEPS, "--no-fcd", "--out", disk / "run")
        assert ended.returncode == 1
        assert "cannot be written (No space left on device)" in ended.stderr
        assert "Traceback" not in ended.stderr
        for path in (disk / "run").glob("*.json"):
            json.loads(path.read_text())
    finally:
        subprocess.run(["umount", disk], check=True)
