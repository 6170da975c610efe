"""Forward and backward of ReinMax, ST Gumbel-Softmax and Gumbel-Rao against what one would use instead.

Peers: the PyPI package `reinmax` where it is installed, and straightforward PyTorch, which for Gumbel-Rao
holds all K soft samples at once. `python -m benchmarks.estimators` prints these rows alone.
"""

import importlib.util
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

import softdraw as sd
from benchmarks.comparison import HEADER, Row
from benchmarks.interleaved import medians

__all__ = ["rows"]

SHAPES = ((256, 10), (4096, 128), (512, 32000))
# the peer holds K tensors of the logits' size, so K is smaller where those are large
GUMBEL_RAO_DRAWS = {(256, 10): 100, (4096, 128): 100, (512, 32000): 4}
#: times faster that are asked for
BAR = 5.0

Step = Callable[[Tensor], Tensor]


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


def steps(shape: tuple[int, int]) -> Iterator[tuple[str, Step, dict[str, Step]]]:
    """Name, our step, the peers' steps."""
    draws = GUMBEL_RAO_DRAWS[shape]
    peers: dict[str, Step] = {"PyTorch": torch_reinmax}
    if importlib.util.find_spec("reinmax") is not None:
        from reinmax import reinmax

        peers["reinmax 0.1.0"] = lambda logits: reinmax(logits, 1.0)[0]
    yield "reinmax", sd.estimators.get("reinmax"), peers
    ours = sd.estimators.get("st-gumbel-softmax")
    yield "st-gumbel-softmax", ours, {"F.gumbel_softmax": torch_st_gumbel_softmax}
    ours = sd.estimators.get("gumbel-rao", draws=draws)
    yield f"gumbel-rao, K = {draws}", ours, {"PyTorch": torch_gumbel_rao(draws)}


def rows(seconds: float) -> Iterator[Row]:
    """Every estimator at every shape, each peer in turns with us."""
    for shape in SHAPES:
        logits, upstream = torch.randn(shape, requires_grad=True), torch.randn(shape)
        for name, ours, peers in steps(shape):
            calls = {
                who: lambda step=step, logits=logits, upstream=upstream: torch.autograd.grad(
                    step(logits), logits, upstream
                )
                for who, step in {"softdraw": ours, **peers}.items()
            }
            found = medians(calls, seconds)
            for peer in peers:
                yield Row(name, shape, torch.float32, peer, found["softdraw"], found[peer], BAR)


if __name__ == "__main__":
    print(HEADER)
    for row in rows(2.0):
        print(row, flush=True)
