import re
from pathlib import Path

import pytest
import torch

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.S)


def test_the_categorical_layer_of_the_readme_learns_the_cheapest_choice():
    torch.manual_seed(0)
    names: dict = {}
    exec(BLOCKS[0], names)
    assert names["logits"].softmax(0)[3] > 0.9


def test_the_generator_of_the_readme_runs(tmp_path, monkeypatch):
    (tmp_path / "my_molecules.smi").write_text("\n".join(["CCO", "CCN", "CCC", "CC=O", "COC", "CNC"] * 5))
    monkeypatch.chdir(tmp_path)
    block = re.sub(r"minutes=2\b", "steps=2, property_steps=2", re.sub(r"minutes=5\b", "steps=2", BLOCKS[1]))
    assert "minutes" not in block
    names: dict = {}
    exec(block, names)
    assert len(names["generator"].sample(10)) == 10


@pytest.mark.parametrize("target", ["molecules", "test", "lint", "bench", "docs", "clean", "figures"])
def test_the_make_targets_of_the_readme_exist(target):
    makefile = (README.parent / "Makefile").read_text()
    assert re.search(rf"^{target}:", makefile, flags=re.M)
    assert f"make {target}" in README.read_text(encoding="utf-8")
