"""The Python examples of the documentation run."""

import re
import warnings
from pathlib import Path

import pytest
import torch

DOCS = Path(__file__).parent.parent / "docs"
PAGES = ("coming-from", "distributions", "nn", "schedules")


@pytest.mark.parametrize("page", PAGES)
def test_examples_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    with torch.random.fork_rng(), warnings.catch_warnings():
        # Pyro, imported by one of them, uses deprecated parts of torch.
        warnings.simplefilter("ignore")
        for code in re.findall(r"```python\n(.*?)```", (DOCS / f"{page}.md").read_text(), re.DOTALL):
            exec(compile(code, f"{page}.md", "exec"), names)
    assert names
