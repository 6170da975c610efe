"""Forward and backward of ReinMax, ST Gumbel-Softmax and Gumbel-Rao against what one would use instead.

`python -m benchmarks.estimators` prints the table. Each peer runs beside us in the same process, the repeats
interleaved; a figure is the median over repeats, and `times faster` their ratio. Peers: the PyPI package
`reinmax` where it is installed, and straightforward PyTorch, which for Gumbel-Rao holds all K soft samples at
once.
"""

import argparse
import importlib.util
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

import torch
import torch.nn.functional as F
from torch import Tensor

import softdraw as sd

__all__ = ["Row", "main", "measure"]

SHAPES = ((256, 10), (4096, 128), (512, 32000))
# the peer holds K tensors of the logits' size, so K is smaller where those are large
GUMBEL_RAO_DRAWS = {(256, 10): 100, (4096, 128): 100, (512, 32000): 4}

Step = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Row:
    """One comparison: medians in seconds."""

    name: str
    shape: tuple[int, int]
    peer: str
    ours: float
    theirs: float

    @property
    def faster(self) -> float:
        """How many times faster we are."""
        return self.theirs / self.ours


def torch_reinmax(logits: Tensor) -> Tensor:
    """ReinMax at tau 1 as its paper writes it in autograd operations."""
    p = logits.softmax(-1)
    z = F.one_hot(torch.multinomial(p.detach(), 1).squeeze(-1), logits.shape[-1]).to(p.dtype)
    q = (0.5 * (p + z)).log().detach()
    second = ((q - logits).detach() + logits).softmax(-1)
    value = 2 * second - 0.5 * p
    return value - value.detach() + z


def torch_st_gumbel_softmax(logits: Tensor) -> Tensor:
    """What everybody uses."""
    return F.gumbel_softmax(logits, tau=0.5, hard=True)


def torch_gumbel_rao(draws: int) -> Step:
    """Gumbel-Rao with its K conditional samples in one tensor."""

    def step(logits: Tensor) -> Tensor:
        log_p = logits.log_softmax(-1)
        index = torch.multinomial(log_p.detach().exp(), 1)
        z = torch.zeros_like(log_p).scatter(-1, index, 1.0)
        e = torch.empty(draws, *logits.shape).exponential_()
        won = e.gather(-1, index.expand(draws, *index.shape))
        noisy = -torch.log(torch.where(z.bool(), torch.zeros_like(e), e / log_p.detach().exp()) + won)
        soft = (((noisy - log_p).detach() + log_p) / 0.5).softmax(-1).mean(0)
        return soft - soft.detach() + z

    return step


def contests(shape: tuple[int, int]) -> Iterator[tuple[str, Step, str, Step]]:
    """Name, our step, the peer's name, the peer's step."""
    draws = GUMBEL_RAO_DRAWS[shape]
    ours = sd.estimators.get("reinmax")
    if importlib.util.find_spec("reinmax") is not None:
        from reinmax import reinmax

        yield "reinmax", ours, "reinmax 0.1.0", lambda logits: reinmax(logits, 1.0)[0]
    yield "reinmax", ours, "PyTorch", torch_reinmax
    yield "st-gumbel-softmax", sd.estimators.get("st-gumbel-softmax"), "PyTorch", torch_st_gumbel_softmax
    name = f"gumbel-rao, K = {draws}"
    yield name, sd.estimators.get("gumbel-rao", draws=draws), "PyTorch", torch_gumbel_rao(draws)


def seconds_of(step: Step, logits: Tensor, upstream: Tensor) -> float:
    """One forward and backward."""
    leaf = logits.clone().requires_grad_()
    start = time.perf_counter()
    torch.autograd.grad(step(leaf), leaf, upstream)
    return time.perf_counter() - start


def measure(seconds: float = 2.0) -> Iterator[Row]:
    """All rows, each from interleaved repeats that take about ``seconds`` in all (at least five)."""
    for shape in SHAPES:
        logits, upstream = torch.randn(shape), torch.randn(shape)
        for name, ours, peer, theirs in contests(shape):
            times: tuple[list[float], list[float]] = ([], [])
            for step in (ours, theirs):
                seconds_of(step, logits, upstream)
            begun = time.perf_counter()
            while len(times[0]) < 5 or time.perf_counter() - begun < seconds:
                for step, kept in zip((ours, theirs), times, strict=True):
                    kept.append(seconds_of(step, logits, upstream))
            yield Row(name, shape, peer, median(times[0]), median(times[1]))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="time for each row")
    options = parser.parse_args()
    print(f"{'estimator':22} {'shape':>12} {'peer':>14} {'ours, ms':>9} {'peer, ms':>9} {'times faster':>13}")
    for row in measure(options.seconds):
        shape = f"{row.shape[0]} x {row.shape[1]}"
        print(
            f"{row.name:22} {shape:>12} {row.peer:>14} {1e3 * row.ours:9.3f} {1e3 * row.theirs:9.3f} "
            f"{row.faster:13.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
