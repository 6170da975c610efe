"""The benchmarks are no package of the wheel: their folder's parent is on the path while they are tested."""

import struct
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session", autouse=True)
def benchmarks_on_the_path():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        yield


@pytest.fixture
def mnist(tmp_path):
    """A folder of files as MNIST's, with 60 and 20 images whose left or right half is bright."""
    for part, count in (("train", 60), ("t10k", 20)):
        images = torch.zeros(count, 28, 28, dtype=torch.uint8)
        images[::2, :, :14] = 255
        images[1::2, :, 14:] = 255
        head = struct.pack(">4i", 2051, count, 28, 28)
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(head + images.numpy().tobytes())
        labels = (torch.arange(count) % 2).to(torch.uint8)
        head = struct.pack(">2i", 2049, count)
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(head + labels.numpy().tobytes())
    return tmp_path
