"""The sorting benchmark learns, on digits so plain that it takes seconds, and reads the files of MNIST."""

import gzip
import importlib.util
import struct
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
MNIST = ROOT.parent / "shared" / "data" / "mnist"


@pytest.fixture(scope="module")
def sorting():
    spec = importlib.util.spec_from_file_location("benchmarks_sorting", ROOT / "benchmarks" / "sorting.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:  # dataclasses look their module up
        patch.setitem(__import__("sys").modules, spec.name, module)
        spec.loader.exec_module(module)
        yield module


def plain_digits(sorting, count):
    """The digit d is a picture of brightness d / 9."""
    labels = torch.arange(count) % 10
    return sorting.Digits((labels / 9).reshape(-1, 1, 1, 1).expand(count, 1, 28, 28).contiguous(), labels)


@pytest.mark.parametrize("method", ["neuralsort", "softsort", "gumbel-sinkhorn", "diffsort"])
def test_every_method_learns_an_order(sorting, method):
    if method == "diffsort":
        pytest.importorskip("diffsort")
    digits = plain_digits(sorting, 20)
    network, steps = sorting.train(sorting.METHODS[method], digits, 3, seed=0, steps=60, batch=50, pool=20)
    assert steps == 60
    exact, element = sorting.score_lists(network, digits, 3, 500, seed=1)
    assert 0.5 < exact <= element  # by chance 1 in 6


def test_one_seed_gives_one_network(sorting):
    digits = plain_digits(sorting, 20)
    networks = [
        sorting.train(sorting.METHODS["gumbel-sinkhorn"], digits, 3, seed=seed, steps=2, batch=4, pool=8)[0]
        for seed in (0, 0, 1)
    ]
    scores = [network.score.weight for network in networks]
    assert torch.equal(scores[0], scores[1])
    assert not torch.equal(scores[0], scores[2])


def write_idx(folder, part, labels, zipped):
    images = torch.stack([torch.full((28, 28), 10 * int(d), dtype=torch.uint8) for d in labels])
    for name, head, body in (
        (f"{part}-images-idx3-ubyte", struct.pack(">4i", 2051, len(labels), 28, 28), images),
        (f"{part}-labels-idx1-ubyte", struct.pack(">2i", 2049, len(labels)), torch.tensor(labels).byte()),
    ):
        raw = head + body.numpy().tobytes()
        if zipped:
            (folder / f"{name}.gz").write_bytes(gzip.compress(raw))
        else:
            (folder / name).write_bytes(raw)


@pytest.mark.parametrize("zipped", [True, False])
def test_the_script_prints_a_row_for_each_method_and_size(sorting, zipped, tmp_path, capsys):
    for part, labels in (("train", [3, 1, 4, 1, 5]), ("t10k", [9, 2, 6])):
        write_idx(tmp_path, part, labels, zipped)
    digits = sorting.read_digits(tmp_path, "train")
    assert digits.labels.tolist() == [3, 1, 4, 1, 5]
    assert digits.images.shape == (5, 1, 28, 28)
    torch.testing.assert_close(digits.images[:, 0, 5, 7] * 25.5, digits.labels.float())
    options = ["--n", "2", "3", "--minutes", "0.001", "--batch", "4", "--pool", "8", "--lists", "10"]
    sorting.main(["--data", str(tmp_path), *options])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    shown = {(row[0], row[1]) for row in rows if row[0] in sorting.METHODS and row[1] in ("2", "3")}
    assert {(name, n) for name in ("neuralsort", "softsort", "gumbel-sinkhorn") for n in "23"} <= shown


@pytest.mark.skipif(not MNIST.exists(), reason=f"needs MNIST in {MNIST}")
def test_mnist_is_read_as_it_is(sorting):
    digits, test = sorting.read_digits(MNIST, "train"), sorting.read_digits(MNIST, "t10k")
    assert digits.images.shape == (60_000, 1, 28, 28)
    assert test.labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert digits.images.mean().item() == pytest.approx(0.13066, abs=1e-5)
    index, values = test.numbers(2, 3, torch.Generator().manual_seed(0))
    for place, value in zip(index.reshape(-1, 4), values.flatten(), strict=True):
        assert "".join(str(int(test.labels[i])) for i in place) == f"{int(value):04d}"
