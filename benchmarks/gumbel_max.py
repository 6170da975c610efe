"""Index draws against `Categorical.sample` and `torch.multinomial`."""

from collections.abc import Iterator

import torch

import softdraw as sd
from benchmarks.comparison import Row
from benchmarks.interleaved import medians

__all__ = ["rows"]


def rows(seconds: float, device: str = "cpu") -> Iterator[Row]:
    """Both shapes of the table."""
    for shape, bars in (
        ((4096, 1000), {"Categorical.sample": 20.0, "torch.multinomial": 20.0}),
        ((8, 128256), {"torch.multinomial": 10.0}),
    ):
        logits = torch.randn(shape, device=device)
        probs = logits.softmax(-1)
        categorical = torch.distributions.Categorical(logits=logits)
        calls = {
            "softdraw": lambda logits=logits: sd.gumbel_max(logits),
            "Categorical.sample": categorical.sample,
            "torch.multinomial": lambda probs=probs: torch.multinomial(probs, 1),
        }
        found = medians(calls, seconds, device)
        for peer in ("Categorical.sample", "torch.multinomial"):
            yield Row("index", shape, torch.float32, peer, found["softdraw"], found[peer], bars.get(peer))
