"""Blocks of unequal sizes (`sizes=`) beside blocks of one size and loops over the blocks.

`python -m benchmarks.blocks` prints a table of its own.
"""

import argparse
from collections.abc import Callable, Iterator
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

import softdraw as sd
from benchmarks.comparison import HEADER, Row
from benchmarks.interleaved import medians

__all__ = ["rows"]

#: rows and the sizes of their blocks: the discrete columns of the Adult table, the heads of a policy, and
#: blocks that padding would blow up
CASES = {
    "Adult": (512, (9, 16, 7, 15, 6, 5, 2, 42, 2)),
    "Adult, large batch": (8192, (9, 16, 7, 15, 6, 5, 2, 42, 2)),
    "policy heads": (256, (3, 5, 2, 8)),
    "one large of many": (4096, (2, 3, 1000, 4, 2)),
}


def step(draw: Callable[[Tensor], Tensor], logits: Tensor, grad: Tensor) -> Callable[[], object]:
    """Forward and backward of one draw."""
    return lambda: torch.autograd.grad(draw(logits), logits, grad)


def in_a_loop(draw: Callable[[Tensor], Tensor], sizes: tuple[int, ...]) -> Callable[[Tensor], Tensor]:
    """What one writes without `sizes=`."""
    return lambda x: torch.cat([draw(part) for part in x.split(sizes, -1)], -1)


def rows(seconds: float) -> Iterator[Row]:
    """Each peer in turns with us, soft and hard."""
    for name, (count, sizes) in CASES.items():
        size = round(sum(sizes) / len(sizes))
        logits = torch.randn(count, sum(sizes), requires_grad=True)
        equal = torch.randn(count, size * len(sizes), requires_grad=True)
        for hard in (False, True):
            options = {"tau": 0.7, "hard": hard}
            grad, equal_grad = torch.randn_like(logits), torch.randn_like(equal)
            alike = [size] * len(sizes)
            calls = {
                "softdraw": step(partial(sd.gumbel_softmax, **options, sizes=sizes), logits, grad),
                f"blocks of one size, {size}": step(
                    partial(sd.gumbel_softmax, **options, sizes=alike), equal, equal_grad
                ),
                "loop over the blocks": step(
                    in_a_loop(partial(sd.gumbel_softmax, **options), sizes), logits, grad
                ),
                "F.gumbel_softmax in a loop": step(
                    in_a_loop(partial(F.gumbel_softmax, **options), sizes), logits, grad
                ),
            }
            found = medians(calls, seconds)
            for peer in list(calls)[1:]:
                what = f"{name}, {'hard' if hard else 'soft'}"
                yield Row(what, (count, sum(sizes)), logits.dtype, peer, found["softdraw"], found[peer])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.blocks", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="time for each comparison (2)")
    parser.add_argument("--threads", type=int, help="threads of torch and of softdraw (torch's default)")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    print(HEADER)
    for row in rows(options.seconds):
        print(row, flush=True)


if __name__ == "__main__":
    main()
