"""`python -m benchmarks.vocabulary`: draws over a vocabulary beside the head's product and plain PyTorch.

All of a table is taken in turns in one run; memory is measured in a process for each.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

import softdraw as sd
from benchmarks.comparison import HEADER, Row
from benchmarks.interleaved import medians

__all__ = ["extra_mebibytes", "rows"]

#: rows, width, classes: a decoding step of a language model
SHAPE = (64, 1024, 128_256)
#: a batch of training, whose logits alone are 2 GiB
LARGE = (4096, 256, 128_256)


def problem(rows: int, width: int, classes: int) -> tuple[Tensor, Tensor]:
    """Hidden states and a head whose logits have unit variance."""
    # in place, because a copy would hide what a call needs in the peak of before
    return torch.randn(rows, width), torch.randn(classes, width).mul_(width**-0.5)


def index_calls(hidden: Tensor, weight: Tensor) -> dict[str, Callable[[], object]]:
    """An index for each row, ours first."""
    return {
        "softdraw": lambda: sd.vocabulary.gumbel_max(hidden, weight),
        "the matrix product alone": lambda: hidden @ weight.mT,
        "head + torch.multinomial": lambda: torch.multinomial((hidden @ weight.mT).softmax(-1), 1),
        "head + gumbel_max": lambda: sd.gumbel_max(hidden @ weight.mT),
    }


def reinforce_calls(hidden: Tensor, weight: Tensor) -> dict[str, Callable[[], object]]:
    """An index for each row, the gradient of its log probability and of the entropy, ours first."""
    hidden, weight = hidden.detach().requires_grad_(), weight.detach().requires_grad_()

    def ours() -> object:
        drawn = sd.vocabulary.gumbel_max(hidden, weight, return_log_prob=True)
        return torch.autograd.grad(drawn.log_prob.sum() + drawn.entropy.sum(), (hidden, weight))

    def plain() -> object:
        law = (hidden @ weight.mT).log_softmax(-1)
        index = torch.multinomial(law.detach().exp(), 1)
        entropy = -(law.exp() * law).sum(-1)
        return torch.autograd.grad(law.gather(-1, index).sum() + entropy.sum(), (hidden, weight))

    return {"softdraw": ours, "log_softmax + multinomial": plain}


def mixture_calls(hidden: Tensor, weight: Tensor) -> dict[str, Callable[[], object]]:
    """A straight-through mixture of the head's own rows, and the gradients of both, ours first."""
    hidden, weight = hidden.clone().requires_grad_(), weight.requires_grad_()
    upstream = torch.ones(hidden.shape)

    def ours() -> object:
        value = sd.vocabulary.gumbel_softmax(hidden, weight, weight, hard=True)
        return torch.autograd.grad(value, (hidden, weight), upstream)

    def plain() -> object:
        value = F.gumbel_softmax(hidden @ weight.mT, hard=True) @ weight
        return torch.autograd.grad(value, (hidden, weight), upstream)

    return {"softdraw": ours, "F.gumbel_softmax @ E": plain}


def frozen_calls(hidden: Tensor, weight: Tensor) -> dict[str, Callable[[], object]]:
    """The same with a table that does not learn: the gradient of the hidden states alone."""
    hidden, upstream = hidden.clone().requires_grad_(), torch.ones(hidden.shape)

    def ours() -> object:
        value = sd.vocabulary.gumbel_softmax(hidden, weight, weight, hard=True)
        return torch.autograd.grad(value, hidden, upstream)

    def plain() -> object:
        value = F.gumbel_softmax(hidden @ weight.mT, hard=True) @ weight
        return torch.autograd.grad(value, hidden, upstream)

    return {"softdraw": ours, "F.gumbel_softmax @ E": plain}


def rows(seconds: float) -> Iterator[Row]:
    """Each peer in turns with us."""
    hidden, weight = problem(*SHAPE)
    shape = SHAPE[0], SHAPE[2]
    found = medians(index_calls(hidden, weight), seconds)
    for peer in list(found)[1:]:
        # at most 1.15 times the product, so that it takes at least 1 / 1.15 of our time
        bar = 1 / 1.15 if "alone" in peer else None
        yield Row("index", shape, hidden.dtype, peer, found["softdraw"], found[peer], bar)
    found = medians(reinforce_calls(hidden, weight), seconds)
    for peer in list(found)[1:]:
        yield Row("log p, entropy, gradients", shape, hidden.dtype, peer, found["softdraw"], found[peer])
    for what, calls, bar in (
        ("hard mixture f+b, E = W", mixture_calls, 1.0),
        ("hard mixture f+b, frozen", frozen_calls, None),
    ):
        found = medians(calls(hidden, weight.detach().clone()), seconds)
        for peer in list(found)[1:]:
            yield Row(what, shape, hidden.dtype, peer, found["softdraw"], found[peer], bar)


_CHILD = """
import sys, torch
from benchmarks import vocabulary
def peak():
    # VmHWM is of this program alone; ru_maxrss would start at the size of the process that started it.
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))
calls = getattr(vocabulary, sys.argv[1])
for warm in calls(*vocabulary.problem(8, 16, 5000)).values():
    warm()
shape = tuple(map(int, sys.argv[3].split("x")))
call = calls(*vocabulary.problem(*shape))[sys.argv[2]]
before = peak()
call()
print(peak() - before, peak())
"""


def extra_mebibytes(calls: str, name: str, shape: tuple[int, int, int] = SHAPE) -> tuple[float, float]:
    """Growth of the peak resident set of one call, results and gradients among it, and the peak (Linux)."""
    command = [sys.executable, "-c", _CHILD, calls, name, "x".join(map(str, shape))]
    grown, most = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(grown), float(most)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vocabulary", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="time for each comparison (20)")
    parser.add_argument("--threads", type=int, help="threads of torch and of softdraw (torch's default)")
    parser.add_argument("--no-memory", action="store_true", help="leave out the memory")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    print(HEADER)
    for row in rows(options.seconds):
        print(row, flush=True)
    if options.no_memory or sys.platform != "linux":
        return
    print("peak extra memory, MiB, results and gradients among it (bar for an index: 16; for a mixture: 32")
    print(f"beside the gradients, {SHAPE[1] * SHAPE[2] * 4 / 2**20:.0f} of the table; 0 where it is frozen)")
    for calls in ("index_calls", "reinforce_calls", "mixture_calls", "frozen_calls"):
        for name in globals()[calls](*problem(1, 1, 1)):
            grown, _ = extra_mebibytes(calls, name)
            print(f"  {calls.removesuffix('_calls'):<10}{name:<28}{grown:>8.1f}", flush=True)
    grown, most = extra_mebibytes("mixture_calls", "softdraw", LARGE)
    shape = "x".join(map(str, LARGE))
    print(f"  mixture of {shape}: {grown:.1f}, and {most:.0f} in all (bar: 2048)")


if __name__ == "__main__":
    main()
