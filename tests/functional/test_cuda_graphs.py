"""Draws while a CUDA graph is captured: a seed from the host would be replayed for ever."""

from types import SimpleNamespace

import pytest
import torch

import softdraw as sd
from softdraw.estimators._core.draws import Draws
from softdraw.random import source


def test_a_fresh_seed_is_refused_during_capture(monkeypatch):
    """Without a card the capture is feigned; the test below does it for real."""
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
    logits = SimpleNamespace(is_cuda=True)
    with pytest.raises(RuntimeError, match="replay the seed"):
        source.numbers(None, None, logits)
    with pytest.raises(RuntimeError, match="replay the seed"):
        sd.random.gumbel((2, 3))
    with pytest.raises(RuntimeError, match="replay the seed"):
        Draws(None, None, None).numbers(logits)  # how the fused estimators take theirs
    with pytest.raises(RuntimeError, match="replay the seed"):
        sd.estimators.get("gumbel-rao")(torch.zeros(2, 3))
    assert source.numbers(sd.Key(3), None, logits) == (3, 0)


@pytest.mark.gpu
def test_a_captured_draw_is_that_of_its_key():
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    logits, key = torch.randn(64, 100, device="cuda"), sd.Key(1)
    expected = sd.gumbel_max(logits, key=key)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        got = sd.gumbel_max(logits, key=key)
    graph.replay()
    assert torch.equal(got, expected)
    with (
        pytest.raises(RuntimeError, match="replay the seed"),
        torch.cuda.graph(torch.cuda.CUDAGraph()),
    ):
        sd.gumbel_max(logits)
