"""``softdraw molecules score --preset moses``."""

import json
import subprocess
import sys

import pytest

from softdraw.cli import main
from softdraw.molecules.generator import MoleculeGenerator
from softdraw.molecules.scoring.moses import moses_scores

SAMPLES = ["CCO", "", "CCN", "C1CC", "CC(=O)Nc1ccccc1C1CC1", "OCC"]
TRAIN = ["CCO", "CCC"]
TEST = ["c1ccccc1", "CCCO", "O=C(Nc1ccccc1)C1CC1"]
SCAFFOLDS = ["c1ccccc1C1CC1", "CCCN"]


def score(capsys, *words):
    with pytest.raises(SystemExit) as left:
        main(["molecules", "score", *map(str, words)])
    captured = capsys.readouterr()
    return left.value.code, captured.out, captured.err


@pytest.fixture
def sets(tmp_path):
    for name, smiles in {"drawn": SAMPLES, "train": TRAIN, "test": TEST, "scaffolds": SCAFFOLDS}.items():
        (tmp_path / f"{name}.smi").write_text("\n".join(smiles) + "\n")
    (tmp_path / "junk.smi").write_text("not a\nmolecule in\n")
    (tmp_path / "partly.csv").write_text("id;smiles\n1;CCO\n2;C(\n3;CCC\n")
    return tmp_path


def test_the_numbers_are_those_of_python(sets, capsys):
    words = [
        sets / "drawn.smi",
        "--preset",
        "moses",
        "--train",
        sets / "train.smi",
        "--reference",
        sets / "test.smi",
        "--scaffold-reference",
        sets / "scaffolds.smi",
    ]
    code, out, err = score(capsys, *words, "--json")
    assert code == 0
    known = {"train": TRAIN, "reference": TEST, "scaffold_reference": SCAFFOLDS}
    assert json.loads(out) == moses_scores(SAMPLES, **known).to_dict()
    assert err.splitlines() == [
        f"samples: {sets / 'drawn.smi'}: 6 samples",
        f"train: {sets / 'train.smi'}: 2 SMILES",
        f"reference: {sets / 'test.smi'}: 3 of 3 are molecules",
        f"scaffold_reference: {sets / 'scaffolds.smi'}: 2 of 2 are molecules",
    ]
    code, table, _ = score(capsys, *words, "--no-fcd", "--devices", "1")
    assert code == 0
    assert "valid                          66.7 %  higher is better" in table
    assert f"SNN, scaffold test         {json.loads(out)['snn_scaffolds']:10.4f}  higher is better" in table
    assert "FCD" not in table
    assert "unique@1k" not in table


def test_an_encoding_holds_here_too_and_fragments_do_not(sets, capsys):
    words = [sets / "drawn.smi", "--preset", "moses", "--no-fcd", "--json", "--train", sets / "train.smi"]
    _, plain, _ = score(capsys, *words)
    for name in ("drawn", "train"):
        file = sets / f"{name}.smi"
        file.write_bytes(file.read_text().encode("cp500"))
    code, out, err = score(capsys, *words, "--encoding", "cp500")
    assert (code, out) == (0, plain), err
    code, _, err = score(capsys, *words, "--fragments", "largest")
    assert (code, "--fragments: MOSES takes molecules as they are" in " ".join(err.split())) == (2, True)


def test_what_is_no_molecule_is_said_or_refused(sets, capsys):
    words = [sets / "drawn.smi", "--preset", "moses", "--no-fcd", "--json"]
    code, out, err = score(capsys, *words, "--reference", sets / "partly.csv")
    assert code == 0
    assert f"warning: reference: {sets / 'partly.csv'}: 2 of 3 are molecules" in err
    for option in ("--reference", "--scaffold-reference"):
        code, out, err = score(capsys, *words, option, sets / "junk.smi")
        assert (code, out) == (1, "")
        assert f"error: {option[2:].replace('-', '_')}: got 0 of 2, expected at least 2 molecules" in err
        assert "the first line is 'not a'" in err
    code, out, err = score(capsys, *words, "--train", sets / "junk.smi")
    assert (code, out) == (1, "")
    assert "error: train: got 2 entries of which none is a molecule" in err
    code, _, err = score(capsys, *words, "--train", sets / "missing.smi")
    assert code == 1
    assert "missing.smi: no such file" in err


def test_the_sets_of_a_run(sets, capsys):
    chains = [f"{'C' * n}O" for n in range(1, 40)]
    generator = MoleculeGenerator(width=16, layers=1).fit(chains, steps=1)
    generator.save(sets / "model")
    words = [sets / "drawn.smi", "--preset", "moses", "--no-fcd", "--json"]
    code, out, err = score(
        capsys, *words, "--run", sets / "model", "--scaffold-reference", sets / "scaffolds.smi"
    )
    assert code == 0
    assert "training and" in err
    found = json.loads(out)
    expected = moses_scores(
        SAMPLES,
        train=generator.train_smiles,
        reference=generator.heldout_smiles,
        scaffold_reference=SCAFFOLDS,
        fcd=False,
    )
    assert found == expected.to_dict()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--preset", "guacamol"], "--preset: got 'guacamol', expected moses"),
        (["--preset", "moses", "--whole", "test.smi"], "--whole: MOSES knows the training set only"),
        (["--scaffold-reference", "test.smi"], "belongs to --preset moses"),
    ],
)
def test_what_does_not_go_together_is_a_wrong_command(sets, capsys, words, message):
    code, out, err = score(capsys, sets / "drawn.smi", *words)
    assert (code, out) == (2, "")
    assert message in " ".join(err.replace("│", " ").split())


def numbers(text):
    return {name: -1 if value is None else value for name, value in json.loads(text).items()}


@pytest.mark.slow
@pytest.mark.parametrize("preset", [["--preset", "moses"], []])
def test_processes_of_torchrun_give_the_scores_of_one(sets, capsys, monkeypatch, preset):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    words = [sets / "drawn.smi", *preset, "--train", sets / "train.smi", "--reference", sets / "test.smi"]
    _, out, err = score(capsys, *words, "--json")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "softdraw"]
    monkeypatch.setenv("SOFTDRAW_CACHE", str(sets / "fresh"))
    for _ in ("computed", "remembered"):
        ended = subprocess.run(
            [*launcher, "molecules", "score", *map(str, words), "--json"],
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert ended.returncode == 0, ended.stderr
        assert numbers(ended.stdout) == pytest.approx(numbers(out), rel=1e-6)
        assert ended.stderr.count(err) == 1
        assert ended.stderr.count("samples:") == 1
